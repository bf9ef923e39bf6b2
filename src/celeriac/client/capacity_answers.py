"""What the API answers about an app's capacity."""

from datetime import datetime

from msgspec import Struct


class BusyHour(Struct, frozen=True):
    """One hour; of what no minute was seen, nothing is known."""

    at: datetime
    minutes: int
    busy: float | None
    most: float | None
    slots: float | None
    waiting: int | None


class Peak(Struct, frozen=True):
    """The busiest minute."""

    at: datetime
    busy: float
    slots: float
    instances: int
    waiting: int | None


class Measured(Struct, frozen=True):
    """What the tasks around the peak tell; an `_scv` is a squared coefficient of variation."""

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


class Expected(Struct, frozen=True):
    """What so many instances would make of the peak's load; a wait of None would grow without end."""

    instances: int
    slots: int
    utilisation: float
    mean_wait_s: float | None
    p95_wait_s: float | None
    now: bool


class ProcessCapacity(Struct, frozen=True):
    """One process type of an app; where `needed` is None, `unknown` says why."""

    process: str
    advice: str
    instances: int
    slots_per_instance: int | None
    seen_s: float
    seen: str
    last_at: datetime
    peak: Peak
    measured: Measured
    needed: int | None
    spare: int | None
    unknown: str | None
    doubts: list[str]
    expected: list[Expected]
    hours: list[BusyHour]


class Quota(Struct, frozen=True):
    """What quotas leave, in words too."""

    instances_left: int | None
    text: str


class Capacity(Struct, frozen=True):
    """An app's capacity, as advice: nothing is scaled."""

    id: str
    cluster: str
    name: str
    wait_s: float
    share: float
    since: datetime
    until: datetime
    advice: str
    quota: Quota
    processes: list[ProcessCapacity]
