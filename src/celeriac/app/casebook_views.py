"""What people see of what is kept beside an incident: tasks that were in flight, and evidence."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CasualtyView:
    """A task that was in flight when its worker died; `state` is what the worker had said last of it, at `at`."""

    id: str
    name: str | None
    worker: str
    queue: str | None
    state: str
    at: datetime
    fate: str
    why: str


@dataclass(frozen=True, slots=True)
class CasualtiesView:
    """The tasks of one incident: the lost ones first.

    `counts` holds how many there are of each fate, and how many are not named; `doubts` say why others may have been in
    flight too. While it is `watched`, fates may change.
    """

    incident: str
    watched: bool
    looked_at: datetime | None
    counts: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    items: list[CasualtyView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of an exhibit; `at` is when it was made, where that is known."""

    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ExhibitView:
    """What one source gave; `why` says why it gave nothing, or not all."""

    source: str
    read_at: datetime
    why: str | None
    lines: list[LineView]


@dataclass(frozen=True, slots=True)
class KeptView:
    """What was kept of a worker before it was killed, or after it had crashed."""

    incident: str
    kept_at: datetime
    exhibits: list[ExhibitView]
