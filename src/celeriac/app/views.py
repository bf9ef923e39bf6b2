"""What people and programs see: the shapes that pages, API and client share (times are aware, ids opaque and URL-safe)."""

from dataclasses import dataclass
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
    """A worker: its place, the newest incarnation there, and the keeper's verdict.

    `passes` are the reasons that hold the keeper now, and that a person's own restart passes. `not_recyclable` says why it
    cannot be recycled; it is null where it can.
    """

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
    passes: list[str]
    not_recyclable: str | None


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
    """One worker's story; `worker` is the worker's id, `worker_name` what people call it.

    `repair` is what a live repair does, in words. `passes` are the reasons that an approval passes now. A `critical` one is
    of the whole cluster. `turns` names, for the restart of an app, all instances that it restarts, in their order.
    """

    id: str
    cluster: str
    app: str | None
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
    repair: str | None
    approvable: bool
    holdable: bool
    closable: bool
    held_by: str | None
    held_why: str | None
    critical: bool
    passes: list[str]
    turns: list[str]


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
class ClusterView:
    """One cluster at a glance; `blind` says why silence proves nothing now, `problems` which sources fail.

    `notes` are true of the cluster and need no verdict, as that a periodic task is missed.
    """

    id: str
    name: str
    broker: str
    mode: Mode
    paused: str | None
    blind: str | None
    problems: list[str]
    notes: list[str]
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
class GapView:
    """Something that cannot be seen of a cluster, why, and the setting that would show it, if there is one."""

    what: str
    why: str
    setting: str | None
    workers: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HearingView:
    """What an observer says of itself; losses count from the beginning of its history, across restarts.

    `events_lost_estimate` and `tasks_lost` are known to be lost, `dropped` found no room while the store took nothing.
    `cuts` counts connections that the broker ended, `gaps` the times that a part of the stream was missing. `error` says
    why the cluster is not heard now, `store_error` why the store takes nothing.
    """

    reader: str
    events_seen: int
    events_lost_estimate: int
    tasks_lost: int
    malformed: int
    refused: int
    dropped: int
    unknown_types: int
    reconnects: int
    cuts: int
    gaps: int
    lag_s: float | None
    last_event_at: datetime | None
    last_event_age_s: float | None
    observed_at: datetime | None
    backlog_bytes: int
    rows_written: int
    error: str | None
    store_error: str | None
    flowing_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationView(HearingView):
    """How well one cluster is heard: what its observer says of itself, and what follows from that.

    `troubles` says in sentences what makes the rest incomplete or old: who has none hears well.
    """

    cluster: str
    troubles: list[str]
    coverage: list[GapView]


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue as of its newest sample; what is not known is null, and `unknown` says why, by field.

    `ready` counts waiting messages by priority. `consumers_by` says who counted the consumers: the `broker`, or, where
    it cannot tell, `workers`: the online workers that said that they consume this queue.
    """

    id: str
    cluster: str
    name: str
    depth: int
    ready: dict[int, int]
    unacked: int | None
    consumers: int | None
    consumers_by: str | None
    arriving_per_s: float | None
    completing_per_s: float | None
    oldest_s: float | None
    oldest_how: str | None
    unknown: dict[str, str]
    unconsumed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class QueueSampleView:
    """One look at a queue."""

    at: datetime
    depth: int
    ready: dict[int, int]
    unacked: int | None
    consumers: int | None
    arriving_per_s: float | None
    completing_per_s: float | None
    oldest_s: float | None


def sure_moment(at: float) -> datetime:
    """Return seconds since the epoch as an aware datetime."""
    return datetime.fromtimestamp(at, UTC)


def moment(at: float | None) -> datetime | None:
    """Return the same of what may not have happened."""
    return None if at is None else sure_moment(at)
