"""What RabbitMQ's management API tells beyond AMQP: who consumes which queue, and what is on its way.

A worker is known by the consumer of its remote-control queue, `<node>.celery.pidbox`. With the pools prefork, solo and
threads it consumes tasks over that same connection (read in Celery 5.3.6, 5.4.0, 5.5.3, 5.6.3 and 5.7.0:
`worker.pidbox.Pidbox.start` and `worker.consumer.tasks.Tasks.start` both take channels of `c.connection`; seen with a worker
of each on RabbitMQ 3.10). With gevent and eventlet remote control has a connection of its own (`worker.pidbox.gPidbox.loop`;
seen with gevent), so of those nothing follows: whoever concludes must know the pool.

RabbitMQ collects the list every 5 s (less often if its `sample_retention_policies` say so). A new consumer is in it within
that time, and one that is gone leaves it at once (measured on 3.10). The part of a node of RabbitMQ's cluster that cannot be
asked is missing, and so are the consumers of other users where ours has no more than the tag `management` (measured). Hence
two guards for whoever concludes that a consumer is missing: `lasting_s`, for how long just this was seen; and the number of
all consumers listed, which must be the one that the queue itself tells over AMQP.
"""

import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from celeriac.adapters.rabbitmq_broker.requests import Requests
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Taking

PIDBOX_END = ".celery.pidbox"
FRESH_S = 5.0
"""An answer serves for so long, as RabbitMQ itself collects anew every 5 s."""

MOST_QUEUES = 500
QUEUE_COLUMNS = "name,exclusive,consumers,messages_ready,messages_unacknowledged,head_message_timestamp"
CONSUMER_COLUMNS = (
    "queue.name,channel_details.name,channel_details.connection_name,active,activity_status,prefetch_count"
)
CHANNEL_COLUMNS = "name,state,messages_unacknowledged,global_prefetch_count"
CONNECTION_COLUMNS = "name,timeout"

NO_TASKS = re.compile(r"celeryev\.|celeriac\.events\.|.*\.celery\.pidbox$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""Queues for events, ours among them, for remote control and its replies, and for results by `rpc://`."""


class ListedQueue(Struct, frozen=True):
    """One queue; what RabbitMQ has not counted yet is None."""

    name: str
    exclusive: bool = False
    consumers: int | None = None
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    head_message_timestamp: int | str | None = None
    """Seconds since the epoch, where the publisher set any."""

    @property
    def oldest_sent_at(self) -> float | None:
        stamp = self.head_message_timestamp
        return float(stamp) if isinstance(stamp, int) and stamp > 0 else None

    @property
    def of_tasks(self) -> bool:
        """Tell whether it may hold tasks, and is worth a line."""
        return not self.exclusive and not NO_TASKS.match(self.name) and bool(self.messages_ready or self.consumers)


class _Page(Struct, frozen=True):
    items: list[ListedQueue]


class _QueueName(Struct, frozen=True):
    name: str


class _OfChannel(Struct, frozen=True):
    name: str
    connection_name: str


class _Listed(Struct, frozen=True):
    """One consumer; its channel is an empty list while RabbitMQ knows none."""

    queue: _QueueName
    channel_details: _OfChannel | list[object]
    active: bool = True
    activity_status: str = "up"
    prefetch_count: int = 0

    @property
    def channel(self) -> str:
        return self.channel_details.name if isinstance(self.channel_details, _OfChannel) else ""

    @property
    def connection(self) -> str:
        return self.channel_details.connection_name if isinstance(self.channel_details, _OfChannel) else ""


class _Channel(Struct, frozen=True):
    name: str
    state: str = ""
    messages_unacknowledged: int | None = None
    global_prefetch_count: int = 0


class _Connection(Struct, frozen=True):
    name: str = ""
    timeout: float | None = None
    """Seconds between two AMQP heartbeats, as both sides have agreed; None while it is not counted yet."""


class Takers(Struct, frozen=True):
    """Who takes what: by node name, and the number of all consumers of each queue."""

    by_node: dict[str, Taking] = {}
    of_queue: dict[str, int] = {}


class Management:
    """Reads one virtual host, and remembers from read to read for how long each worker has consumed just what it does.

    A few answers serve all who ask within some seconds. Raises the port errors of `Requests`.
    """

    def __init__(self, requests: Requests, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._requests, self._monotonic = requests, monotonic
        self._lock = threading.Lock()
        self._takers: tuple[float, Takers] | None = None
        self._since: dict[str, tuple[frozenset[tuple[str, str]], float]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._requests.close()

    def queues(self) -> dict[str, ListedQueue]:
        """Return the fullest queues of the virtual host, by name."""
        page = self._requests.get(
            "/api/queues/VHOST",
            _Page,
            columns=QUEUE_COLUMNS,
            page=1,
            page_size=MOST_QUEUES,
            sort="messages",
            sort_reverse="true",
        )
        return {one.name: one for one in page.items}

    def heartbeats(self) -> dict[str, float]:
        """Return the seconds between two AMQP heartbeats of each worker's connection (0: none), by node name."""
        listed = self._requests.get("/api/consumers/VHOST", list[_Listed], columns=CONSUMER_COLUMNS)
        told = self._requests.get("/api/vhosts/VHOST/connections", list[_Connection], columns=CONNECTION_COLUMNS)
        agreed = {one.name: one.timeout for one in told}
        found: dict[str, float] = {}
        for node, taken in _by_node(listed).items():
            seconds = [each for one in taken if (each := agreed.get(one.connection)) is not None]
            if seconds:
                found[node] = max(seconds)
        return found

    def takers(self) -> Takers:
        """Return who consumes what, as of some seconds ago at most."""
        if not self._lock.acquire(timeout=1.0):
            raise UnreachableError("RabbitMQ's management API is still being asked")
        try:
            if self._takers is None or self._monotonic() - self._takers[0] >= FRESH_S:
                self._takers = (self._monotonic(), self._asked())
            return self._takers[1]
        except BaseException:
            self._takers, self._since = None, {}  # what happens meanwhile is not seen
            raise
        finally:
            self._lock.release()

    def _asked(self) -> Takers:
        listed = self._requests.get("/api/consumers/VHOST", list[_Listed], columns=CONSUMER_COLUMNS)
        told = self._requests.get("/api/vhosts/VHOST/channels", list[_Channel], columns=CHANNEL_COLUMNS)
        channels = {one.name: one for one in told}
        of_nodes = _by_node(listed)
        self._remember(of_nodes)
        now = self._monotonic()
        by_node = {node: _taking(taken, channels, now - self._since[node][1]) for node, taken in of_nodes.items()}
        return Takers(by_node, dict(Counter(one.queue.name for one in listed)))

    def _remember(self, of_nodes: Mapping[str, list[_Listed]]) -> None:
        """Note since when each worker consumes just these queues, over just these connections."""
        now, before = self._monotonic(), self._since
        self._since = {}
        for node, taken in of_nodes.items():
            just = frozenset((one.connection, one.queue.name) for one in taken)
            same = node in before and before[node][0] == just
            self._since[node] = before[node] if same else (just, now)


def _by_node(listed: Iterable[_Listed]) -> dict[str, list[_Listed]]:
    """Return the consumers of each worker: those of the connections over which it hears remote control."""
    of_connection: dict[str, list[_Listed]] = defaultdict(list)
    for one in listed:
        if one.connection:
            of_connection[one.connection].append(one)
    found: dict[str, list[_Listed]] = defaultdict(list)
    for together in of_connection.values():
        for box in together:
            node = box.queue.name.removesuffix(PIDBOX_END)
            if node != box.queue.name and "@" in node:
                found[node] += together
    return found


def _taking(taken: list[_Listed], channels: Mapping[str, _Channel], lasting_s: float) -> Taking:
    tasks = [one for one in taken if not NO_TASKS.match(one.queue.name)]
    theirs = [channels[name] for name in sorted({one.channel for one in tasks}) if name in channels]
    unacked = [one.messages_unacknowledged for one in theirs if one.messages_unacknowledged is not None]
    held = {one.queue.name: why for one in tasks if (why := _held(one, channels.get(one.channel)))}
    return Taking(
        queues=tuple(sorted({one.queue.name for one in tasks})),
        lasting_s=lasting_s,
        unacked=sum(unacked) if unacked else None,
        held=held,
    )


def _held(one: _Listed, channel: _Channel | None) -> str | None:
    """Return why RabbitMQ gives this consumer no message just now, if so."""
    if not one.active:
        return f"another is the single active consumer of {one.queue.name} (its own is {one.activity_status})"
    if channel is None:
        return None
    most, unacked = channel.global_prefetch_count or one.prefetch_count, channel.messages_unacknowledged
    if most and unacked is not None and unacked >= most:
        return f"it has {unacked} messages unacknowledged, and RabbitMQ gives it {most} at most"
    return "RabbitMQ holds its channel back (flow)" if channel.state == "flow" else None
