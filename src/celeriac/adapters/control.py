"""Celery's remote control, directed at named nodes but for one question; each call waits for so many answers or for its time limit."""

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import msgspec
from celery import Celery
from kombu.exceptions import KombuError
from msgspec import Struct

from celeriac.adapters.amqp_client import SCHEMES, LimitedTransport, tls_apart
from celeriac.adapters.redis_client import for_kombu, giving_nothing_back
from celeriac.core.errors import MissingError, RefusedError, UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.model import Inspection, Pool
from celeriac.core.repair import Repair, RepairKind
from celeriac.evidence_ports import SelfReport
from celeriac.ports import Control, Hands

T = TypeVar("T")

_SHAPES = threading.Lock()
"""msgspec learns a type when it first decodes one; a second thread that decodes one meanwhile ends the process."""


class _Pong(Struct):
    ok: str


class _Stats(Struct):
    pid: int
    pool: dict[str, Any] | str
    prefetch_count: Any = None


class _Running(Struct):
    id: str


class _Request(Struct):
    id: str
    name: str | None = None
    time_start: float | None = None
    acknowledged: bool | None = None
    worker_pid: int | None = None


class _Scheduled(Struct):
    request: _Request
    eta: str | None = None


COUNTED_AT_MOST = 1000
"""A worker whose prefetch is larger is not asked for what it keeps for later: it would have to tell all of that, each time."""

TOLD_STATS = ("pid", "clock", "uptime", "prefetch_count", "pool", "total", "rusage")
"""What is told of `stats`: not the broker's address."""


class _Queue(Struct):
    name: str


class _Told(Struct):
    ok: str = ""
    error: str = ""


class _Enough(Exception):  # noqa: N818 (no error: everybody has answered)
    """Ends the wait for answers."""


class CeleryControl:
    """`Control` through the broker; `wait` (seconds) is how long answers are awaited."""

    def __init__(self, url: str, *, wait: float = 1.5, timeout: float = 3.0) -> None:
        self._wait = wait
        broker, options = for_kombu(url)
        broker, tls = tls_apart(broker)
        self._app = Celery("celeriac", broker=broker, backend=None, set_as_current=False)
        self._app.conf.update(
            broker_connection_timeout=timeout,
            broker_connection_retry=False,
            broker_use_ssl=tls or False,
            broker_transport=LimitedTransport if broker.partition("://")[0] in SCHEMES else None,
            broker_transport_options={
                "socket_timeout": timeout,
                "socket_connect_timeout": timeout,
                "socket_keepalive": True,
                "client_name": "celeriac-control",
                "max_retries": 0,  # else Kombu waits 2 s and tries again
                **giving_nothing_back(url),
                **options,
            },
        )

    def ping(self, nodes: Collection[str]) -> frozenset[str]:
        """Return the nodes that answered in time."""
        return frozenset(node for node, answer in self._ask("ping", nodes, _Pong) if answer.ok == "pong")

    def discover(self) -> frozenset[str]:
        """Return all nodes that answer in time, asked or not."""
        return frozenset(node for node, answer in self._ask("ping", None, _Pong) if answer.ok == "pong")

    def pools(self, nodes: Collection[str]) -> dict[str, Pool]:
        """Return, by `Incarnation.key`, what the nodes that answer say of their pool and queues."""
        queues = self._consuming(nodes)
        return {
            f"{node}#{answer.pid}": _pool(answer.pool, queues.get(node, ()))
            for node, answer in self._ask("stats", nodes, _Stats)
        }

    def inspect(self, nodes: Collection[str]) -> dict[str, Inspection]:
        """Return what each answering node says of its queues, its pool and what it holds.

        The queues come first: a node that does not tell them is asked for nothing more, and is left out.
        """
        queues = self._consuming(nodes)
        stats = dict(self._ask("stats", queues, _Stats))
        reserved = {node: len(answer) for node, answer in self._ask("reserved", queues, list[Any])}
        tasks = dict(self._ask("registered", queues, list[str], taskinfoitems=["rate_limit"]))
        told = [node for node in queues if node in stats and node in reserved and node in tasks]
        bound = [node for node in told if 0 < (_prefetch(stats[node]) or 0) <= COUNTED_AT_MOST]
        later = {node: len(answer) for node, answer in self._ask("scheduled", bound, list[Any])}
        return {
            node: Inspection(
                queues[node],
                reserved[node],
                _processes(stats[node].pool),
                limited=any(map(_limited, tasks[node])),
                prefetch=_prefetch(stats[node]),
                later=later.get(node),
            )
            for node in told
        }

    def running(self, nodes: Collection[str]) -> dict[str, frozenset[str]]:
        """Return the ids of the tasks that each answering node runs now."""
        return {
            node: frozenset(one.id for one in answer) for node, answer in self._ask("active", nodes, list[_Running])
        }

    def repair(self, node: str, repair: Repair) -> str:
        """Mend it, and return what it says to that; raises MissingError if it does not answer, RefusedError if it says no."""
        match repair.kind:
            case RepairKind.ADD_CONSUMER:
                return self._told(node, "add_consumer", queue=repair.what)
            case RepairKind.POOL_GROW:
                return self._told(node, "pool_grow", n=int(repair.what))
            case RepairKind.REVOKE:
                # A child that ignores SIGTERM would go on; its main process starts another one.
                return self._told(node, "revoke", task_id=[repair.what], terminate=True, signal="SIGKILL")

    def cancel(self, node: str, queue: str) -> str:
        """Have it consume a queue no more, and return what it says to that."""
        return self._told(node, "cancel_consumer", queue=queue)

    def shutdown(self, node: str) -> None:
        """Have it end once its running tasks have ended; it says nothing to that."""
        with self._connection() as connection:
            self._app.control.broadcast("shutdown", destination=[node], connection=connection, reply=False)

    def _told(self, node: str, command: str, **arguments: object) -> str:
        for _, answer in self._ask(command, [node], _Told, **arguments):
            if answer.error:
                raise RefusedError(f"{node} refuses {command}: {answer.error}")
            return answer.ok
        raise MissingError(f"{node} does not answer {command}")

    def _consuming(self, nodes: Collection[str]) -> dict[str, tuple[str, ...]]:
        answers = self._ask("active_queues", nodes, list[_Queue])
        return {node: tuple(one.name for one in answer) for node, answer in answers}

    def enable_events(self, nodes: Collection[str]) -> dict[str, str]:
        """Have these nodes send task events from now on; return what each answering one says to that."""
        answers = self._ask("enable_events", nodes, _Told)
        return {node: said for node, answer in answers if (said := answer.ok or answer.error)}

    def tasks(self, node: str) -> tuple[Line, ...]:
        """Return the tasks that a worker runs, has reserved, and keeps for later; raises MissingError if it is silent."""
        lines: list[Line] = []
        for command in ("active", "reserved"):
            lines += [_told_of(one, command) for one in self._only(command, node, list[_Request])]
        later = self._only("scheduled", node, list[_Scheduled])
        return (*lines, *(_told_of(one.request, f"scheduled for {one.eta}") for one in later))

    def stats(self, node: str) -> tuple[Line, ...]:
        """Return a worker's counters; raises MissingError if it is silent."""
        answer = self._only("stats", node, dict[str, Any])
        return tuple(Line(f"{name}: {answer[name]}") for name in TOLD_STATS if name in answer)

    def _only(self, command: str, node: str, kind: type[T]) -> T:
        for _, answer in self._ask(command, [node], kind):
            return answer
        raise MissingError("it does not answer remote control")

    def _ask(
        self, command: str, nodes: Collection[str] | None, kind: type[T], **arguments: object
    ) -> list[tuple[str, T]]:
        """Return the answers that have the expected shape; a node that answers otherwise has not answered.

        None asks everybody, and waits as long as is waited for one that does not answer.
        """
        if nodes is not None and not nodes:
            return []
        found: list[tuple[str, T]] = []
        missing = set(nodes or ())

        def take(reply: Any) -> None:
            for node, answer in reply.items() if isinstance(reply, dict) else ():
                with contextlib.suppress(msgspec.ValidationError), _SHAPES:
                    found.append((node, msgspec.convert(answer, kind)))
                    missing.discard(node)
            if nodes and not missing:
                raise _Enough

        with self._connection() as connection, contextlib.suppress(_Enough):
            # Kombu's own limit counts answers, so that two processes of one node name would use up another's; 0 is none.
            self._app.control.broadcast(
                command,
                arguments=arguments,
                destination=list(nodes) if nodes else None,
                connection=connection,
                reply=True,
                timeout=self._wait,
                limit=0,
                callback=take,
            )
        return found

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """Give a connection of the pool, and raise what goes wrong inside as the port's errors."""
        try:
            with self._app.connection_or_acquire() as connection:
                try:
                    yield connection
                except TimeoutError:
                    connection.collect()  # Kombu's goodbye would be waited for as long, twice
                    raise
        except TimeoutError as error:
            raise UnreachableError("remote control: the broker does not answer in time") from error
        except (OSError, KombuError) as error:
            raise UnreachableError(f"remote control: {error}") from error
        except Exception as error:
            connection = self._app.connection_for_write()
            if isinstance(error, connection.connection_errors + connection.channel_errors):
                raise UnreachableError(f"remote control: {error}") from error
            raise


def _told_of(one: _Request, how: str) -> Line:
    parts = [one.id, one.name or "unnamed", how]
    if one.worker_pid:
        parts.append(f"in process {one.worker_pid}")
    if one.acknowledged is not None:
        parts.append("acknowledged" if one.acknowledged else "not acknowledged")
    return Line(" ".join(parts), one.time_start)


def _pool(pool: dict[str, Any] | str, queues: tuple[str, ...]) -> Pool:
    """Read a `stats` answer: `celery.concurrency.prefork:TaskPool` is the pool `prefork`; some pools say only "N/A"."""
    slots = pool.get("max-concurrency") if isinstance(pool, dict) else None
    return Pool(kind=_kind(pool), concurrency=slots if isinstance(slots, int) else None, queues=queues)


def _kind(pool: dict[str, Any] | str) -> str:
    told = pool.get("implementation", "") if isinstance(pool, dict) else ""
    return str(told).rpartition(":")[0].rpartition(".")[2] or "unknown"


def _processes(pool: dict[str, Any] | str) -> int | None:
    """Return how many processes a pool says to have, where it has processes of its own (prefork)."""
    there = pool.get("processes") if isinstance(pool, dict) else None
    return len(there) if isinstance(there, list) and _kind(pool) == "prefork" else None


def _prefetch(stats: _Stats) -> int | None:
    """Return how many messages it may hold at once; at its start it says "N/A"."""
    return stats.prefetch_count if isinstance(stats.prefetch_count, int) else None


def _limited(task: str) -> bool:
    """Tell whether `registered` shows a rate limit: `shop.pay [rate_limit=1/m]`."""
    return "[rate_limit=" in task


def _fits(control: CeleryControl) -> tuple[Control, Hands, SelfReport]:
    """Let the type checker prove that the class fits its ports."""
    return control, control, control
