"""Celery's events as typed values (fields read in Celery 5.7: `celery.events`, `celery.worker.request`).

A message holds one event or, with routing key `task.multi`, a list of them. Unknown fields are ignored; a part that
cannot be read is counted and skipped, and the rest of its message is kept.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

# What is no time and what is no count makes its event malformed: one such row would stop the store, or a sum of ours.
# From 2106 on a float of seconds does not tell every microsecond.
Instant = Annotated[float, Meta(ge=1, lt=2**32)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=2**53)]

LONGEST = 64 * 1024
"""Characters that are kept of a text: Celery cuts arguments and results, but neither exceptions nor tracebacks."""


class _Heading(Struct, frozen=True, gc=False, kw_only=True):
    """What every event has, also a plugin's."""

    hostname: str
    pid: Count = 0
    clock: Count = 0
    timestamp: Instant
    type: str


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """One event of a worker or a producer; `timestamp` is by the sender's own clock.

    The fields stand in the order in which Celery sends them: each is looked for behind the last one that was found.
    """

    hostname: str
    pid: Count = 0
    clock: Count = 0
    # task-*
    uuid: str | None = None
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    retries: Count | None = None
    eta: str | None = None
    expires: str | None = None
    queue: str | None = None
    result: str | None = None
    runtime: Seconds | None = None
    exception: str | None = None
    traceback: str | None = None
    terminated: bool | None = None
    expired: bool | None = None
    # worker-*
    freq: Seconds | None = None
    active: Count | None = None
    processed: Count | None = None
    sw_ident: str | None = None
    sw_ver: str | None = None
    # of all
    timestamp: Instant
    type: str


_one = msgspec.json.Decoder(Event, strict=False)
_list = msgspec.json.Decoder(list[Event], strict=False)
_parts = msgspec.json.Decoder(list[msgspec.Raw])


CELERYS = frozenset(
    [f"task-{what}" for what in ("sent", "received", "started", "succeeded", "failed", "retried", "rejected")]
    + ["task-revoked", "task-cancelled", "worker-online", "worker-heartbeat", "worker-offline"]
)
"""The types whose fields have the types that Celery gives them; one of these with others is malformed."""

_heading = msgspec.json.Decoder(_Heading, strict=False)
_TEXTS = tuple(field.name for field in msgspec.structs.fields(Event) if field.type in (str, str | None))

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# An escape of half a character, as Python writes the name of a file that is no UTF-8; whole pairs are kept.
_HALF = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def decode(bodies: list[bytes]) -> tuple[list[Event], int]:
    """Return the events of these message bodies (JSON) and the number of parts that could not be read.

    All bodies are joined into one array and decoded by one call: that halves the cost of an event (measured with
    lists of one and two events, as busy workers send them).
    """
    lists = [body[1:-1] if body[:1] == b"[" and body[-1:] == b"]" else body for body in bodies]
    try:
        events = _list.decode(b"[" + b",".join(filter(None, lists)) + b"]")
        malformed = bodies.count(b"")
    except UNREADABLE:
        events, malformed = _each(bodies)
    if max(map(len, bodies), default=0) > LONGEST:
        events = [_shortened(event) for event in events]
    return _readable(events, malformed)


def _each(bodies: list[bytes]) -> tuple[list[Event], int]:
    events: list[Event] = []
    malformed = 0
    for body in bodies:
        found, missed = _alone(body)
        events += found
        malformed += missed
    return events, malformed


def _alone(body: bytes) -> tuple[list[Event], int]:
    try:
        return (_list.decode(body) if body[:1] == b"[" else [_one.decode(body)]), 0
    except UNREADABLE:
        return _part_by_part(_HALF.sub(lambda found: found[1] or rb"\ufffd", body))


def _part_by_part(body: bytes) -> tuple[list[Event], int]:
    try:
        parts: list[Any] = _parts.decode(body)
    except UNREADABLE:
        parts = [body]
    events, malformed = [], 0
    for part in parts:
        try:
            events.append(_one.decode(part))
        except UNREADABLE:
            foreign = _foreign(part)
            malformed += foreign is None
            events += [foreign] if foreign else []
    return events, malformed


def _foreign(part: bytes) -> Event | None:
    """Return what can be read of an event that is not Celery's own: a plugin's fields may be of any type."""
    try:
        heading = _heading.decode(part)
    except UNREADABLE:
        return None
    if heading.type in CELERYS:
        return None
    return Event(**asdict(heading))


def _shortened(event: Event) -> Event:
    texts = {name: getattr(event, name) for name in _TEXTS}
    long = {name: f"{text[:LONGEST]}..." for name, text in texts.items() if text and len(text) > LONGEST}
    return replace(event, **long) if long else event


def _readable(events: list[Event], malformed: int) -> tuple[list[Event], int]:
    """Leave out task events that name no task, and count them."""
    if all([event.uuid or event.type[:5] != "task-" for event in events]):  # noqa: C419 (a list is quicker here)
        return events, malformed
    kept = [event for event in events if event.uuid or not event.type.startswith("task-")]
    return kept, malformed + len(events) - len(kept)
