"""What people and programs see: the shapes that pages, API and client share (times are aware, ids opaque and URL-safe)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.model import Mode, Status, Verdict


@dataclass(frozen=True, slots=True)
class InstanceView:
    """The platform instance that a worker runs in."""

    platform: str
    app: str
    process: str
    index: int
    guid: str | None
    state: str


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker: its place, the newest incarnation there, and the keeper's verdict."""

    id: str
    cluster: str
    name: str
    node: str | None
    status: Status
    verdict: Verdict
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
    instance: InstanceView | None
    software: str | None
    incident: str | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with Celery's states; `args`, `kwargs` and `result` are the reprs that the events carry."""

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
    eta: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """One line of proof; `rules_out` names the alternative that it excludes."""

    signal: str
    reading: str
    at: datetime
    rules_out: str | None


@dataclass(frozen=True, slots=True)
class StepView:
    """One line of an incident's story."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One worker's story; `worker` is the worker's id, `worker_name` what people call it."""

    id: str
    cluster: str
    worker: str
    worker_name: str
    verdict: Verdict
    state: IncidentState
    held_reason: HeldReason | None
    opened_at: datetime
    resolved_at: datetime | None
    evidence: list[EvidenceView]
    steps: list[StepView]
    remedy: RemedyKind
    approvable: bool


@dataclass(frozen=True, slots=True)
class RemedyView:
    """A requested or running remedy; ask for its incident to see how it ends."""

    id: str
    cluster: str
    worker: str
    kind: RemedyKind
    state: RemedyState
    incident: str | None
    asked_at: datetime
    actor: str
    note: str | None


@dataclass(frozen=True, slots=True)
class AppInstanceView:
    """One index of an app with the platform's state and our verdict side by side."""

    process: str
    index: int
    guid: str | None
    state: str
    uptime_s: float | None
    details: str | None
    worker: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class AppView:
    """A watched app as the platform reports it."""

    id: str
    cluster: str
    platform: str
    name: str
    state: str
    instances: list[AppInstanceView]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One cluster at a glance; `blind` says why silence proves nothing now, `problems` which sources fail."""

    id: str
    name: str
    broker: str
    mode: Mode
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


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether Celeriac can do its work now; `problems` is empty when it is ready."""

    ready: bool
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Headline:
    """The one line on top of the console: how things are, and since when."""

    tone: str  # good | attention | bad | blind
    text: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tasks and the cursor of the next one, newest first."""

    items: list[TaskView] = field(default_factory=list)
    next: str | None = None


def moment(at: float | None) -> datetime | None:
    """Return seconds since the epoch as an aware datetime."""
    return None if at is None else datetime.fromtimestamp(at, UTC)
