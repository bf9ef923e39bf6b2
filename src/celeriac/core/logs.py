"""What a worker's log says of its state: the lines that Celery 5.3 to 5.7 write (read in `celery.worker`, and recorded)."""

import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

_CANCELLED = re.compile(r"\] Canceling queue (\S+)\s*$")
_CONSUMES = re.compile(r"\] Started consuming from (\S+)\s*$")
_BORN = re.compile(r"\.> transport:\s")
_STOPPING = re.compile(r"worker: (?:Warm|Cold) shutdown|\] Got shutdown from remote")
_BROKEN = re.compile(r"\] Unrecoverable error: ([\w.]+)")


class Logged(Struct, frozen=True):
    """What the lines of one worker's life tell: queues it consumes no more, when it was told to stop, what broke it.

    Of an error only its name is kept: its words may hold secrets.
    """

    cancelled: tuple[str, ...] = ()
    stopping_at: float | None = None
    broken: str | None = None
    broken_at: float | None = None


def read(before: Logged, line: str, at: float) -> Logged:
    """Take up one more line; the banner of a start begins a new life."""
    if _BORN.search(line):
        return Logged()
    if found := _CANCELLED.search(line):
        return replace(before, cancelled=(*before.cancelled, found[1]))
    if found := _CONSUMES.search(line):
        return replace(before, cancelled=tuple(one for one in before.cancelled if one != found[1]))
    if _STOPPING.search(line):
        return replace(before, stopping_at=before.stopping_at or at)
    if found := _BROKEN.search(line):
        return replace(before, broken=found[1], broken_at=at)
    return before


def read_all(lines: Iterable[tuple[float, str]]) -> Logged:
    """Take up lines in the order of their times."""
    logged = Logged()
    for at, line in lines:
        logged = read(logged, line, at)
    return logged
