"""A process as the operating system shows it."""

import os
from pathlib import Path

_STATES = {
    "S": "sleeping",
    "R": "running",
    "T": "stopped",
    "D": "disk-sleep",
    "Z": "zombie",
    "t": "tracing-stop",
    "X": "dead",
}
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def process(pid: int) -> dict[str, object] | None:
    """Return state, CPU seconds, resident bytes, open files, threads and children of a process; None if it has ended."""
    try:
        short, home = _short(pid), Path(f"/proc/{pid}")
        pages = int((home / "statm").read_text().split()[1])
        threads = len(list((home / "task").iterdir()))
        fds = len(list((home / "fd").iterdir()))
        below = [_short(one) for one in children(pid)]
    except (OSError, IndexError, ValueError):
        return None
    return {**short, "rss": pages * _PAGE, "fds": fds, "threads": threads, "children": below}


def children(pid: int) -> list[int]:
    """Return the processes that this one has started; raises OSError if it has ended."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendants(pid: int) -> list[int]:
    """Return the processes below this one, as far as they live."""
    found, left = list[int](), [pid]
    while left:
        try:
            below = children(left.pop())
        except OSError:
            continue
        found += below
        left += below
    return found


def _short(pid: int) -> dict[str, object]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {
        "pid": pid,
        "status": _STATES.get(fields[0], fields[0]),
        "cpu": (int(fields[11]) + int(fields[12])) / _TICKS,
    }
