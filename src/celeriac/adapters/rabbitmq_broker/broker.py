"""What RabbitMQ tells over AMQP: which workers are connected, and how much waits in a queue; more with its management API.

A worker's remote control is a queue of its own, `<node>.celery.pidbox` (read in kombu 5.7: `kombu.pidbox`), which ends with
its connection: at once when the process dies, and after two AMQP heartbeats (the worker's `broker_heartbeat`) when it
stands still. A warm shutdown ends it too, while the last tasks still run.

What both tell AMQP tells, for it is of now. While the management API does not answer all is as without it.
"""

import contextlib
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

from amqp import spec
from amqp.exceptions import AMQPError, NotFound, ResourceLocked
from msgspec import Struct
from msgspec.structs import replace

from celeriac.adapters.amqp_client import amqp_errors, connect
from celeriac.adapters.rabbitmq_broker.management import ListedQueue, Management, Takers
from celeriac.adapters.rabbitmq_broker.requests import API, TAGS
from celeriac.core.casualties import Whereabouts
from celeriac.core.errors import PortError, UnreachableError
from celeriac.core.model import Clients, Consumer
from celeriac.core.queues import QueueState
from celeriac.evidence_ports import Messages
from celeriac.ports import Broker

PIDBOX = "{node}.celery.pidbox"

CONNECTED = Consumer(connections=1, fetching=True, idle_s=0.0)
"""Whether a connection that is there takes messages AMQP does not tell, so this convicts nobody; only its absence does."""

UNKNOWN = {
    "unacked": "AMQP does not tell how many messages are on their way (set the cluster's `management`)",
    "oldest_task": "AMQP shows no message without taking it",
    "oldest_sent_at": "AMQP shows no message without taking it",
}

NOBODY_LISTED = f"{API} lists no consumers, not even theirs who are there: {TAGS}"
NOT_LISTED = f"{API} does not list this queue, or has not counted it yet"
NO_STAMP = "the message that is taken next carries no time"

CHANNEL = 1
AT_ONCE = 20
"""So many queues are asked for before the first answer is read, for the way to the broker may be long."""


class _Queue(Struct, frozen=True):
    """A queue as a passive declare shows it; `ready` is None where only its owner may know."""

    ready: int | None = 0
    consumers: int = 0


MISSING = _Queue()
EXCLUSIVE = _Queue(ready=None, consumers=1)
"""Another connection's own queue: it is there as long as that connection is."""


class RabbitBroker:
    """`Broker` on RabbitMQ (`amqp_client.connect`); `timeout` (seconds) bounds each call.

    What then is not answered is no answer at all, but for `queues`: the rest is unknown, and comes first the next time.

    Queues are declared passively on one connection that is kept, and no message is ever taken. RabbitMQ writes an error
    into its own log for each queue that is missing, and for each that is exclusive, as a worker's is by default: ask for
    no more nodes than need be. A task queue that is exclusive to somebody is left out.
    """

    def __init__(self, url: str, *, management: Management | None = None, timeout: float = 3.0) -> None:
        self._url, self._management, self._timeout = url, management, timeout
        self._lock = threading.Lock()
        self._connection: Any = None
        self._unanswered: list[str] = []

    def clients(self, nodes: Collection[str]) -> Clients:
        """Return those of these nodes that are connected; with the management API others too, and what each consumes."""
        found = self._all_declared([PIDBOX.format(node=node) for node in nodes])
        there = {node: CONNECTED for node in nodes if found[PIDBOX.format(node=node)].consumers}
        if self._management is None:
            return Clients(there)
        try:
            takers = self._management.takers()
        except PortError as error:
            return Clients(there, unread=str(error))
        return _joined(there, frozenset(nodes), takers)

    def holding(self, tasks: Collection[str], queues: Collection[str]) -> Whereabouts:  # noqa: ARG002 (AMQP shows none)
        """Return that it cannot be told: AMQP shows no message without taking it."""
        return Whereabouts(unknown="RabbitMQ gives back by itself what was not acknowledged, and shows no message")

    def queues(self, named: Collection[str]) -> tuple[QueueState, ...]:
        """Return what is known of these queues; AMQP lists no others, the management API all that hold or give messages."""
        waiting = [name for name in self._unanswered if name in named]
        names = list(dict.fromkeys([*waiting, *named]))
        found = self._declared(names)
        self._unanswered = names[len(found) :]
        listed, unknown = self._listed()
        told = (
            _state(name, queue.ready, queue.consumers, listed.get(name), unknown)
            for name, queue in found.items()
            if queue.ready is not None
        )
        why = f"RabbitMQ told of {len(found)} of {len(names)} queues in time; this one has its turn later"
        untold = (
            QueueState(name, {}, unknown={**UNKNOWN, "ready": why, "consumers": why}) for name in self._unanswered
        )
        others = (
            _state(name, queue.messages_ready, queue.consumers, queue, unknown)
            for name, queue in listed.items()
            if name not in names and queue.of_tasks and queue.messages_ready is not None
        )
        return (*told, *untold, *others)

    def _listed(self) -> tuple[dict[str, ListedQueue], dict[str, str]]:
        """Return the queues that the management API lists, and why something is not known of one that it does not."""
        if self._management is None:
            return {}, UNKNOWN
        try:
            return self._management.queues(), {**UNKNOWN, "unacked": NOT_LISTED, "oldest_sent_at": NO_STAMP}
        except PortError as error:
            return {}, {**UNKNOWN, "unacked": str(error), "oldest_sent_at": str(error)}

    def close(self) -> None:
        """Drop the connections; the next call makes new ones."""
        self._drop()
        if self._management is not None:
            self._management.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()

    def _all_declared(self, names: Collection[str]) -> dict[str, _Queue]:
        once = list(dict.fromkeys(names))
        found = self._declared(once)
        if len(found) < len(once):
            raise UnreachableError(f"RabbitMQ told of {len(found)} of {len(once)} queues in {self._timeout:g} s")
        return found

    def _declared(self, names: list[str]) -> dict[str, _Queue]:
        """Return what is answered in time: of the first of these queues, of one at least."""
        # When the last answer is not there in time all is lost, and the connection with it.
        deadline, spare_s = time.monotonic() + self._timeout, self._timeout / 4
        found: dict[str, _Queue] = {}
        with self._turn(), amqp_errors():
            connection = self._connected()
            channel = connection.channel(CHANNEL)
            while len(found) < len(names):
                left = deadline - time.monotonic()
                if found and left < spare_s:
                    break
                connection.sock.settimeout(max(left, spare_s))
                found |= _declare(channel, names[len(found) : len(found) + AT_ONCE])
        return found

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the connection for oneself; after an error in the block it is dropped."""
        if not self._lock.acquire(timeout=self._timeout):
            raise UnreachableError("RabbitMQ is still being asked for something else")
        try:
            yield
        except BaseException:
            self._drop()
            raise
        finally:
            self._lock.release()

    def _connected(self) -> Any:
        if self._connection is not None and not _lives(self._connection):
            self._drop()
        if self._connection is None:
            self._connection = connect(self._url, timeout=self._timeout, name="celeriac-keeper")
        return self._connection


def _joined(there: dict[str, Consumer], asked: frozenset[str], takers: Takers) -> Clients:
    """Add what each worker consumes. Of those who were asked for over AMQP only that tells who is there: the list is older."""
    listed = {node for node in takers.by_node if node not in asked}
    by_node = {
        node: replace(CONNECTED, taking=takers.by_node.get(node))  # of one that is not listed yet nothing is known
        for node in [*there, *sorted(listed)]
    }
    unseen = bool(there) and not takers.of_queue
    return Clients(by_node, takers=takers.of_queue, unread=NOBODY_LISTED if unseen else None)


def _state(
    name: str, ready: int | None, consumers: int | None, listed: ListedQueue | None, unknown: dict[str, str]
) -> QueueState:
    unacked = listed.messages_unacknowledged if listed else None
    sent_at = listed.oldest_sent_at if listed else None
    known = {"unacked": unacked, "oldest_sent_at": sent_at}
    return QueueState(
        name,
        {0: ready or 0},
        unacked=unacked,
        consumers=consumers,
        oldest_sent_at=sent_at,
        unknown={field: why for field, why in unknown.items() if known.get(field) is None},
    )


def _declare(channel: Any, names: list[str]) -> dict[str, _Queue]:
    """Ask for these queues in one go, and return the answers up to the first error: what was asked behind it is lost.

    An error ends the channel; py-amqp opens it again by itself.
    """
    for name in names:
        channel.send_method(spec.Queue.Declare, "BsbbbbbF", (0, name, True, False, False, False, False, None))
    found: dict[str, _Queue] = {}
    for name in names:
        try:
            _, ready, consumers = channel.wait(spec.Queue.DeclareOk, returns_tuple=True)
        except NotFound:
            return {**found, name: MISSING}
        except ResourceLocked:
            return {**found, name: EXCLUSIVE}
        found[name] = _Queue(ready, consumers)
    return found


def _lives(connection: Any) -> bool:
    """Hear what the broker has said since it was last asked: nothing, if all is well."""
    try:
        connection.drain_events(timeout=0.0)
    except TimeoutError:
        return True
    except (AMQPError, OSError):
        return False
    return True


def _fits(broker: RabbitBroker) -> tuple[Broker, Messages]:
    """Let the type checker prove that the class fits its ports."""
    return broker, broker
