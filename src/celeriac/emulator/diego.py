"""Diego: it holds what is desired and what is actual, index by index, and makes the second follow the first.

One lock guards the state. Instances are created and ended outside of it, on threads of their own, and report back;
`converge` is the level-based repair that the real platform runs every 30 s of its clock.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from celeriac.emulator import lrp, schedule
from celeriac.emulator.audit import Crash
from celeriac.emulator.cell import Cell
from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.container import Ending
from celeriac.emulator.entities import Workload
from celeriac.emulator.logcache import LogCache
from celeriac.emulator.lrp import ActualLrp, LrpState

CrashListener = Callable[[Workload, Crash], None]
_INSTANCE_GUID_LENGTH = 28
_LEAST_PAUSE_SECONDS = 0.01


@dataclass(slots=True)
class _Generation:
    """One generation of a process; once `removed` nothing is desired of it, and its last instances drain."""

    workload: Workload
    desired: int
    removed: bool = False
    actual: dict[int, ActualLrp] = field(default_factory=dict)


class Diego:
    """Runs generations of processes; `on_crash` is called with the state locked and must not call back.

    While `full` says so there is room for nothing more.
    """

    def __init__(
        self,
        config: EmulatorConfig,
        logs: LogCache,
        api_url: str,
        on_crash: CrashListener,
        full: Callable[[], bool],
    ) -> None:
        self._speed = config.speed
        self._memory_mb = config.cell_memory_mb
        self._on_crash, self._full = on_crash, full
        self._cell = Cell(config, logs, api_url, self)
        self._generations: dict[str, _Generation] = {}
        self._placed: dict[str, tuple[_Generation, int]] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()

    def desire(self, workload: Workload) -> None:
        """Begin to run a generation, all indices at once."""
        with self._lock:
            generation = _Generation(workload, workload.process.instances)
            self._generations[workload.lrp_guid] = generation
            self._fill(generation)

    def remove(self, lrp_guid: str) -> None:
        """End a generation; its instances drain, and until then `instances` still shows them."""
        with self._lock:
            generation = self._generations.get(lrp_guid)
            if generation is None:
                return
            generation.removed = True
            self.scale(lrp_guid, 0)
            self._forget_if_over(generation)

    def scale(self, lrp_guid: str, instances: int) -> None:
        """Start missing indices at once, or stop those from `instances` up."""
        with self._lock:
            generation = self._generations.get(lrp_guid)
            if generation is None:
                return
            generation.desired = instances
            self._fill(generation)
            for index in [index for index in generation.actual if index >= instances]:
                self._retire(generation, index)

    def retire(self, lrp_guid: str, index: int) -> None:
        """Stop one instance; a later convergence starts it anew, with no crashes counted."""
        with self._lock:
            generation = self._generations.get(lrp_guid)
            if generation:
                self._retire(generation, index)

    def instances(self, lrp_guid: str) -> dict[int, ActualLrp]:
        """Return the slots of a generation that exist, by index."""
        with self._lock:
            generation = self._generations.get(lrp_guid)
            return dict(generation.actual) if generation else {}

    def converge(self) -> None:
        """Create what is missing and restart what has crashed and waited long enough."""
        now = time.monotonic()
        with self._lock:
            for generation in self._generations.values():
                for slot in list(generation.actual.values()):
                    if self._is_due(slot, now):
                        self._place(generation, slot)
                self._fill(generation)

    def run(self) -> None:
        """Converge every 30 s of Diego's clock until `close`."""
        pause = max(_LEAST_PAUSE_SECONDS, schedule.CONVERGENCE_SECONDS / self._speed)
        while not self._closing.wait(pause):
            self.converge()

    def close(self, seconds: float) -> None:
        """Stop converging, and end all instances within about so many seconds."""
        with self._lock:
            self._closing.set()
        self._cell.close(seconds)

    def started(self, instance_guid: str, pid: int, port: int) -> None:
        """Hear from the cell that an instance runs."""
        with self._lock:
            generation, index = self._placed[instance_guid]
            slot = generation.actual[index]
            generation.actual[index] = lrp.running(slot, pid, port, time.monotonic())

    def ended(self, instance_guid: str, ending: Ending) -> None:
        """Hear from the cell that an instance has ended."""
        with self._lock:
            generation, index = self._placed.pop(instance_guid)
            if ending.asked or index >= generation.desired:
                del generation.actual[index]
                self._forget_if_over(generation)
            else:
                self._crash(generation, index, ending.description)

    def _crash(self, generation: _Generation, index: int, description: str) -> None:
        before = generation.actual[index]
        now = time.monotonic()
        ran = (now - before.since) * self._speed if before.state is LrpState.RUNNING else 0.0
        after = generation.actual[index] = lrp.crashed(before, now, ran)
        crash = Crash(before.instance_guid, index, self._cell.cell_id, description, after.crash_count)
        self._on_crash(generation.workload, crash)
        if after.state is LrpState.UNCLAIMED:
            self._place(generation, after)

    def _fill(self, generation: _Generation) -> None:
        for index in range(generation.desired):
            if index not in generation.actual:
                slot = generation.actual[index] = lrp.unclaimed(index, time.monotonic())
                self._place(generation, slot)

    def _is_due(self, slot: ActualLrp, now: float) -> bool:
        if slot.state is LrpState.CRASHED:
            return schedule.may_restart(slot.crash_count, (now - slot.since) * self._speed)
        return slot.state is LrpState.UNCLAIMED

    def _place(self, generation: _Generation, slot: ActualLrp) -> None:
        now = time.monotonic()
        if self._closing.is_set():
            return
        if not self._has_room(generation.workload):
            generation.actual[slot.index] = lrp.unplaceable(slot, "insufficient resources: memory", now)
            return
        instance_guid = str(uuid.uuid4())[:_INSTANCE_GUID_LENGTH]
        generation.actual[slot.index] = lrp.claimed(slot, instance_guid, now)
        self._placed[instance_guid] = generation, slot.index
        self._cell.run(generation.workload, slot.index, instance_guid)

    def _has_room(self, workload: Workload) -> bool:
        if self._full():
            return False
        if self._memory_mb is None:
            return True
        used = sum(generation.workload.process.memory_mb for generation, _ in self._placed.values())
        return used + workload.process.memory_mb <= self._memory_mb

    def _retire(self, generation: _Generation, index: int) -> None:
        slot = generation.actual.get(index)
        if slot is None:
            return
        if slot.state in (LrpState.CLAIMED, LrpState.RUNNING):
            self._cell.stop(slot.instance_guid)
        else:
            del generation.actual[index]
            self._forget_if_over(generation)

    def _forget_if_over(self, generation: _Generation) -> None:
        if generation.removed and not generation.actual:
            self._generations.pop(generation.workload.lrp_guid, None)
