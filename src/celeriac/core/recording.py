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


class Line(Struct, frozen=True):
    """One line; what it holds depends on its `kind`. `t` is seconds since the recording began, `wall` since the epoch."""

    t: Annotated[float, Meta(ge=0, le=LONGEST_S)]
    kind: str
    wall: float
    event: Raw | UnsetType = UNSET
    reply: dict[str, Any] | None = None
    error: str | None = None
    queue: Queues = Queues()
    worker: str = ""
    line: str = ""
    rc: int | None = None
    what: str = ""


def lines(text: Iterable[bytes]) -> Iterator[Line]:
    """Read a recording up to where its maker tidies up; raises SettingsError for a line that is none."""
    decode = msgspec.json.Decoder(Line).decode
    for number, one in enumerate(text, 1):
        if not one.strip():
            continue
        try:
            line = decode(one)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SettingsError(f"Line {number} of the recording cannot be read: {error}.") from None
        if line.kind == "mark" and line.what == CLEANUP:
            return
        yield line
