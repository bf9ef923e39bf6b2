"""What the API answers about what is kept beside an incident."""

from datetime import datetime

from msgspec import Struct


class Casualty(Struct, frozen=True):
    """A task that was in flight when its worker died, and its fate."""

    id: str
    name: str | None
    worker: str
    queue: str | None
    state: str
    at: datetime
    fate: str
    why: str


class Casualties(Struct, frozen=True):
    """The tasks in flight of one incident, the lost ones first; while it is `watched`, fates may change."""

    incident: str
    watched: bool
    looked_at: datetime | None
    counts: dict[str, int]
    doubts: list[str]
    items: list[Casualty]


class Line(Struct, frozen=True):
    """One line of an exhibit."""

    text: str
    at: datetime | None = None


class Exhibit(Struct, frozen=True):
    """What one source gave; `why` says why it gave nothing, or not all."""

    source: str
    read_at: datetime
    why: str | None
    lines: list[Line]


class Kept(Struct, frozen=True):
    """What was kept of a worker before it was killed, or after it had crashed."""

    incident: str
    kept_at: datetime
    exhibits: list[Exhibit]
