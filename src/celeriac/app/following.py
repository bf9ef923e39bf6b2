"""Following an app's log for one reader: a thread reads what the platform tells, the reader takes it in its own time.

Whoever reads too slowly loses the oldest lines, and is told how many; a platform that fails for a while is asked again,
later each time, and its reason is told meanwhile. A follower ends when its reader closes it or takes nothing any more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from celeriac.app.app_record_views import LogLineView
from celeriac.app.asking import why_not
from celeriac.app.inquiry_desk import of_platform
from celeriac.core.apps import LogLine
from celeriac.core.errors import PortError, UnreachableError
from celeriac.core.model import App
from celeriac.platform_ports import AppRecords
from celeriac.processes import backoff

WAITING_AT_MOST = 2000
"""Lines that wait for a slow reader."""

REMEMBERED = 1000
"""Lines that are known again when the platform repeats them after a gap."""

UNREAD_S = 600.0
"""A reader that takes nothing for so long is gone."""


class Taken(NamedTuple):
    """What came since the last look: lines oldest first, how many more were dropped before them, and why none come now."""

    lines: list[LogLineView]
    dropped: int
    trouble: str | None
    over: bool


class Following:
    """One app's log from `since` on; `shape` returns None for a line that is not asked for."""

    def __init__(
        self,
        records: AppRecords,
        app: App,
        since: float,
        shape: Callable[[LogLine], LogLineView | None],
        ended: Callable[[], None],
    ) -> None:
        self._records, self._app, self._since = records, app, since
        self._shape, self._ended = shape, ended
        self._lock = threading.Lock()
        self._waiting: deque[LogLineView] = deque()
        self._sent: deque[LogLine] = deque(maxlen=REMEMBERED)
        self._dropped = self._seen = 0
        self._trouble: PortError | None = None
        self._over = False
        self._taken_at = time.monotonic()
        self._begun, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def begin(self, within: float) -> None:
        """Start, and wait for the platform's first word; raises its PortError, or UnreachableError after so many seconds."""
        self._thread.start()
        if not self._begun.wait(within):
            self.close()
            raise of_platform(self._app, UnreachableError(f"no answer within {within:.0f} s"))
        if self._trouble is not None:
            self.close()
            raise self._trouble

    def take(self) -> Taken:
        """Return what came since the last look; never waits."""
        with self._lock:
            self._taken_at = time.monotonic()
            lines, dropped = list(self._waiting), self._dropped
            self._waiting.clear()
            self._dropped = 0
            return Taken(lines, dropped, str(self._trouble) if self._trouble else None, self._over)

    def close(self) -> None:
        """Let the thread end, at the platform's next word; returns at once."""
        self._closed.set()

    def _run(self) -> None:
        failures = 0
        try:
            while not self._gone():
                before = self._seen
                if not self._read(known=frozenset(self._sent)):
                    return
                failures = 1 if self._seen != before else failures + 1
                self._closed.wait(backoff(failures, first=1.0))
        finally:
            with self._lock:
                self._over = True
            self._begun.set()
            self._ended()

    def _read(self, known: frozenset[LogLine]) -> bool:
        """Read until it ends, and tell whether to ask again."""
        try:
            for lines in self._records.follow(self._app, self._since):
                if self._gone():
                    return False
                self._put([one for one in lines if one not in known])
                self._begun.set()
        except PortError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 (a defect in one source ends one follower, and is logged)
            return self._failed(PortError(why_not(error)))
        return True

    def _put(self, lines: Iterable[LogLine]) -> None:
        shaped = [view for one in lines if (view := self._note(one))]
        with self._lock:
            self._trouble = None
            self._waiting.extend(shaped)
            while len(self._waiting) > WAITING_AT_MOST:
                self._waiting.popleft()
                self._dropped += 1

    def _note(self, line: LogLine) -> LogLineView | None:
        self._since = max(self._since, line.at)
        self._sent.append(line)
        self._seen += 1
        return self._shape(line)

    def _failed(self, error: PortError) -> bool:
        with self._lock:
            self._trouble = of_platform(self._app, error)
        first = not self._begun.is_set()
        self._begun.set()
        return error.retryable and not first

    def _gone(self) -> bool:
        return self._closed.is_set() or time.monotonic() - self._taken_at > UNREAD_S
