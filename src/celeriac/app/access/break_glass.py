"""The uses of the break-glass account, made visible: everybody who has signed on sees them until an administrator has."""

from collections.abc import Callable

from celeriac.access_ports import BreakGlass, BreakGlassUse
from celeriac.app.access.acting import Acting, done
from celeriac.app.access.audit_views import BreakGlassUseView
from celeriac.app.views import moment, sure_moment
from celeriac.core.access import Means, Right
from celeriac.core.errors import ConflictError, DeniedError, MissingError

MOST_SHOWN = 20
SEEING = "mark a break-glass sign-on as seen"


class BreakGlassUses:
    """One actor's view of them."""

    def __init__(self, kept: BreakGlass, acting: Acting, clock: Callable[[], float]) -> None:
        self._kept, self._acting, self._clock = kept, acting, clock

    def unseen(self) -> list[BreakGlassUseView]:
        """Return those that no administrator has seen yet, the newest first, at most `MOST_SHOWN`."""
        return [_view(one) for one in self._kept.uses(unseen_only=True, limit=MOST_SHOWN)]

    def all(self, limit: int = 100) -> list[BreakGlassUseView]:
        """Return the newest ones, also those that were seen."""
        return [_view(one) for one in self._kept.uses(limit=limit)]

    def may_see_off(self) -> bool:
        """Tell whether the actor may mark one as seen: an administrator may who has not come through break-glass."""
        return self._acting.may(Right.ADMINISTER) and self._acting.actor.means is not Means.BREAK_GLASS

    def seen(self, id: str) -> BreakGlassUseView:
        """Keep that the actor has seen one; raises DeniedError, MissingError, and ConflictError where it was seen before."""
        self._acting.need(Right.ADMINISTER, SEEING)
        use = self._found(id)
        if self._acting.actor.means is Means.BREAK_GLASS or self._acting.actor.subject == use.name:
            text = "Another administrator must see this sign-on: the break-glass account cannot vouch for itself."
            self._acting.deny(SEEING, use.name, text)
            raise DeniedError(text)
        if use.seen_at is not None:
            raise ConflictError(f"{use.seen_by} has seen this sign-on already.")
        said = f"its sign-on from {use.address} at {sure_moment(use.at):%Y-%m-%d %H:%M:%S} UTC, {use.id}"
        self._acting.note(done("see break-glass sign-on", use.name, said))
        now, by = self._clock(), self._acting.actor.called
        if not self._kept.seen(id, now, by):
            raise ConflictError("Somebody else has seen this sign-on meanwhile.")
        return _view(BreakGlassUse(use.id, use.at, use.name, use.address, now, by))

    def _found(self, id: str) -> BreakGlassUse:
        found = next((one for one in self._kept.uses(limit=10_000) if one.id == id), None)
        if found is None:
            raise MissingError(f"No break-glass sign-on {id!r} is known.")
        return found


def _view(use: BreakGlassUse) -> BreakGlassUseView:
    return BreakGlassUseView(use.id, sure_moment(use.at), use.name, use.address, moment(use.seen_at), use.seen_by)
