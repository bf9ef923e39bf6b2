"""`Broker` on Redis, by questions that leave nothing behind."""

import contextlib
from collections.abc import Collection
from typing import Any

import redis
from msgspec.structs import replace

from celeriac.adapters.redis_broker import connections, keys
from celeriac.adapters.redis_broker.holding import Walk
from celeriac.adapters.redis_broker.keys import Binding
from celeriac.adapters.redis_client import close, redis_client, redis_errors
from celeriac.core.casualties import Whereabouts
from celeriac.core.model import Clients
from celeriac.core.queues import QueueState
from celeriac.evidence_ports import Messages
from celeriac.ports import Broker

MOST_QUEUES = 1000
MOST_TABLES = 1000
MOST_UNACKED = 2000
MOST_UNACKED_MB = 8
SCANNED = 10_000
"""So many keys are looked at for binding tables at each call; in a larger database the scan goes on at the next one."""

SHARED = "several queues share the exchange of unacknowledged messages"


class RedisBroker:
    """`Broker` on Redis; `timeout` (seconds) bounds each exchange."""

    def __init__(self, url: str, *, timeout: float = 3.0) -> None:
        self._client = redis_client(url, timeout=timeout, name="celeriac-keeper")
        self._tables: dict[str, None] = {}
        self._cursor = 0

    def clients(self, nodes: Collection[str]) -> Clients:  # noqa: ARG002 (one answer names all)
        """Return each worker's connections by node name, as far as connections carry names, of all workers."""
        with redis_errors():
            return connections.clients(self._client.client_list())

    def queues(self, named: Collection[str]) -> tuple[QueueState, ...]:
        """Return what is known of these queues, and of those in Kombu's binding tables, up to 1,000 in all.

        What Redis refuses to tell (its ACL) is unknown with that reason; refused tables name no queues. Where more than
        2,000 messages or 8 MB are unacknowledged none is counted, for that would be too much to read every few seconds.
        """
        with redis_errors():
            self._find_tables()
            known, uncounted = self._read_tables()
            names = list(dict.fromkeys([*named, *(one.queue for one in known)]))[:MOST_QUEUES]
            answers, taken = self._read_lists(names, with_unacked=uncounted is None)
        counts = uncounted or _counted(taken, known)
        step = 2 * len(keys.STEPS)
        parts = (answers[at : at + step] for at in range(0, len(answers), step))
        states = (keys.state(name, part[::2], part[1::2]) for name, part in zip(names, parts, strict=True))
        return tuple(_with_unacked(one, counts) for one in states)

    def holding(self, tasks: Collection[str], queues: Collection[str]) -> Whereabouts:
        """Return where the messages of these tasks are, as far as bounds allow to look: 50,000 messages, 64 MB, 5 s."""
        with redis_errors():
            self._find_tables()
            known, _ = self._read_tables()
            names = list(dict.fromkeys([*queues, *(one.queue for one in known)]))[:MOST_QUEUES]
            return Walk(self._client, tasks).through(names)

    def close(self) -> None:
        """Drop the connections; the next call makes new ones."""
        close(self._client)

    def _find_tables(self) -> None:
        """Take the scan for binding tables a step further."""
        with contextlib.suppress(redis.exceptions.NoPermissionError):
            answer: Any = self._client.scan(self._cursor, match=f"{keys.TABLES}*", count=SCANNED)
            self._cursor, found = answer
            for table in found[: MOST_TABLES - len(self._tables)]:
                self._tables[table.decode(errors="replace")] = None

    def _read_tables(self) -> tuple[list[Binding], str | None]:
        """Return what the tables hold, and why unacknowledged messages cannot be read; forget tables that are gone."""
        with self._client.pipeline(transaction=False) as pipe:
            for table in self._tables:
                pipe.sscan(table, count=MOST_QUEUES)
            pipe.hlen(keys.UNACKED)
            pipe.memory_usage(keys.UNACKED, samples=MOST_UNACKED)  # exact for as many as are read
            *answers, number, size = pipe.execute(raise_on_error=False)
        members = {
            table: answer[1]
            for table, answer in zip(self._tables, answers, strict=True)
            if not isinstance(answer, Exception) and answer[1]
        }
        self._tables = dict.fromkeys(members)
        return [one for table, found in members.items() for one in keys.bindings(table, found)], _too_much(number, size)

    def _read_lists(self, names: list[str], *, with_unacked: bool) -> tuple[list[Any], Any]:
        """Return length and next message of each list of each queue, then all unacknowledged messages if they are wanted."""
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                for key in keys.lists(name):
                    pipe.llen(key)
                    pipe.lindex(key, -1)
            if with_unacked:
                pipe.hvals(keys.UNACKED)
            answers = pipe.execute(raise_on_error=False)
        return (answers[:-1], answers[-1]) if with_unacked else (answers, None)


def _too_much(number: Any, size: Any) -> str | None:
    """Return why so many unacknowledged messages of so many bytes in all are not to be read, if so."""
    for answer in (number, size):
        if isinstance(answer, Exception):
            return keys.refused(str(answer))
    if number > MOST_UNACKED:
        return f"more than {MOST_UNACKED:,} messages are unacknowledged in all"
    if (size or 0) > MOST_UNACKED_MB << 20:
        return f"the unacknowledged messages are more than {MOST_UNACKED_MB} MB in all"
    return None


def _counted(taken: Any, known: list[Binding]) -> dict[str, int | None] | str:
    """Return the numbers of unacknowledged messages by queue, or why they are not known."""
    if isinstance(taken, Exception):
        return keys.refused(str(taken))
    return keys.unacked(taken, known)


def _with_unacked(state: QueueState, counts: dict[str, int | None] | str) -> QueueState:
    if isinstance(counts, str):
        return replace(state, unknown={**state.unknown, "unacked": counts})
    number = counts.get(state.name, 0)
    if number is None:
        return replace(state, unknown={**state.unknown, "unacked": SHARED})
    return replace(state, unacked=number)


def _fits(broker: RedisBroker) -> tuple[Broker, Messages]:
    """Let the type checker prove that the class fits its ports."""
    return broker, broker
