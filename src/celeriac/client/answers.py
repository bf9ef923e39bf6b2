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
    """A worker with its verdict; `passes` are the reasons that hold the keeper now, and that a person's restart passes.

    `not_recyclable` says why it cannot be recycled; it is None where it can.
    """

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
    passes: list[str] = []
    not_recyclable: str | None = None


class Queue(Struct, frozen=True):
    """A queue as of its newest sample; what is not known is None, and `unknown` says why, by field."""

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


class QueueSample(Struct, frozen=True):
    """One look at a queue."""

    at: datetime
    depth: int
    ready: dict[int, int]
    unacked: int | None
    consumers: int | None
    arriving_per_s: float | None
    completing_per_s: float | None
    oldest_s: float | None


class Gap(Struct, frozen=True):
    """Something that cannot be seen, why, and the setting that would show it, if there is one."""

    what: str
    why: str
    setting: str | None
    workers: list[str]


class Observation(Struct, frozen=True):
    """How well one cluster is heard; `troubles` is empty while it is heard well."""

    cluster: str
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
    troubles: list[str]
    coverage: list[Gap]


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
    """One worker's story; `passes` are the reasons that its approval passes now.

    `turns` names, for the restart of an app, all instances that it restarts, in their order.
    """

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
    repair: str | None = None
    approvable: bool = False
    holdable: bool = False
    closable: bool = False
    held_by: str | None = None
    held_why: str | None = None
    critical: bool = False
    passes: list[str] = []
    turns: list[str] = []
    app: str | None = None


class Order(Struct, frozen=True):
    """What somebody wants to be done with an incident (hold, release, close), and how far that is."""

    id: str
    cluster: str
    incident: str
    kind: str
    state: str
    asked_at: datetime
    actor: str
    reason: str
    note: str | None = None


class Pause(Struct, frozen=True):
    """A pause that stands; without a cluster it is for all."""

    id: str
    cluster: str | None
    reason: str
    actor: str
    at: datetime
    until: datetime


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


class Decision(Struct, frozen=True):
    """One restart that would have been made in `auto`; `false` tells that it would have been for nothing."""

    incident: str
    cluster: str
    worker: str
    worker_name: str
    verdict: str
    at: datetime
    outcome: str
    false: bool
    ill_s: float
    last: str


class Report(Struct, frozen=True):
    """What would have been restarted in `auto`, and what became of it without."""

    since: datetime
    until: datetime
    modes: dict[str, str]
    incidents: int
    complete: bool
    would_have_restarted: int
    right: int
    false: int
    open_ended: int
    saved_s: float
    outcomes: dict[str, int]
    held: dict[str, int]
    decisions: list[Decision]


class Cluster(Struct, frozen=True):
    """One cluster at a glance."""

    id: str
    name: str
    broker: str
    mode: str
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
