"""What is kept of a worker right before it is killed, and after it has crashed: what people ask for when it is gone."""

from msgspec import Struct

LOG_LINES = 500
EACH_AT_MOST = 1000
LONGEST_LINE = 4096


def cut(text: str) -> str:
    """Return a line that is not too long; the dots at its end tell redaction that a secret may go on behind them."""
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."


class Line(Struct, frozen=True):
    """One line of an exhibit; `at` is when it was made, where that is known."""

    text: str
    at: float | None = None


class Exhibit(Struct, frozen=True):
    """What one source gave: `why` says why it gave nothing, or not all."""

    source: str
    read_at: float
    lines: tuple[Line, ...] = ()
    why: str | None = None


class Kept(Struct, frozen=True):
    """The exhibits of one incident; of each source those that were read last."""

    incident: str
    cluster: str
    at: float
    exhibits: tuple[Exhibit, ...] = ()


def joined(earlier: Kept | None, new: Kept) -> Kept:
    """Return the new exhibits, and after them the earlier ones whose sources were not read anew."""
    if earlier is None:
        return new
    read = {one.source for one in new.exhibits}
    rest = tuple(one for one in earlier.exhibits if one.source not in read)
    return Kept(new.incident, new.cluster, new.at, (*new.exhibits, *rest))
