"""What our account may do on Redis, tried without doing it.

Redis checks a command's rights before it queues it in a transaction (read in Redis 7.0: `processCommand`), so each command
that we send is put into a MULTI and then discarded. A refusal leaves an entry in Redis's ACL LOG, as any other does.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import redis
from redis.connection import AbstractConnection

from celeriac.adapters.redis_broker import keys
from celeriac.adapters.redis_client import close, database, redis_client, redis_errors
from celeriac.checkup_ports import BrokerTrial
from celeriac.core.checkup.facts import Access, Purpose

REPLIES = "_kombu.binding.reply.celery.pidbox"
DEADLINES = "_kombu.binding_deadlines"
MUTEX, INDEX = f"{keys.UNACKED}_mutex", f"{keys.UNACKED}_index"
TABLE = f"{keys.TABLES}celery"
QUEUE = "celery"
ALL_KEYS = "~*"
REPLY_QUEUE = "celeriac-doctor.reply.celery.pidbox"


class _Try(NamedTuple):
    """One command; `grant` is the pattern of keys (`~`) or channels (`&`) that it needs, as an ACL has it."""

    command: tuple[str, ...]
    grant: str = ""
    words: int = 1
    """How many of its words are the command's name."""

    @property
    def name(self) -> str:
        return " ".join(self.command[: self.words])


def tries(number: int) -> dict[Purpose, tuple[_Try, ...]]:
    """Return all that we send to the database of this number, by purpose.

    Those for remote control are Kombu's (seen in 5.7.0): it keeps its tables by scripts, and while it waits for answers it
    looks after unacknowledged messages.
    """
    events, control = f"/{number}.celeryev/", f"/{number}.celery.pidbox"
    replies, tables, unacked = "~*.reply.celery.pidbox*", "~_kombu.binding*", f"~{keys.UNACKED}*"
    return {
        Purpose.EVENTS: (
            _Try(("PSUBSCRIBE", f"{events}*"), f"&{events}*"),
            _Try(("PUBLISH", f"{events}celeriac.echo", ""), f"&{events}*"),
        ),
        Purpose.CONTROL: (
            _Try(("PUBLISH", control, ""), f"&{control}"),
            _Try(("PING",)),
            _Try(("LLEN", REPLY_QUEUE), replies),
            _Try(("BRPOP", REPLY_QUEUE, "1"), replies),
            _Try(("DEL", REPLY_QUEUE), replies),
            _Try(("EVALSHA", "0" * 40, "2", REPLIES, DEADLINES), tables),
            _Try(("SCRIPT", "LOAD", ""), words=2),
            _Try(("SCRIPT", "EXISTS", ""), words=2),
            _Try(("TIME",)),
            _Try(("SADD", REPLIES, ""), tables),
            _Try(("SREM", REPLIES, ""), tables),
            _Try(("ZADD", DEADLINES, "0", ""), tables),
            _Try(("ZRANGEBYSCORE", DEADLINES, "0", "0"), tables),
            _Try(("SET", MUTEX, ""), unacked),
            _Try(("GET", MUTEX), unacked),
            _Try(("ZRANGE", INDEX, "0", "0"), unacked),
        ),
        Purpose.CLIENTS: (_Try(("CLIENT", "LIST"), words=2),),
        Purpose.QUEUES: (
            _Try(("SCAN", "0")),
            _Try(("SSCAN", TABLE, "0"), tables),
            _Try(("LLEN", QUEUE), ALL_KEYS),
            _Try(("LINDEX", QUEUE, "-1"), ALL_KEYS),
        ),
        Purpose.MESSAGES: (
            _Try(("HLEN", keys.UNACKED), unacked),
            _Try(("MEMORY", "USAGE", keys.UNACKED), unacked, words=2),
            _Try(("HVALS", keys.UNACKED), unacked),
            _Try(("HSCAN", keys.UNACKED, "0"), unacked),
            _Try(("LRANGE", QUEUE, "0", "0"), ALL_KEYS),
        ),
    }


class RedisTrial:
    """`BrokerTrial` on Redis; `timeout` (seconds) bounds each exchange."""

    def __init__(self, url: str, *, timeout: float = 3.0) -> None:
        self._client = redis_client(url, timeout=timeout, name="celeriac-doctor")
        self._tries = tries(database(url))
        self._user = unquote(urlsplit(url.partition(";")[0]).username or "") or "default"

    def access(self) -> tuple[Access, ...]:
        """Return what Redis would refuse of all that we send to it, by purpose."""
        with redis_errors(), self._connection() as connection:
            refusal = _answer(connection, "MULTI")
            if refusal:
                return self._untried(refusal)
            found = tuple(self._tried(connection, purpose, each) for purpose, each in self._tries.items())
            _answer(connection, "DISCARD")
            return found

    def heartbeats(self) -> None:
        """Return None: connections to Redis have none."""

    def close(self) -> None:
        """Do nothing: no connection outlives a call."""

    def _tried(self, connection: AbstractConnection, purpose: Purpose, each: tuple[_Try, ...]) -> Access:
        refused, grants = [], []
        for one in each:
            refusal = _answer(connection, *one.command)
            if refusal:
                wanted = _grant(one, refusal)
                refused.append(one.name if wanted.startswith("+") else f"{one.name} on {wanted[1:]}")
                grants.append(wanted)
        fix = f"ACL SETUSER {self._user} {' '.join(_least(grants))}" if grants else None
        return Access(purpose, _names(each), tuple(dict.fromkeys(refused)), fix)

    def _untried(self, why: str) -> tuple[Access, ...]:
        fix = f"ACL SETUSER {self._user} +multi +discard"
        return tuple(
            Access(purpose, _names(each), fix=fix, unsure=f"rights are tried in a MULTI, and Redis refuses that: {why}")
            for purpose, each in self._tries.items()
        )

    @contextlib.contextmanager
    def _connection(self) -> Iterator[AbstractConnection]:
        """Give a connection that is dropped in the end, whatever is queued on it."""
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            yield connection
        finally:
            connection.disconnect()  # type: ignore[no-untyped-call]
            pool.release(connection)
            close(self._client)


def _least(grants: list[str]) -> list[str]:
    """Return each grant once; beside all keys Redis refuses to be given some."""
    every = ALL_KEYS in grants
    return [one for one in dict.fromkeys(grants) if one == ALL_KEYS or not (every and one.startswith("~"))]


def _names(each: tuple[_Try, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in each))


def _answer(connection: Any, *command: str) -> str | None:
    """Send one command; return why it is refused, None if it is not."""
    connection.send_command(*command)
    try:
        connection.read_response()
    except redis.exceptions.NoPermissionError as error:
        return str(error)
    return None


def _grant(one: _Try, refusal: str) -> str:
    """Return what the ACL lacks: by Redis's words it is the command, a key, or a channel."""
    if re.search(r"access (a|one of the|the '.*') keys?\b", refusal) or re.search(r"access .*channel", refusal):
        return one.grant
    return "+" + "|".join(one.command[: one.words]).lower()


def _fits(trial: RedisTrial) -> BrokerTrial:
    """Let the type checker prove that the class fits its port."""
    return trial
