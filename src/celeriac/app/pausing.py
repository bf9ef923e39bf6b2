"""Pausing and resuming, once, for pages, API and command line alike: it holds from the keeper's next cycle on."""

import secrets
from collections.abc import Callable

from msgspec.structs import replace

from celeriac.app.access.acting import Acting, did
from celeriac.app.order_views import PauseView
from celeriac.app.sources import Sources
from celeriac.app.views import sure_moment
from celeriac.core.access import Right
from celeriac.core.errors import ConflictError
from celeriac.core.pauses import LONGEST_S, Pause
from celeriac.ports import Pauses


class Pausing:
    """The pauses that people order; the file PAUSE and the mode are no business of it, and win in any case."""

    def __init__(self, sources: Sources, pauses: Pauses, acting: Acting, clock: Callable[[], float]) -> None:
        self._sources, self._pauses, self._acting, self._clock = sources, pauses, acting, clock

    def standing(self, cluster: str | None = None) -> list[PauseView]:
        """Return the pauses that hold now, of all clusters or for one."""
        self._sources.chosen(cluster)
        found = self._pauses.standing(self._clock())
        return [
            pause_view(one)
            for one in found
            if (one.cluster is None or one.cluster in self._sources) and (cluster is None or one.holds(cluster))
        ]

    def text(self, cluster: str) -> str | None:
        """Return what to say of the pause that holds for a cluster, if one does."""
        return next((one.text for one in self._pauses.standing(self._clock()) if one.holds(cluster)), None)

    def pause(self, why: str, for_s: float, cluster: str | None = None) -> PauseView:
        """Let nothing be restarted for so long, on one cluster or on all."""
        self._sources.chosen(cluster)
        self._acting.need(Right.REMEDIES, "pause", cluster)
        now = self._clock()
        one = Pause(secrets.token_hex(10), cluster, why, self._acting.actor.called, now, now + min(for_s, LONGEST_S))
        self._note(one, "pause", f"for {for_s:.0f} s")
        self._pauses.begin(one)
        return pause_view(one)

    def resume(self, cluster: str | None = None) -> list[PauseView]:
        """End every pause that stands, or those of one cluster; raises ConflictError where there is none to end."""
        self._sources.chosen(cluster)
        self._acting.need(Right.REMEDIES, "resume", cluster)
        standing = self._pauses.standing(self._clock())
        mine = [one for one in standing if cluster is None or one.cluster == cluster]
        if not mine:
            raise ConflictError(_nothing(cluster, standing))
        for one in mine:
            self._note(one, "resume", f"pause {one.id}")
            self._pauses.end(one.id, self._clock(), self._acting.actor.called)
        return [pause_view(one) for one in mine]

    def _note(self, pause: Pause, action: str, detail: str) -> None:
        target = pause.cluster or "all clusters"
        self._acting.note(replace(did(action, target, detail, pause.cluster), why=pause.why))


def _nothing(cluster: str | None, standing: tuple[Pause, ...]) -> str:
    if any(one.cluster is None for one in standing):
        return f"{cluster} is paused together with all clusters: resume all of them."
    where = f"{cluster} is" if cluster else "Nothing is"
    return f"{where} {'not ' if cluster else ''}paused here; a file PAUSE is ended by removing it."


def pause_view(one: Pause) -> PauseView:
    """Return a pause as people see it."""
    return PauseView(one.id, one.cluster, one.why, one.actor, sure_moment(one.at), sure_moment(one.until))
