"""Finding and counting stored tasks, merged over clusters.

Pages are cut by keys, not by numbers, so that tasks that come meanwhile move nothing: a cursor is a task's place in the
list of all, and the direction to go on in.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from celeriac.app.access.acting import Acting
from celeriac.app.ranges import bounds, in_steps
from celeriac.app.shaping import opaque_pair, parts_of, task_view
from celeriac.app.sources import Sources, unknown
from celeriac.app.task_views import (
    FacetsView,
    HistogramView,
    LeftOutView,
    StepCountsView,
    TaskPageView,
    TaskView,
)
from celeriac.app.views import moment, sure_moment
from celeriac.core.access import Right
from celeriac.core.errors import ConflictError
from celeriac.core.search import Cursor, Found, TaskFilter, TaskRow
from celeriac.core.tasks import Task
from celeriac.ports import Tasks

HISTOGRAM_S = 86_400.0
BARS = 60
OLDER, NEWER = "older", "newer"

T = TypeVar("T")


class TaskQueries:
    """Reads of tasks. Each takes a filter (`ports.TaskFilter`), whose time the clusters share."""

    def __init__(self, sources: Sources, acting: Acting, clock: Callable[[], float]) -> None:
        self._sources, self._acting, self._clock = sources, acting, clock

    def page(self, which: TaskFilter, cluster: str | None = None) -> TaskPageView:
        """Return a page of tasks, newest first."""
        one_more = replace(which, limit=which.limit + 1)
        found, left_out = self._asked(one_more, cluster, lambda tasks, shared: tasks.find(shared))
        horizon = _horizon([each for _, each in found], which)
        rows = _in_order(found, horizon, newer=which.newer)
        page = rows[: _cut(rows, which.limit)]
        far = page[-1][0].cursor if len(rows) > len(page) else horizon
        near = None
        if which.cursor is not None:
            # Where there is nothing beyond, the way back must find the task that the cursor is of.
            near = page[0][0].cursor if page else Cursor(which.cursor.first_at, "")
        older, newer = (near, far) if which.newer else (far, near)
        views = [self._view(row.task, name) for row, name in page]
        return TaskPageView(
            items=views[::-1] if which.newer else views,
            next=_cursor_text(OLDER, older),
            previous=_cursor_text(NEWER, newer),
            searched_to=moment(horizon.first_at / 1e6) if horizon and far is horizon else None,
            left_out=left_out,
        )

    def one(self, id: str, cluster: str | None = None) -> TaskView:
        """Return one task by its opaque id, or by Celery's own id where only one cluster has it."""
        parts = parts_of(id)
        known = len(parts) == 2 and parts[0] in self._sources
        own, uuid = (parts[0], parts[1]) if known else (cluster, id)
        self._sources.chosen(cluster)
        answers, left_out = self._sources.asked(own, lambda source: source.tasks.task(uuid))
        found = [self._view(task, source.name) for source, task in answers if task and cluster in {None, source.name}]
        if len(found) > 1:
            raise ConflictError(f"Several clusters have a task {id!r}: {', '.join(one.cluster for one in found)}.")
        if not found:
            raise unknown(f"task {id!r}", left_out)
        return found[0]

    def facets(self, which: TaskFilter, cluster: str | None = None) -> FacetsView:
        """Count the matching tasks by their values, the most frequent first."""
        answers, left_out = self._asked(which, cluster, lambda tasks, shared: tasks.facets(shared))
        found = [each for _, each in answers]
        return FacetsView(
            states=_sum(each.states for each in found),
            names=_sum(each.names for each in found),
            workers=_sum(each.workers for each in found),
            queues=_sum(each.queues for each in found),
            complete=all(each.complete for each in found) and not left_out,
            left_out=left_out,
        )

    def histogram(
        self, which: TaskFilter, cluster: str | None = None, *, step_s: int | None = None, bars: int = BARS
    ) -> HistogramView:
        """Count the matching tasks by time; of the last day unless the filter says otherwise."""
        since, until = bounds(which.since, which.until, self._clock(), HISTOGRAM_S)
        shown = in_steps(since, until, step_s, bars)
        bounded = replace(which, since=since, until=until)
        answers, left_out = self._asked(bounded, cluster, lambda tasks, shared: tasks.histogram(shared, shown.step_s))
        found = [each for _, each in answers]
        return HistogramView(
            since=sure_moment(since),
            until=sure_moment(until),
            step_s=shown.step_s,
            items=[
                StepCountsView(sure_moment(at), _sum(each.counts.get(at, {}) for each in found)) for at in shown.steps()
            ],
            complete=all(each.complete for each in found) and not left_out,
            left_out=left_out,
        )

    def _asked(
        self, which: TaskFilter, cluster: str | None, ask: Callable[[Tasks, TaskFilter], T]
    ) -> tuple[list[tuple[str, T]], list[LeftOutView]]:
        """Return what the clusters that can be read say, by name, and the others."""
        if which.args or which.kwargs or which.result or which.anywhere:
            # What may not be shown may not be found out either, one search after the other.
            for one in self._sources.chosen(cluster):
                self._acting.need(Right.PAYLOADS, "search in arguments and results", one.name)
        shared = replace(which, within_s=which.within_s / max(1, len(self._sources.chosen(cluster))))
        answers, left_out = self._sources.asked(cluster, lambda source: ask(source.tasks, shared))
        return [(source.name, answer) for source, answer in answers], left_out

    def _view(self, task: Task, cluster: str) -> TaskView:
        return task_view(task, cluster, payloads=self._acting.may(Right.PAYLOADS, cluster))


def cursor_of(text: str) -> tuple[Cursor, bool]:
    """Return a cursor, and whether it goes to newer tasks; raises ValueError if it is none that was given."""
    parts = parts_of(text)
    try:
        direction, first_at, key = parts
        cursor = Cursor(int(first_at), bytes.fromhex(key).hex())
    except ValueError:
        cursor, direction = Cursor(0, ""), ""
    if direction not in {OLDER, NEWER} or not 0 <= cursor.first_at < 2**62:
        msg = "this is no cursor that a page came with; start again without one"
        raise ValueError(msg)
    return cursor, direction == NEWER


def _cursor_text(direction: str, cursor: Cursor | None) -> str | None:
    return opaque_pair(direction, str(cursor.first_at), cursor.key) if cursor else None


def _horizon(found: Iterable[Found], which: TaskFilter) -> Cursor | None:
    """Return up to where all clusters were searched, if any ran out of time; never before the place it began at."""
    reached = [one.searched_to for one in found if one.searched_to]
    if not reached:
        return None
    sign = -1 if which.newer else 1
    least = max(reached, key=lambda one: sign * one.first_at)
    begun = which.cursor
    return begun if begun is not None and sign * least.first_at >= sign * begun.first_at else least


def _in_order(found: Iterable[tuple[str, Found]], horizon: Cursor | None, *, newer: bool) -> list[tuple[TaskRow, str]]:
    """Return the rows on this side of the horizon, in the direction of the look."""
    rows = [
        (row, name)
        for name, each in found
        for row in each.rows
        if horizon is None or not _follows(row.cursor, horizon, newer=newer)
    ]
    return sorted(rows, key=lambda pair: (pair[0].cursor, pair[1]), reverse=not newer)


def _follows(place: Cursor, cursor: Cursor, *, newer: bool) -> bool:
    """Tell whether a task is on the page that this cursor leads to; one without a key leads to all of its moment."""
    if not cursor.key:
        return place.first_at >= cursor.first_at if newer else place.first_at <= cursor.first_at
    return place > cursor if newer else place < cursor


def _cut(rows: list[tuple[TaskRow, str]], limit: int) -> int:
    """Return the size of a page: a task that two clusters have in one place is never torn from its twin."""
    size = min(limit, len(rows))
    while 0 < size < len(rows) and rows[size][0].cursor == rows[size - 1][0].cursor:
        size += 1
    return size


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())
