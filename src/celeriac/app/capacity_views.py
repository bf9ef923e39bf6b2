"""What people see of an app's capacity: how busy it was, what its peak needs, and what it rests on."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BusyHourView:
    """One hour; of what no minute was seen, nothing is known: null is no zero.

    `busy` and `slots` are means, `most` is the mean of its busiest minute, `waiting` the most messages in its queues.
    """

    at: datetime
    minutes: int
    busy: float | None
    most: float | None
    slots: float | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class PeakView:
    """The busiest minute: `busy` of `slots` on average; `waiting` is the most messages in its queues, null if not known."""

    at: datetime
    busy: float
    slots: float
    instances: int
    waiting: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredView:
    """What the tasks around the peak tell, from `since` to `until`; null is what they do not.

    `slot_s` is how long a task holds a slot; an `_scv` is a squared coefficient of variation (variance / mean²): 1 is what
    chance alone gives. `busy` are the slots that were busy by heartbeats, `explained` those that the tasks account for.
    """

    since: datetime
    until: datetime
    tasks: int
    arriving_per_s: float
    arrival_scv: float | None
    slot_s: float | None
    slot_scv: float | None
    wait_p50_s: float | None
    wait_p95_s: float | None
    sent_share: float
    busy: float
    explained: float
    complete: bool


@dataclass(frozen=True, slots=True)
class ExpectedView:
    """What so many instances would make of the peak's load; a wait of null would grow without end."""

    instances: int
    slots: int
    utilisation: float
    mean_wait_s: float | None
    p95_wait_s: float | None
    now: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCapacityView:
    """One process type of an app. `needed` instances keep the objective at the peak, `spare` do with one of them lost.

    Where the measurements do not carry an answer these are null, and `unknown` says why; `doubts` makes figures less sure.
    `seen_s` is how much of the range was seen.
    """

    process: str
    advice: str
    instances: int
    slots_per_instance: int | None
    seen_s: float
    seen: str
    last_at: datetime
    peak: PeakView
    measured: MeasuredView
    needed: int | None
    spare: int | None
    unknown: str | None
    doubts: list[str]
    expected: list[ExpectedView]
    hours: list[BusyHourView]


@dataclass(frozen=True, slots=True)
class QuotaView:
    """What quotas leave: `instances_left` is null where none bounds them or it is not known; `text` says it in words."""

    instances_left: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityView:
    """An app's capacity, as advice: nothing is scaled. `wait_s` is the objective for `share` of the tasks."""

    id: str
    cluster: str
    name: str
    wait_s: float
    share: float
    since: datetime
    until: datetime
    advice: str
    quota: QuotaView
    processes: list[ProcessCapacityView]
