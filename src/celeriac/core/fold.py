"""Folding events into the live state of one cluster: worker incarnations and tasks, with what changed since last asked."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from celeriac.core import tasks
from celeriac.core.events import Event
from celeriac.core.model import Incarnation
from celeriac.core.tasks import Task

ECHO = "celeriac-echo"


class ClusterState:
    """Incarnations and unfinished (or just finished) tasks of one cluster; bounded by `max_tasks` and `max_workers`.

    Finished tasks leave memory when their row has been taken by `changes()`: the store is the history, and it merges a
    late event by the same rule as `tasks.apply`.
    """

    def __init__(self, *, max_tasks: int = 100_000, max_workers: int = 10_000) -> None:
        self.max_tasks, self.max_workers = max_tasks, max_workers
        self.incarnations: dict[tuple[str, int], Incarnation] = {}
        self.tasks: dict[str, Task] = {}
        self.unknown_types = 0
        self.dropped = 0
        self._changed_tasks: dict[str, Task] = {}
        self._changed_workers: dict[tuple[str, int], Incarnation] = {}

    def restore(self, incarnations: Iterable[Incarnation], now: float) -> None:
        """Take up what an earlier observer had stored."""
        for one in incarnations:
            one.last_seen_at = min(one.last_seen_at, now)  # an earlier observer's clock may have been ahead
            self.incarnations[one.node, one.pid] = one

    def fold(self, event: Event, received_at: float) -> None:
        """Fold one event; `received_at` is our own clock, in seconds since the epoch."""
        kind = event.type
        if kind.startswith("task-"):
            self._fold_task(event)
            # A producer is no worker, and a task's own `send_event` carries the pid of a pool's child.
            if kind in tasks.STATES and kind != "task-sent":
                self._hear(event, received_at, task=True)
        elif kind.startswith("worker-"):
            self._hear(event, received_at, task=False)
        else:
            self.unknown_types += 1

    def changes(self) -> tuple[list[Task], list[Incarnation]]:
        """Return copies of the rows that changed since the last call, and let finished tasks go."""
        changed = [msgspec.structs.replace(task) for task in self._changed_tasks.values()]
        workers = [msgspec.structs.replace(one) for one in self._changed_workers.values()]
        for task in changed:
            if task.finished:
                self.tasks.pop(task.uuid, None)
        self._changed_tasks.clear()
        self._changed_workers.clear()
        return changed, workers

    def _fold_task(self, event: Event) -> None:
        if event.type not in tasks.STATES or event.uuid is None:
            self.unknown_types += 1
            return
        task = self.tasks.get(event.uuid) or self._changed_tasks.get(event.uuid)
        if event.uuid not in self._changed_tasks and len(self._changed_tasks) >= self.max_tasks:
            self.dropped += 1  # nobody has taken the changes for long: the store is away
            return
        if task is None:
            self._make_room()
            task = self.tasks[event.uuid] = Task(uuid=event.uuid)
        tasks.apply(task, event)
        self._changed_tasks[event.uuid] = task

    def _make_room(self) -> None:
        if len(self.tasks) >= self.max_tasks:  # the oldest unfinished ones live on in the store
            for uuid in list(islice(self.tasks, self.max_tasks // 100 + 1)):
                del self.tasks[uuid]

    def _hear(self, event: Event, received_at: float, *, task: bool) -> None:
        key = (event.hostname, event.pid)
        one = self.incarnations.get(key)
        if one is None or _born_again(one, event):
            if one is None and len(self.incarnations) >= self.max_workers:
                self._forget_longest_silent()
            one = self.incarnations[key] = Incarnation(event.hostname, event.pid, received_at, received_at)
        _live(one, event, received_at, task=task)
        self._changed_workers[key] = one

    def _forget_longest_silent(self) -> None:
        del self.incarnations[min(self.incarnations, key=lambda key: self.incarnations[key].last_seen_at)]


def _born_again(one: Incarnation, event: Event) -> bool:
    """Tell whether the same node name and pid are another life: its counter fell, or it came online with nothing done.

    A `worker-online` with a counter that went on is a reconnect: Celery sends it again after each broker outage.
    """
    if event.processed is None:
        return False
    fell = one.processed is not None and event.processed < one.processed
    if event.type == "worker-online":
        return fell or event.clock < one.sent[0] or (event.processed == 0 and one.beats > 0)
    return fell and _made(event) > one.sent


def _live(one: Incarnation, event: Event, received_at: float, *, task: bool) -> None:
    one.longest_gap_s = max(one.longest_gap_s, received_at - one.last_seen_at)
    one.last_seen_at = max(one.last_seen_at, received_at)
    one.first_seen_at = min(one.first_seen_at, received_at)
    one.clock = max(one.clock, event.clock)
    if task:
        one.last_task_at = max(one.last_task_at or received_at, received_at)
        return
    if event.type == "worker-offline":
        one.goodbye = max(one.goodbye or (0, 0.0), _made(event))
        one.offline_at = max(one.offline_at or received_at, received_at)
        return
    newest = _made(event) >= one.sent
    one.sent = max(one.sent, _made(event))
    one.software = one.software or _software(event)
    if newest:
        one.freq = event.freq or one.freq
        one.active = event.active if event.active is not None else one.active
        one.processed = event.processed if event.processed is not None else one.processed
    if event.type == "worker-heartbeat" and event.active is not None:
        # Asked by a monitor's broadcast, a worker sends one beat that says nothing of its work: that is no habit.
        one.beats += 1
        one.last_heartbeat_at = max(one.last_heartbeat_at or received_at, received_at)


def _made(event: Event) -> tuple[int, float]:
    """Return when an event was made: by the logical clock of its process, which never steps back, then by the wall's."""
    return (event.clock, event.timestamp)


def _software(event: Event) -> str | None:
    return f"{event.sw_ident} {event.sw_ver}" if event.sw_ident and event.sw_ver else None
