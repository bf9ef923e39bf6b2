"""Reads what people do to the watched apps: seldom while all is well, as often as the platform while something is wrong."""

from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor

from celeriac.app.asking import Asked
from celeriac.core.arrivals import Arrivals, Shown, shown
from celeriac.core.changes import REMEMBERED_S, Change, Versions
from celeriac.core.model import App
from celeriac.core.readings import Known, Reading, Unknown
from celeriac.ports import Platform

CALM_EVERY_S = 60.0
WAIT_S = 1.0
KEPT_S = 30.0
"""How much older than due an answer may be: after that it is not known whether somebody is at work."""


class ChangeWatch:
    """Two requests at a time, in the platform's own threads; a slow answer is taken up by a later look."""

    def __init__(self, pool: ThreadPoolExecutor, clock: Callable[[], float], every_s: float) -> None:
        self._pool, self._clock, self._every_s = pool, clock, every_s
        self._versions, self._arrivals = Versions(), Arrivals()
        self._asked: Asked[tuple[Change, ...]] | None = None
        self._asked_at: float | None = None
        self._asked_of: Set[Shown] | None = None
        self._last: Reading[tuple[Change, ...]] = Unknown("the platform was not asked yet")

    def forget(self) -> None:
        """Keep no earlier answer, nor one that is under way."""
        self._asked = self._asked_at = None
        self._last = Unknown("the platform was not asked yet")

    def look(
        self, platform: Platform, apps: Reading[tuple[App, ...]] | None, *, wary: bool
    ) -> Reading[tuple[Change, ...]]:
        """Return what was changed within the last hour, and the versions of processes that are new."""
        if not isinstance(apps, Known):
            return self._told((), CALM_EVERY_S)
        every_s = self._every_s if wary else max(CALM_EVERY_S, self._every_s)
        now = self._clock()
        if self._asked is None and (self._asked_at is None or now - self._asked_at >= every_s):
            self._asked_at, self._asked_of = now, shown(apps)
            self._asked = Asked(self._pool.submit(lambda: platform.changes(now - REMEMBERED_S)), self._clock)
        if self._asked is not None and self._asked.done(within=WAIT_S):
            spared_s, answer, self._asked = self._asked.spared_s(), self._asked.answer(), None
            if spared_s is None or not isinstance(self._last, Known):
                self._last = self._dated(answer, self._asked_at or now)
        return self._told(self._versions.look(apps.value, now), every_s)

    @property
    def ahead_s(self) -> float:
        """Return by how many seconds at least the platform's clock is ahead of ours, as its events show."""
        return self._arrivals.ahead_s

    def _dated(self, answer: Reading[tuple[Change, ...]], asked_at: float) -> Reading[tuple[Change, ...]]:
        if isinstance(answer, Unknown):
            return answer
        return Known(self._arrivals.dated(answer.value, self._asked_of, asked_at, answer.at), answer.at)

    def _told(self, new_versions: tuple[Change, ...], every_s: float) -> Reading[tuple[Change, ...]]:
        last, now = self._last, self._clock()
        if isinstance(last, Unknown):
            return last
        if now - last.at > every_s + KEPT_S:
            return Unknown(f"no answer for {now - last.at:.0f} s", now)
        return Known((*last.value, *new_versions), last.at)
