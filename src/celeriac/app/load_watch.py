"""How busy apps are: the keeper's last word on a cluster is read every few seconds, in a thread of its own.

The keeper knows which worker belongs to which app and hears each one's heartbeats; only an observer writes history. So an
observer looks at what the keeper wrote, sums a minute up, and hands it over with its flushes. While there is no keeper, or
the cluster is not heard, there is no look: a gap, and no zero.
"""

import threading
from collections.abc import Callable, Mapping

from celeriac.app.lookout import Lookout
from celeriac.core.memory import Board
from celeriac.core.occupancy import LOOK_EVERY_S, Load, added, looked

FRESH_S = 10.0
"""What the keeper said longer ago is no look at now."""

MOST_APPS = 500
MOST_MINUTES = 2_000
"""That wait for a flush: while flushes are stuck the oldest are left out."""


class LoadWatch:
    """One cluster's loads: `run` looks in a thread, `take` is called with each flush."""

    def __init__(
        self,
        cluster: str,
        board: Callable[[], Board | None],
        depths: Callable[[], Mapping[str, int]],
        clock: Callable[[], float],
        *,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._board, self._depths, self._clock, self._every_s = board, depths, clock, every_s
        self._minutes: dict[tuple[str, str], Load] = {}
        self._seen_at = 0.0
        self._lookout = Lookout(cluster, "how busy apps are cannot be seen")
        self._lock = threading.Lock()
        self._changed: dict[tuple[str, str, float], Load] = {}

    def run(self, stopping: threading.Event) -> None:
        """Look again and again until told to stop."""
        while not stopping.is_set():
            self._lookout.took(self.look)
            stopping.wait(self._every_s)

    def look(self) -> None:
        """Look once; the same word of the keeper counts once."""
        board, now = self._board(), self._clock()
        if board is None or now - board.at > FRESH_S or board.at == self._seen_at:
            return
        self._seen_at = board.at
        for one in looked(board, self._depths(), board.at)[:MOST_APPS]:
            key = (one.app, one.process)
            minute = self._minutes[key] = added(self._minutes.get(key), one)
            with self._lock:
                self._changed[*key, minute.at] = minute
                if len(self._changed) > MOST_MINUTES:
                    del self._changed[next(iter(self._changed))]
        if len(self._minutes) > MOST_APPS:
            self._minutes = {key: one for key, one in self._minutes.items() if now - one.at <= 2 * FRESH_S + 60}

    def take(self) -> list[Load]:
        """Return the minutes that changed since the last call."""
        with self._lock:
            changed, self._changed = self._changed, {}
        return list(changed.values())
