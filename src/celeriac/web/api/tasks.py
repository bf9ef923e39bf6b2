"""Tasks over HTTP: pages of them, one of them, and their numbers."""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from celeriac.app.ranges import DAY_S, MOST_STEPS
from celeriac.app.task_queries import BARS, cursor_of
from celeriac.app.task_views import (
    CountsView,
    DurationTableView,
    FacetsView,
    HistogramView,
    TaskPageView,
    TaskView,
)
from celeriac.core.search import TaskFilter
from celeriac.core.tasks import STATES
from celeriac.web.api.answers import AMBIGUOUS, LISTED, Cluster, Since, Time, Until, encoded
from celeriac.web.deps import Reads

YEAR_S = 366 * DAY_S
KNOWN_STATES = tuple(STATES.values())
Values = Annotated[list[str], Field(max_length=100)]


class Wanted(BaseModel):
    """Which tasks: all conditions must hold, of several values of one, any."""

    # A filter that is misspelt must not answer with everything.
    model_config = ConfigDict(extra="forbid", str_min_length=1, str_max_length=1000, allow_inf_nan=False)

    cluster: str | None = Field(None, description="only this cluster")
    state: Values = Field([], description="Celery's states, such as `FAILURE`")
    name: Values = Field([], description="full names of tasks")
    worker: Values = Field([], description="node names")
    queue: Values = Field([], description="queues; known of tasks whose sending was heard (task_send_sent_event)")
    since: Time | None = Field(None, description="first heard of from this time on (ISO 8601, or seconds since 1970)")
    until: Time | None = Field(None, description="first heard of before this time")
    runtime_least_s: float | None = Field(None, ge=0, description="ran at least so many seconds")
    runtime_most_s: float | None = Field(None, ge=0, description="ran at most so many seconds")
    root_id: str | None = Field(None, description="the task that began it all, and all that came of it")
    args: str | None = Field(None, description="text in the positional arguments")
    kwargs: str | None = Field(None, description="text in the keyword arguments")
    result: str | None = Field(None, description="text in the result")
    exception: str | None = Field(None, description="text in the exception")
    search: str | None = Field(None, description="text in any of these four")

    @field_validator("state")
    @classmethod
    def _known(cls, states: list[str]) -> list[str]:
        upper = [state.upper() for state in states]
        if unknown := set(upper) - set(KNOWN_STATES):
            msg = f"{min(unknown)!r} is no state of a task; there are: {', '.join(KNOWN_STATES)}"
            raise ValueError(msg)
        return upper

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            msg = "since must be before until"
            raise ValueError(msg)
        return self

    def filter(self) -> TaskFilter:
        """Return the filter as the store takes it."""
        return TaskFilter(
            states=tuple(self.state),
            names=tuple(self.name),
            workers=tuple(self.worker),
            queues=tuple(self.queue),
            since=self.since,
            until=self.until,
            runtime_least=self.runtime_least_s,
            runtime_most=self.runtime_most_s,
            root_id=self.root_id,
            args=self.args,
            kwargs=self.kwargs,
            result=self.result,
            exception=self.exception,
            anywhere=self.search,
        )


class WantedPage(Wanted):
    """Which tasks, and which page of them."""

    limit: int = Field(50, ge=1, le=500, description="how many at most")
    cursor: str | None = Field(None, description="`next` or `previous` of another page")

    @field_validator("cursor")
    @classmethod
    def _ours(cls, cursor: str | None) -> str | None:
        if cursor is not None:
            cursor_of(cursor)
        return cursor

    def filter(self) -> TaskFilter:
        """Return the filter as the store takes it."""
        cursor, newer = cursor_of(self.cursor) if self.cursor else (None, False)
        return replace(super().filter(), limit=self.limit, cursor=cursor, newer=newer)


class WantedHistogram(Wanted):
    """Which tasks, and in which steps."""

    step_s: int | None = Field(
        None, ge=1, le=YEAR_S, description=f"seconds of one step; widened where there would be over {MOST_STEPS}"
    )
    buckets: int = Field(BARS, ge=1, le=1000, description="how many steps at most, where `step_s` is not given")


TaskId = Annotated[str, Path(description="id, or Celery's own id where only one cluster has it")]
Name = Annotated[str | None, Query(description="the task's full name; all names together, if not given")]

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


@router.get("", summary="Find tasks, newest first", responses=LISTED, response_model=TaskPageView)
def tasks(queries: Reads, wanted: Annotated[WantedPage, Query()]) -> Response:
    """Return a page of tasks, merged over clusters; `next` leads to older tasks, `previous` to newer ones.

    A search that takes longer than 2 s ends with what it has found, and says in `searched_to` how far it came.
    """
    return encoded(queries.tasks.page(wanted.filter(), wanted.cluster))


@router.get("/facets", summary="Count tasks by state, name, worker and queue", responses=LISTED)
def facets(queries: Reads, wanted: Annotated[Wanted, Query()]) -> FacetsView:
    """Return how many of the matching tasks have which value."""
    return queries.tasks.facets(wanted.filter(), wanted.cluster)


@router.get("/histogram", summary="Count found tasks by time and state", responses=LISTED)
def histogram(queries: Reads, wanted: Annotated[WantedHistogram, Query()]) -> HistogramView:
    """Return the matching tasks by the time that they were first heard of; the last day, unless said otherwise."""
    return queries.tasks.histogram(wanted.filter(), wanted.cluster, step_s=wanted.step_s, bars=wanted.buckets)


@router.get("/counts", summary="Count what happened, step by step", responses=LISTED)
def counts(
    queries: Reads,
    cluster: Cluster = None,
    since: Since = None,
    until: Until = None,
    step_s: Annotated[
        int | None,
        Query(
            ge=60,
            le=YEAR_S,
            description="seconds of one step, in whole minutes, widened where there would be over "
            f"{MOST_STEPS}; else one for 300 steps",
        ),
    ] = None,
    name: Name = None,
) -> CountsView:
    """Return tasks received, started and ended in each step, from numbers that outlive the tasks; the last day.

    Hours are kept for `history.hour_days` (400), minutes for `history.minute_days` (14): before that, steps that are no
    whole hours are empty.
    """
    return queries.charts.counts(cluster, since=since, until=until, step_s=step_s, name=name)


@router.get("/durations", summary="Show run times and waits by task name", responses=LISTED)
def durations(
    queries: Reads,
    cluster: Cluster = None,
    since: Since = None,
    until: Until = None,
    name: Name = None,
    buckets: Annotated[bool, Query(description="with the histogram of each")] = False,
    series: Annotated[bool, Query(description="also step by step")] = False,
) -> DurationTableView:
    """Return percentiles of how long tasks ran and waited, from numbers that outlive the tasks; the last day.

    A range of up to six hours is summed by minutes, which are kept for `history.minute_days` (14); a longer one by hours.
    One whose numbers take more than 5 s to sum, such as a year of thousands of names, is refused with 503.
    """
    return queries.charts.durations(cluster, since=since, until=until, name=name, buckets=buckets, series=series)


@router.get("/{id:path}", summary="Show one task", responses=AMBIGUOUS)
def task(id: TaskId, queries: Reads, cluster: Cluster = None) -> TaskView:
    """Return one task; a Celery id that several clusters have is a conflict whose detail lists them."""
    return queries.tasks.one(id, cluster)
