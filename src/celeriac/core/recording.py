"""Recordings of real workers as JSON lines: which kinds of lines there are, and what may be taken from each as evidence.

A recording holds what a monitor could have heard (events, pings, queues, log lines, ends of processes) beside what only
its maker knew: what was done to whom (`mark`), and the operating system's view of the processes (`procs`). Of the latter
nothing is read, but for the mark after which the maker tidies up.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from celeriac.core.errors import SettingsError

CLEANUP = "cleanup begins"
LONGEST_S = 1e6
"""A recording is judged every two seconds, so a wrong time must not make it endless."""


class Queues(Struct, frozen=True):
    """What the broker said of itself; `error` says why it said nothing."""

    llen_celery: int | None = None
    unacked: int | None = None
    pubsub_clients: int | None = None
    error: str | None = None


class Head(Struct, frozen=True):
    """What every line has: `t` is seconds since the recording began, `wall` since the epoch."""

    t: Annotated[float, Meta(ge=0, le=LONGEST_S)]
    kind: str
    wall: float


class Line(Head, frozen=True):
    """One line; what it holds depends on its `kind`."""

    event: Raw | UnsetType = UNSET
    reply: dict[str, Any] | None = None
    error: str | None = None
    queue: Queues = Queues()
    worker: str = ""
    line: str = ""
    rc: int | None = None


class _Mark(Struct):
    """What the maker did; whatever else stands in its line is free."""

    what: object = ""


EVIDENCE = frozenset({"event", "ping", "sample", "log", "exit"})


def lines(text: Iterable[bytes]) -> Iterator[Line]:
    """Read a recording up to where its maker tidies up; raises SettingsError for a line that is none."""
    for number, one in enumerate(text, 1):
        if not one.strip():
            continue
        try:
            line = _line(one)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SettingsError(f"Line {number} of the recording cannot be read: {error}.") from None
        if line.kind == "mark" and _MARK(one).what == CLEANUP:
            return
        yield line


_HEAD = msgspec.json.Decoder(Head).decode
_LINE = msgspec.json.Decoder(Line).decode
_MARK = msgspec.json.Decoder(_Mark).decode


def _line(text: bytes) -> Line:
    """Return a line; of one that is no evidence only that it is there, and when."""
    head = _HEAD(text)
    return _LINE(text) if head.kind in EVIDENCE else Line(head.t, head.kind, head.wall)
