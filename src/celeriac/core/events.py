"""Celery's events as typed values (fields read in Celery 5.7: `celery.events`, `celery.worker.request`).

A message holds one event or, with routing key `task.multi`, a list of them. Unknown fields are ignored; a part that
cannot be read is counted and skipped, and the rest of its message is kept.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

# What cannot be a time, or does not fit the store's 64 bits, makes its event malformed: one row would stop the store.
Instant = Annotated[float, Meta(ge=0, le=1e11)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Event(Struct, frozen=True, gc=False):
    """One event of a worker or a producer; `timestamp` is by the sender's own clock."""

    type: str
    hostname: str
    timestamp: Instant
    pid: Count = 0
    clock: Count = 0
    # worker-*
    freq: Seconds | None = None
    active: Count | None = None
    processed: Count | None = None
    sw_ident: str | None = None
    sw_ver: str | None = None
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


_one = msgspec.json.Decoder(Event, strict=False)
_list = msgspec.json.Decoder(list[Event], strict=False)
_parts = msgspec.json.Decoder(list[msgspec.Raw])


def decode(body: bytes) -> tuple[list[Event], int]:
    """Return the events of one message body (JSON) and the number of parts that could not be read."""
    try:
        events = _list.decode(body) if body[:1] == b"[" else [_one.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _one_by_one(body)
    return _readable(events, 0)


def _one_by_one(body: bytes) -> tuple[list[Event], int]:
    try:
        parts: list[Any] = _parts.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [], 1
    events, malformed = [], 0
    for part in parts:
        try:
            events.append(_one.decode(part))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            malformed += 1
    return _readable(events, malformed)


def _readable(events: list[Event], malformed: int) -> tuple[list[Event], int]:
    """Leave out task events that name no task, and count them."""
    kept = [event for event in events if event.uuid or not event.type.startswith("task-")]
    return kept, malformed + len(events) - len(kept)
