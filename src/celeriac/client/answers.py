"""What the API answers, as typed values; a field that a newer console adds is ignored, times are aware."""

from datetime import datetime

from msgspec import Struct


class Instance(Struct, frozen=True):
    """The platform instance that a worker runs in."""

    platform: str
    app: str
    process: str
    index: int
    guid: str | None
    state: str


class Worker(Struct, frozen=True):
    """A worker with its verdict."""

    id: str
    cluster: str
    name: str
    node: str | None
    status: str
    verdict: str
    suspect: bool
    notes: list[str]
    last_heartbeat_at: datetime | None
    heartbeat_age_s: float | None
    pid: int | None
    pool: str | None
    concurrency: int | None
    active: int | None
    processed: int | None
    queues: list[str]
    instance: Instance | None
    software: str | None = None
    incident: str | None = None


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
    traceback: str | None = None


class TaskPage(Struct, frozen=True):
    """Tasks, newest first, and the cursor of the next page."""

    items: list[Task]
    next: str | None = None


class Evidence(Struct, frozen=True):
    """One line of proof."""

    signal: str
    reading: str
    at: datetime
    rules_out: str | None = None


class Step(Struct, frozen=True):
    """One line of an incident's story."""

    at: datetime
    kind: str
    text: str


class Incident(Struct, frozen=True):
    """One worker's story."""

    id: str
    cluster: str
    worker: str
    worker_name: str
    verdict: str
    state: str
    held_reason: str | None
    opened_at: datetime
    resolved_at: datetime | None
    evidence: list[Evidence]
    steps: list[Step]
    remedy: str
    approvable: bool = False


class Remedy(Struct, frozen=True):
    """An order and how far it is."""

    id: str
    cluster: str
    worker: str
    kind: str
    state: str
    incident: str | None
    asked_at: datetime
    actor: str
    note: str | None = None


class AppInstance(Struct, frozen=True):
    """One index of an app: the platform's state and Celeriac's verdict."""

    process: str
    index: int
    guid: str | None
    state: str
    uptime_s: float | None
    details: str | None
    worker: str | None
    verdict: str | None


class App(Struct, frozen=True):
    """A watched app."""

    id: str
    cluster: str
    platform: str
    name: str
    state: str
    instances: list[AppInstance]


class Cluster(Struct, frozen=True):
    """One cluster at a glance."""

    id: str
    name: str
    broker: str
    mode: str
    paused: str | None
    blind: str | None
    problems: list[str]
    observed_at: datetime | None
    judged_at: datetime | None
    sentence: str
    workers: int
    verdicts: dict[str, int]
    open_incidents: int
    events: int
    malformed: int
    reconnects: int
