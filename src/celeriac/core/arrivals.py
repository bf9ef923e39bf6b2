"""When what a platform tells of happened, by our own clock: the platform stamps it by another, which may be wrong.

What an answer holds for the first time has happened since the answer before it was asked for, or shortly before that, and
not after now; a stamp that says otherwise is moved to the nearest moment that can be true. Only the first answer, which
nothing stands before, has to be believed.
"""

from collections.abc import Iterable, Set
from typing import TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.changes import Change
from celeriac.core.model import App, Crash, InstanceState
from celeriac.core.places import MISSING
from celeriac.core.readings import Known, Reading

T = TypeVar("T", Crash, Change)

Shown: TypeAlias = tuple[str, str]
"""An app by its platform and name."""

LATE_S = 60.0
"""How long after it happened a platform may begin to tell of something."""

TOLD_FROM_S = 30.0
"""A platform's clock that is less wrong is not worth a word."""


class _Read(Struct, frozen=True):
    """When a thing was first read, when it happened by our clock, and how far its stamp was ahead of what can be true."""

    read_at: float
    at: float
    ahead_s: float


class Arrivals:
    """Remembers what was read, and from which apps it was asked for last."""

    def __init__(self) -> None:
        self._asked_at: dict[Shown, float] = {}
        self._read: dict[str, _Read] = {}

    def dated(self, told: Iterable[T], asked_of: Set[Shown] | None, asked_at: float, now: float) -> tuple[T, ...]:
        """Return what an answer tells, each thing with its time by our clock.

        `asked_of` names the apps that the question was about, None if that is not known: an app that was not to be seen
        may bring back what is old.
        """
        found = {one.id: (one, self._read.get(one.id) or self._first(one, now)) for one in told}
        self._read = {id: read for id, (_, read) in found.items()}
        if asked_of is not None:
            self._asked_at = dict.fromkeys(asked_of, asked_at)
        return tuple(replace(one, at=read.at) for one, read in found.values())

    @property
    def ahead_s(self) -> float:
        """Return by how many seconds at least the platform's clock is ahead, by what was read last; below 0 if behind."""
        return max(self._read.values(), key=lambda one: one.read_at, default=_Read(0.0, 0.0, 0.0)).ahead_s

    def _first(self, one: Crash | Change, now: float) -> _Read:
        asked_at = self._asked_at.get((one.platform, one.app))
        earliest = one.at if asked_at is None else asked_at - LATE_S
        at = min(now, max(one.at, earliest))
        return _Read(now, at, one.at - at)


def clock_note(ahead_s: float) -> str | None:
    """Return what people are told of a platform's clock, or None if it is not known to be wrong."""
    if abs(ahead_s) < TOLD_FROM_S:
        return None
    way = "ahead of" if ahead_s > 0 else "behind"
    how = f"at least {abs(ahead_s):.0f} s {way} ours"
    return f"the platform's clock is {how}: its events count from when they were first read"


def shown(apps: Reading[tuple[App, ...]] | None) -> Set[Shown] | None:
    """Return the apps that the platform shows, with its name; None if that is not known.

    Of one whose instances are only as last known nothing was asked.
    """
    if not isinstance(apps, Known):
        return set() if apps is None else None
    return {(one.platform, one.name) for one in apps.value if one.state != MISSING and not _unread(one)}


def _unread(app: App) -> bool:
    return any(one.state is InstanceState.UNKNOWN for one in app.instances)
