"""What the API answers of tasks and their numbers, as typed values; times are aware."""

from datetime import datetime

from msgspec import Struct


class Task(Struct, frozen=True):
    """A task with Celery's state; `args`, `kwargs` and `result` are text as Celery's events carry it."""

    id: str
    cluster: str
    uuid: str
    name: str | None
    state: str
    args: str | None
    kwargs: str | None
    result: str | None
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
    eta: str | None = None
    expires: str | None = None
    traceback: str | None = None
    payloads_hidden: bool = False


class LeftOut(Struct, frozen=True):
    """A cluster that an answer leaves out, as its history cannot be read."""

    cluster: str
    why: str


class TaskPage(Struct, frozen=True):
    """Tasks, newest first, and the cursors of the older page (`next`) and of the newer one (`previous`).

    Where a search took too long, all was looked at up to `searched_to`, and the cursor goes on from there.
    """

    items: list[Task]
    next: str | None = None
    previous: str | None = None
    searched_to: datetime | None = None
    left_out: list[LeftOut] = []


class Facets(Struct, frozen=True):
    """How many tasks have which value, the most frequent first; not `complete` where not all were counted."""

    states: dict[str, int]
    names: dict[str, int]
    workers: dict[str, int]
    queues: dict[str, int]
    complete: bool = True
    left_out: list[LeftOut] = []


class StepCounts(Struct, frozen=True):
    """How many tasks one step has, by state."""

    at: datetime
    counts: dict[str, int]


class Histogram(Struct, frozen=True):
    """Tasks by time and state; not `complete` where not all were counted."""

    since: datetime
    until: datetime
    step_s: int
    items: list[StepCounts]
    complete: bool = True
    left_out: list[LeftOut] = []


class Counts(Struct, frozen=True):
    """What happened in each step: tasks received, started, ended and how."""

    since: datetime
    until: datetime
    step_s: int
    items: list[StepCounts]
    left_out: list[LeftOut] = []


class Bucket(Struct, frozen=True):
    """How many durations lie between two bounds, in seconds."""

    from_s: float
    to_s: float
    number: int


class Percentiles(Struct, frozen=True):
    """Durations in seconds that 50, 95 and 99 of 100 tasks do not exceed."""

    number: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    buckets: list[Bucket] | None = None


class Durations(Struct, frozen=True):
    """How long the tasks of one name ran, and waited to begin."""

    name: str
    counts: dict[str, int]
    runtime: Percentiles
    wait: Percentiles


class StepDurations(Struct, frozen=True):
    """Run times and waits in one step."""

    at: datetime
    runtime: Percentiles
    wait: Percentiles


class DurationTable(Struct, frozen=True):
    """Run times and waits by task name, and step by step where that was asked for."""

    since: datetime
    until: datetime
    items: list[Durations]
    step_s: int | None = None
    series: list[StepDurations] | None = None
    left_out: list[LeftOut] = []
