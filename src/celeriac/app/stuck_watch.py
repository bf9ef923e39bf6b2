"""Looking for tasks that hold their slot for too long, once a minute, beside the cycle."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from celeriac.app.asking import Asked
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation
from celeriac.core.readings import Known
from celeriac.core.rollup import HOUR, RUNTIME, histogram, quantile, total
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Seen, speaks
from celeriac.core.stuck import Running, Runs, Stuck, stuck
from celeriac.core.tasks import RECEIVED, STARTED, Task
from celeriac.ports import Charts, Control, Tasks

EVERY_S = 60.0
BACK_S = 7 * 86400.0
"""How far back runs of a name are looked at; a task that began earlier is no longer looked for."""

AT_ONCE = 200
NAMES = 50


class StuckWatch:
    """Finds the stuck tasks of one cluster; `found` is by node, as of the last look."""

    def __init__(
        self,
        tasks: Tasks,
        charts: Charts,
        control: Control,
        ask: Callable[[Callable[[], Any]], Asked[Any]],
        limits: Limits,
    ) -> None:
        self._tasks, self._charts, self._control, self._ask, self._limits = tasks, charts, control, ask, limits
        self._due_at: float | None = None
        self._asked: Asked[dict[str, tuple[Stuck, ...]]] | None = None
        self.found: dict[str, tuple[Stuck, ...]] = {}

    def go_on(self, seen: Seen) -> None:
        """Look when it is due, or take up what was found; waits for nobody."""
        if not isinstance(seen.stream, Known):
            return
        if self._due_at is None:
            self._due_at = seen.at + EVERY_S / 3  # a new keeper has other things to ask first
        if self._asked is None and seen.at >= self._due_at:
            stream, now = seen.stream.value, seen.at
            busy = {one.node: one for one in seen.incarnations if one.active and speaks(one, stream, self._limits)}
            self._asked, self._due_at = self._ask(lambda: self._look(busy, now)), now + EVERY_S
        elif self._asked is not None and self._asked.done(within=0.0):
            answer, self._asked = self._asked.answer(), None
            self.found = answer.value if isinstance(answer, Known) else {}

    def _look(self, busy: Mapping[str, Incarnation], now: float) -> dict[str, tuple[Stuck, ...]]:
        if not busy:
            return {}
        # A `task-started` may be lost, as threads of Celery 5.3 lose some; of those received most wait for their time.
        begun = [task for state in (STARTED, RECEIVED) for task in self._old(state, busy, now)]
        told = self._control.running({one.worker for one in begun if one.worker}) if begun else {}
        running = {
            node: Running(tasks, busy[node].last_start_at, busy[node].behind_s)
            for node, tasks in told.items()
            if node in busy
        }
        ours = [one for one in begun if one.uuid in told.get(one.worker or "", frozenset())]
        return stuck(ours, running, self._runs(ours, now), now, self._limits)

    def _old(self, state: str, busy: Mapping[str, Incarnation], now: float) -> list[Task]:
        which = TaskFilter(
            limit=AT_ONCE,
            states=(state,),
            workers=tuple(sorted(busy)),
            since=now - BACK_S,
            until=now - self._limits.stuck_s,
        )
        return [row.task for row in self._tasks.find(which).rows if row.task.worker in busy]

    def _runs(self, tasks: Iterable[Task], now: float) -> dict[str, Runs]:
        names = sorted({one.name for one in tasks if one.name})[:NAMES]
        return {name: self._runs_of(name, now) for name in names}

    def _runs_of(self, name: str, now: float) -> Runs:
        count = total(self._charts.durations(now - BACK_S, now, HOUR, name).values())
        ran = histogram(count, RUNTIME)
        return Runs(sum(ran.values()), quantile(ran, 1.0))
