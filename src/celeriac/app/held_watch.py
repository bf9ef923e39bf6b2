"""Looking for tasks that an idle worker has received and does not begin, once a minute, beside the cycle."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from celeriac.app.asking import Asked
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation, Inspection
from celeriac.core.readings import Known, Reading
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Seen
from celeriac.core.tasks import RECEIVED, Task
from celeriac.core.work import Held
from celeriac.ports import Tasks

EVERY_S = 60.0
BACK_S = 86400.0
"""A task that was first heard of earlier is no longer looked for."""

AT_ONCE = 200
WORKERS_AT_ONCE = 200
"""Of more idle workers the next ones are looked at a minute later."""


Life = tuple[str, int]


class HeldWatch:
    """Finds what the idle workers of one cluster hold, by `Incarnation.key`; without a store of tasks it finds nothing."""

    def __init__(self, tasks: Tasks | None, ask: Callable[[Callable[[], Any]], Asked[Any]], limits: Limits) -> None:
        self._tasks, self._ask, self._limits = tasks, ask, limits
        self._due_at: float | None = None
        self._asked: Asked[dict[str, list[Task]]] | None = None
        self._looked_at: frozenset[str] = frozenset()
        self._found: dict[str, list[Task]] = {}
        self._settled: dict[str, frozenset[str]] = {}
        self._turn = 0

    def go_on(self, seen: Seen, speaking: Iterable[Incarnation]) -> dict[str, Held]:
        """Look when it is due, or take up what was found; waits for nobody."""
        if self._due_at is None:
            self._due_at = seen.at + EVERY_S / 3  # a new keeper has other things to ask first
        if self._asked is not None and self._asked.done(within=0.0):
            answer, self._asked = self._asked.answer(), None
            rest = {key: found for key, found in self._found.items() if key not in self._looked_at}
            self._found = {**rest, **answer.value} if isinstance(answer, Known) else {}
        if self._tasks is not None and self._asked is None and seen.at >= self._due_at:
            tasks, now, idle = self._tasks, seen.at, self._idle(seen.at, speaking)
            self._looked_at = frozenset(one.key for one in idle.values())
            self._asked = self._ask(lambda: self._look(tasks, idle, now))
            self._due_at = now + EVERY_S
        return {key: held for key, tasks in self._found.items() if (held := self._held(key, tasks))}

    def heard(self, inspected: Mapping[str, Reading[Inspection]]) -> None:
        """Take up what was said: for tasks that it holds no more, or by a rate limit, it is not asked again."""
        for key, tasks in self._found.items():
            told = inspected.get(key.rpartition("#")[0])
            if isinstance(told, Known) and (told.value.limited or not told.value.reserved):
                self._settled[key] = frozenset(one.uuid for one in tasks)

    def _idle(self, now: float, speaking: Iterable[Incarnation]) -> dict[Life, Incarnation]:
        """Return those that run nothing and have begun nothing for long, some of them if they are many."""
        before = now - self._limits.deaf_s
        idle = sorted(
            (one for one in speaking if one.active == 0 and max(one.last_start_at or 0.0, one.first_seen_at) <= before),
            key=lambda one: one.key,
        )
        keys = {one.key for one in idle}
        self._settled = {key: settled for key, settled in self._settled.items() if key in keys}
        self._found = {key: found for key, found in self._found.items() if key in keys}
        begin = self._turn if self._turn < len(idle) else 0
        self._turn = begin + WORKERS_AT_ONCE
        return {(one.node, one.pid): one for one in idle[begin : self._turn]}

    def _look(self, tasks: Tasks, idle: Mapping[Life, Incarnation], now: float) -> dict[str, list[Task]]:
        before = now - self._limits.deaf_s
        nodes = tuple(sorted({node for node, _ in idle}))
        if not nodes:
            return {}
        which = TaskFilter(limit=AT_ONCE, states=(RECEIVED,), workers=nodes, since=now - BACK_S, until=before)
        found: dict[str, list[Task]] = defaultdict(list)
        for row in tasks.find(which).rows:
            one = row.task
            life = idle.get((one.worker or "", one.pid or 0))
            if life is None or one.eta is not None or one.received_at is None:  # what has an ETA waits there by design
                continue
            received_at = one.received_at + life.behind_s  # by our clock: a task's times are its worker's
            if received_at <= before:
                found[life.key].append(replace(one, received_at=received_at))
        return dict(found)

    def _held(self, key: str, tasks: Iterable[Task]) -> Held | None:
        settled = self._settled.get(key, frozenset())
        there = sorted((one.received_at or 0.0, one.name or "") for one in tasks if one.uuid not in settled)
        return Held(len(there), *there[0]) if there else None
