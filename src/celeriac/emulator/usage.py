"""What running instances use, read from Linux's /proc; elsewhere everything reads as zero.

An instance leads a session of its own, so its usage is the sum over the processes of that session.
"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FRESH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU as a fraction of one core, memory in bytes."""

    cpu: float = 0.0
    mem: int = 0


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu_seconds: dict[int, float]
    mem: dict[int, int]


class Meter:
    """Measures sessions; CPU is the mean since the sample before, of which one is taken each half second at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before = _Sample(time.monotonic(), {}, {})
        self._last = self._before

    def read(self, session: int) -> Usage:
        """Return what a session uses; one that is gone uses nothing."""
        with self._lock:
            stale = time.monotonic() - self._last.at >= _FRESH_SECONDS
            if stale:
                self._before = self._last
            if stale or session not in self._last.mem:
                self._last = _sample()
            before, last = self._before, self._last
        if session not in last.mem:
            return Usage()
        spent = last.cpu_seconds[session] - before.cpu_seconds.get(session, 0.0)
        elapsed = max(last.at - before.at, 1.0 / _TICKS_PER_SECOND)
        return Usage(max(0.0, spent / elapsed), last.mem[session])


def _sample() -> _Sample:
    cpu: dict[int, float] = {}
    mem: dict[int, int] = {}
    for session, seconds, rss in _processes():
        cpu[session] = cpu.get(session, 0.0) + seconds
        mem[session] = mem.get(session, 0) + rss
    return _Sample(time.monotonic(), cpu, mem)


def _processes() -> Iterator[tuple[int, float, int]]:
    """Yield session, CPU seconds and resident bytes of each process; see proc(5) for the fields of `stat`."""
    if not (_PROC / "self" / "stat").exists():
        return
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        session, ticks, pages = int(fields[3]), int(fields[11]) + int(fields[12]), int(fields[21])
        yield session, ticks / _TICKS_PER_SECOND, pages * _PAGE_BYTES
