"""The restarts made lately and those of this very cycle: what cool-down, budget and breaker are counted on."""

from celeriac.core.changes import Change
from celeriac.core.incident import Remedy, RemedyKind, RemedyState, Strategy
from celeriac.core.model import Place

MADE = frozenset({RemedyState.INTENDED, RemedyState.ACTED, RemedyState.VERIFIED, RemedyState.UNVERIFIED})
RUNNING = frozenset({RemedyState.INTENDED, RemedyState.ACTED})
HOUR_S = 3600.0
OURS_WITHIN_S = 300.0
"""How far the platform's clock may be from ours when it tells of what we did."""


class Ledger:
    """Remedies by id; the same id counts once. One that was tried and given up may have reached the platform all the same."""

    def __init__(self, remedies: tuple[Remedy, ...]) -> None:
        self._made = {one.id: one for one in remedies if one.state in MADE and _restarts(one)}
        self._mended = {one.id: one for one in remedies if one.state in MADE and not _restarts(one)}
        self._tried = {one.id: one for one in remedies if one.attempts}

    def add(self, remedy: Remedy) -> None:
        """Count a restart; the same id counts once."""
        (self._made if _restarts(remedy) else self._mended)[remedy.id] = self._tried[remedy.id] = remedy

    def mended_at(self, place: Place) -> float | None:
        """Return when this worker was repaired last."""
        return max((_at(one) for one in self._mended.values() if one.place == place), default=None)

    def last_at(self, place: Place) -> float | None:
        """Return when this place was restarted last."""
        made = (one for one in self._made.values() if one.place.container == place.container)
        return max((_at(one) for one in made), default=None)

    def recycles(self, place: Place, now: float, within_s: float) -> int:
        """Return how often this place was recycled within so many seconds."""
        made = (one for one in self._made.values() if one.kind is RemedyKind.RECYCLE)
        return sum(one.place.container == place.container and now - _at(one) < within_s for one in made)

    def stops(self, guid: str | None) -> bool:
        """Tell whether a restart of this very instance is under way."""
        return guid is not None and any(one.guid == guid and one.state in RUNNING for one in self._made.values())

    def without(self, remedy: Remedy) -> "Ledger":
        """Return the ledger as if this restart had not been decided yet."""
        ledger = Ledger(tuple(self._tried.values()))
        ledger._made = {id: one for id, one in self._made.items() if id != remedy.id}
        ledger._mended = {id: one for id, one in self._mended.items() if id != remedy.id}
        return ledger

    def running(self, app: tuple[str | None, str | None]) -> int:
        """Return how many restarts of this app (platform, name) are under way."""
        return sum(one.state in RUNNING for one in self._of(app))

    def under_way(self) -> int:
        """Return how many restarts of this cluster are under way."""
        return sum(one.state in RUNNING for one in self._made.values())

    def within_hour(self, now: float) -> int:
        """Return how many restarts the keeper made by itself within the last hour."""
        made = (one for one in self._made.values() if not one.by_person)
        return sum(_at(one) > now - HOUR_S for one in made)

    def unproven(self, app: tuple[str | None, str | None], now: float) -> int:
        """Return how many restarts of this app did not prove well within the last hour, since a person acted last."""
        acted = max((_at(one) for one in self._of(app) if one.by_person), default=0.0)
        since = max(now - HOUR_S, acted)
        failed = (one for one in self._of(app) if one.state is RemedyState.UNVERIFIED)
        return sum((one.ended_at or _at(one)) > since for one in failed)

    def explains(self, change: Change) -> bool:
        """Tell whether this change is one of our own restarts, as the platform tells of it."""
        if not change.own:
            return False
        return any(
            abs(_at(one) - change.at) <= OURS_WITHIN_S and _is_of(one, change)
            for one in self._tried.values()
            if (one.place.platform, one.place.app) == (change.platform, change.app)
        )

    def _of(self, app: tuple[str | None, str | None]) -> list[Remedy]:
        return [one for one in self._made.values() if (one.place.platform, one.place.app) == app]


_NO_RESTARTS = frozenset({RemedyKind.LIVE_REPAIR, RemedyKind.SCALE})


def _restarts(remedy: Remedy) -> bool:
    """Tell a restart from a live repair, which stops nothing, and from scaling, which restarts nothing."""
    return remedy.kind not in _NO_RESTARTS


def _at(remedy: Remedy) -> float:
    return remedy.acted_at or remedy.asked_at


def _is_of(remedy: Remedy, change: Change) -> bool:
    """Each order shows as what it is for: one instance, the whole app, or one process; no other remedy shows as a change."""
    about = (change.process, change.index)
    if remedy.kind is RemedyKind.RESTART_APP:
        return remedy.strategy is Strategy.ALL_AT_ONCE and about == (None, None)
    if remedy.scale is not None:
        return about == (remedy.scale.process, None)
    return remedy.kind is RemedyKind.RESTART_INSTANCE and (remedy.place.process, remedy.place.index) == about
