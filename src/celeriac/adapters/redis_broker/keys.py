"""Kombu's keys on Redis, and what their answers say of a queue (read in kombu 5.7: `kombu.transport.redis`).

A queue is one list for each priority step; messages enter on the left and are taken from the right. The hash `unacked`
holds what was taken and is not acknowledged yet, of all queues together: each message with its exchange and routing key.
A binding table is a set of `routing key, pattern, queue`, one for each exchange.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from celeriac.core.queues import QueueState

SEPARATOR = "\x06\x16"
STEPS = (0, 3, 6, 9)
UNACKED = "unacked"
TABLES = "_kombu.binding."
NO_TASKS = ("celeryev", ".pidbox")
"""How the exchanges and queues of events, of remote control and of its replies are called."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Binding(NamedTuple):
    """A queue, and what brings messages into it."""

    exchange: str
    routing_key: str
    queue: str


class _Headers(Struct):
    id: str | None = None


class _Properties(Struct):
    timestamp: Any = None


class _Message(Struct):
    headers: _Headers
    properties: _Properties


_message = msgspec.json.Decoder(_Message).decode
_taken = msgspec.json.Decoder(tuple[msgspec.Raw, str, str]).decode


def lists(queue: str) -> list[str]:
    """Return the keys of a queue's lists in the order in which they are emptied, one for each of `STEPS`."""
    return [f"{queue}{SEPARATOR}{step}" if step else queue for step in STEPS]


def bindings(table: str, members: Iterable[bytes]) -> list[Binding]:
    """Return what a binding table holds, without queues that hold no tasks."""
    exchange = table.removeprefix(TABLES)
    if exchange.endswith(NO_TASKS):
        return []
    parts = [member.decode(errors="replace").split(SEPARATOR) for member in members]
    found = [Binding(exchange, key, queue) for key, _, queue in (part for part in parts if len(part) == 3)]
    return [one for one in found if one.queue and not one.queue.endswith(NO_TASKS)]


def unacked(values: Iterable[bytes], known: Collection[Binding]) -> dict[str, int | None]:
    """Return how many messages of each queue wait for their acknowledgement; None where it may be any of several queues."""
    keys: Counter[tuple[str, str]] = Counter()
    for value in values:
        try:
            _, exchange, key = _taken(value)
        except UNREADABLE:
            continue
        keys[exchange, key] += 1
    exact, same = defaultdict(set), defaultdict(set)
    for one in known:
        exact[one.exchange, one.routing_key].add(one.queue)
        same[one.exchange].add(one.queue)
    counts: dict[str, int | None] = {}
    for (exchange, key), number in keys.items():
        queues = exact[exchange, key] or same[exchange] or {key}
        for queue in queues:
            before = counts.get(queue, 0)
            counts[queue] = before + number if len(queues) == 1 and before is not None else None
    return counts


def task_of_taken(value: bytes) -> str | None:
    """Return the task of one value of `unacked`; None if it names none."""
    try:
        return _message(_taken(value)[0]).headers.id
    except UNREADABLE:
        return None


def task_of_waiting(message: bytes) -> str | None:
    """Return the task of one message in a list; None if it names none."""
    return _read(message)[0]


def state(queue: str, lengths: Sequence[Any], nexts: Sequence[Any]) -> QueueState:
    """Return what the lengths of a queue's lists and their next messages tell; an answer may be Redis's refusal."""
    unknown = {"consumers": "Redis does not tell who consumes a queue"}
    refusals = [str(one) for one in lengths if isinstance(one, Exception)]
    if refusals:
        return QueueState(
            queue, {}, unknown={**unknown, "ready": refused(refusals[0]), "oldest_task": refused(refusals[0])}
        )
    ready = {step: length for step, length in zip(STEPS, lengths, strict=True) if length or not step}
    message = next((one for one in nexts if one is not None), None)
    if message is None:
        return QueueState(queue, ready, unknown=unknown)
    if isinstance(message, Exception):
        return QueueState(queue, ready, unknown={**unknown, "oldest_task": refused(str(message))})
    task, sent_at = _read(message)
    if task is None:
        unknown["oldest_task"] = "the next message names no task"
    return QueueState(queue, ready, oldest_task=task, oldest_sent_at=sent_at, unknown=unknown)


def refused(why: str) -> str:
    """Return the reason for what Redis did not tell."""
    return f"Redis refuses: {why}"


def _read(message: bytes) -> tuple[str | None, float | None]:
    try:
        found = _message(message)
    except UNREADABLE:
        return None, None
    sent_at = found.properties.timestamp
    return found.headers.id, float(sent_at) if isinstance(sent_at, int | float) else None
