"""What people and programs see of tasks and of their numbers (times are aware, ids opaque and URL-safe)."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)  # a page makes hundreds, and making a frozen one takes three times as long
class TaskView:
    """A task with Celery's states; `args`, `kwargs` and `result` are the reprs that the events carry.

    Where `payloads_hidden` is true the reader has no right to see these three.
    """

    id: str
    cluster: str
    uuid: str
    name: str | None
    state: str
    args: str | None
    kwargs: str | None
    result: str | None
    payloads_hidden: bool
    exception: str | None
    worker: str | None
    queue: str | None
    sent_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    runtime_s: float | None
    wait_s: float | None
    retries: int | None
    root_id: str | None
    parent_id: str | None
    eta: str | None
    expires: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class LeftOutView:
    """A cluster that an answer leaves out, as its history cannot be read now."""

    cluster: str
    why: str


@dataclass(frozen=True, slots=True)
class TaskPageView:
    """Tasks, newest first, with the cursors of the older page (`next`) and of the newer one (`previous`).

    Where the look took too long, all was searched up to `searched_to`, and the cursor in that direction goes on from there.
    """

    items: list[TaskView]
    next: str | None = None
    previous: str | None = None
    searched_to: datetime | None = None
    left_out: list[LeftOutView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FacetsView:
    """How many of the matching tasks have which value; `complete` is false where not all were counted.

    That is so where time ran out, and where a cluster is left out.
    """

    states: dict[str, int]
    names: dict[str, int]
    workers: dict[str, int]
    queues: dict[str, int]
    complete: bool
    left_out: list[LeftOutView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StepCountsView:
    """How many tasks came in one step, by state; nothing is filled in where nothing was heard."""

    at: datetime
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class HistogramView:
    """The matching tasks by the time that they were first heard of, and by the state that they are in now."""

    since: datetime
    until: datetime
    step_s: int
    items: list[StepCountsView]
    complete: bool
    left_out: list[LeftOutView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CountsView:
    """What happened in each step: tasks received, started, ended and how. These numbers outlive the tasks.

    A step that is no multiple of an hour is made of minutes, which are kept for fewer days than hours: older steps are empty.
    """

    since: datetime
    until: datetime
    step_s: int
    items: list[StepCountsView]
    left_out: list[LeftOutView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BucketView:
    """How many durations are at least `from_s` and less than `to_s`, both in seconds."""

    from_s: float
    to_s: float
    number: int


@dataclass(frozen=True, slots=True)
class PercentilesView:
    """Durations in seconds that 50, 95 and 99 of 100 tasks do not exceed, within 5 %; `number` tasks were measured."""

    number: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    buckets: list[BucketView] | None = None


@dataclass(frozen=True, slots=True)
class DurationsView:
    """The tasks of one name: how many reached which state, how long successes ran, how long all waited to begin."""

    name: str
    counts: dict[str, int]
    runtime: PercentilesView
    wait: PercentilesView


@dataclass(frozen=True, slots=True)
class StepDurationsView:
    """Run times and waits in one step."""

    at: datetime
    runtime: PercentilesView
    wait: PercentilesView


@dataclass(frozen=True, slots=True)
class DurationTableView:
    """Run times and waits by task name; with `series`, also step by step for the name asked for, or for all."""

    since: datetime
    until: datetime
    items: list[DurationsView]
    step_s: int | None = None
    series: list[StepDurationsView] | None = None
    left_out: list[LeftOutView] = field(default_factory=list)
