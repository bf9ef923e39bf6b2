"""What is kept of a worker right before it is killed: what people ask for afterwards, when it is gone."""

from msgspec import Struct

LOG_LINES = 500
EACH_AT_MOST = 1000
LONGEST_LINE = 4096


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
    """The exhibits of one incident; the newest kill's stand for those before it."""

    incident: str
    cluster: str
    at: float
    exhibits: tuple[Exhibit, ...] = ()
