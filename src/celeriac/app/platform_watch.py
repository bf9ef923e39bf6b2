"""The platform as it is read again and again: one read at a time, in a thread of its own, its last answer kept for a while."""

from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from celeriac.app.asking import SOURCE_LIMIT_S, Asked
from celeriac.core.arrivals import Arrivals, Shown, shown
from celeriac.core.model import App, Crash, Place
from celeriac.core.readings import Known, Reading, Unknown
from celeriac.core.snapshot import Lived
from celeriac.ports import Platform

T = TypeVar("T")

WAIT_S = 3.0
KEPT_S = 30.0
"""How long the platform's last answer serves while its next one is under way; an act reads the index again anyway."""

SPARED_S = 120.0
"""How long it serves while the platform is not asked, to spare it: longer polls must not make the keeper blind."""

LONGEST_S = 60.0
CRASHES_BACK_S = 900.0
CLOCKS_APART_S = 900.0
"""How far the platform's clock may be behind ours for its crashes to be found all the same."""

REMEMBER_EVERY_S = 3600.0


class PlatformWatch:
    """Reads the apps of one cluster when they are due; `platform` is None where none is configured."""

    def __init__(
        self,
        cluster: str,
        platform: Platform | None,
        clock: Callable[[], float],
        *,
        every_s: float,
        on_suspicion_s: float,
    ) -> None:
        self._cluster, self._platform, self._clock = cluster, platform, clock
        self._every_s, self._on_suspicion_s = every_s, on_suspicion_s
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"platform-{cluster}")
        self._reading: tuple[Asked[tuple[App, ...]], Asked[tuple[Crash, ...]], Set[Shown] | None, float] | None = None
        self._due_at = 0.0
        self._arrivals = Arrivals()
        self.apps: Reading[tuple[App, ...]] | None = None
        self.crashes: Reading[tuple[Crash, ...]] | None = None

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def forget(self) -> None:
        """Keep no earlier answer, nor one that is under way: it would tell of then as if it were now."""
        self._reading, self._due_at = None, 0.0
        self.apps = self.crashes = None

    def look(self, *, wary: bool) -> None:
        """Read the platform when it is due; a slow one keeps its last answer, up to a bound."""
        platform, now = self._platform, self._clock()
        if platform is None:
            return
        if self._reading is None and now >= self._due_at:
            apps, crashes = platform.apps, lambda: platform.crashes(now - CRASHES_BACK_S - CLOCKS_APART_S)
            self._reading = (self._ask(apps), self._ask(crashes), shown(self.apps), now)
        if self._reading is None:
            return
        apps_asked, crashes_asked, asked_of, began_at = self._reading
        first = self.apps is None
        if not apps_asked.done(within=SOURCE_LIMIT_S if first else WAIT_S):
            if now - began_at > KEPT_S or first:
                self.apps = Unknown(f"no answer for {now - began_at:.0f} s", now)
            return
        self.apps = self._taken(apps_asked, self.apps)
        self.crashes = self._dated(self._taken(crashes_asked, self.crashes), asked_of, began_at)
        self._reading = None
        self._due_at = self._clock() + max(
            self._on_suspicion_s if wary else self._every_s, min(apps_asked.spared_s() or 0.0, LONGEST_S)
        )

    def _ask(self, call: Callable[[], T]) -> Asked[T]:
        return Asked(self._pool.submit(call), self._clock)

    def _taken(self, asked: Asked[T], last: Reading[T] | None) -> Reading[T]:
        """Return the answer, or the last one, which is not too old, if the platform was not asked."""
        answer = asked.answer()
        old = isinstance(last, Known) and self._clock() - last.at <= SPARED_S
        return last if last is not None and old and asked.spared_s() is not None else answer

    def _dated(
        self, crashes: Reading[tuple[Crash, ...]], asked_of: Set[Shown] | None, asked_at: float
    ) -> Reading[tuple[Crash, ...]]:
        if isinstance(crashes, Unknown) or crashes is self.crashes:
            return crashes
        return Known(self._arrivals.dated(crashes.value, asked_of, asked_at, crashes.at), crashes.at)

    @property
    def ahead_s(self) -> float:
        """Return by how many seconds at least the platform's clock is ahead of ours, as its crashes show."""
        return self._arrivals.ahead_s

    def new_guids(self, known: Mapping[str, Lived], now: float) -> tuple[Lived, ...]:
        """Return the guids that the store does not know yet, or has not heard of for long."""
        if not isinstance(self.apps, Known):
            return ()
        there = {one.guid: one.place(self._cluster) for app in self.apps.value for one in app.instances if one.guid}
        if isinstance(self.crashes, Known):  # one may have lived and died between two looks
            for crash in self.crashes.value:
                place = Place(self._cluster, crash.platform, crash.app, crash.process, crash.index)
                there.setdefault(crash.instance_guid, place)
        new = [guid for guid in there if guid not in known or now - known[guid].seen_at > REMEMBER_EVERY_S]
        return tuple(Lived(guid, there[guid], now) for guid in new)
