"""What is remembered of the processes: the lines that they wrote and what befell them, each bounded, oldest out first.

Times rise strictly, so that a reader who goes on behind the last one that he saw misses nothing and sees nothing twice.
"""

import heapq
import threading
import time
import uuid
from collections import deque
from operator import itemgetter
from typing import Any

from celeriac.local.display import Display

LINES = 1_000  # of each index: who writes much pushes nobody else's out
EVENTS = 1_000
LONGEST_LINE = 4096

Row = dict[str, Any]


class Records:
    """The newest lines and events of one app; each line is shown too, with its writer in front."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._lines: dict[tuple[str, int], deque[Row]] = {}
        self._events: deque[Row] = deque(maxlen=EVENTS)
        self._lock = threading.Lock()
        self._last = 0.0

    def line(self, source: str, text: str, process: str, index: int, *, error: bool = False) -> None:
        """Keep and show one line of a process, or about it."""
        with self._lock:
            at = self._now()
            stream = "ERR" if error else "OUT"
            row = {"at": at, "source": source, "stream": stream, "text": text, "process": process, "index": index}
            self._lines.setdefault((process, index), deque(maxlen=LINES)).append(row)
            self._display.line(at, f"{process}.{index}", text)

    def event(self, kind: str, text: str, **more: Any) -> None:
        """Keep one event: `more` holds process, index, instance, count, actor and uid where they are known."""
        with self._lock:
            self._events.append({"id": str(uuid.uuid4()), "at": self._now(), "kind": kind, "text": text, **more})

    def newest_lines(self, limit: int, process: str | None, index: int | None) -> list[Row]:
        """Return the newest lines, of all or of one index, oldest first."""
        kept = self._kept()
        return [one for one in kept if process is None or (one["process"], one["index"]) == (process, index)][-limit:]

    def lines_after(self, at: float, limit: int) -> list[Row]:
        """Return the first lines after that time, oldest first."""
        return [one for one in self._kept() if one["at"] > at][:limit]

    def events_since(self, since: float) -> list[Row]:
        """Return the events since then, oldest first."""
        with self._lock:
            return [one for one in self._events if one["at"] >= since]

    def _kept(self) -> list[Row]:
        """Return the lines of all, oldest first."""
        with self._lock:
            each = [list(lines) for lines in self._lines.values()]
        return list(heapq.merge(*each, key=itemgetter("at")))

    def _now(self) -> float:
        self._last = max(time.time(), self._last + 1e-5)
        return self._last
