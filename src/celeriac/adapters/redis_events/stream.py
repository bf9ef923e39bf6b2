"""The event stream on Redis: one subscription for what comes, one ordinary connection for what is sent."""

from celeriac.adapters.content import Content
from celeriac.adapters.redis_client import close, database, redis_client, redis_errors
from celeriac.adapters.redis_events.envelope import EXCHANGE, opened, sealed
from celeriac.adapters.redis_events.subscription import Subscription
from celeriac.ports import Condition, EventStream

ROUTING_KEY = "celeriac.echo"


class RedisEvents:
    """`EventStream` on Redis: `redis://`, `rediss://`, or Kombu's list of sentinels (`redis_client`).

    `timeout` (seconds) bounds each exchange with Redis, and is the silence after which it is asked for a sign of life.
    `buffer_bytes` is how much waits in memory at most; then the socket is not read until there is room, and Redis cuts
    us off by its own limit (`client-output-buffer-limit pubsub`). Not for more than one thread.

    `condition().cuts` counts the subscriptions that ended without our asking: cut off for slowness, killed, lost with
    the network or with Redis itself. What was published between a cut and the next subscription is lost in each case,
    and Redis tells nobody how much.
    """

    def __init__(
        self, url: str, *, timeout: float = 3.0, buffer_bytes: int = 512 << 20, allow_pickle: bool = False
    ) -> None:
        self._client = redis_client(url, timeout=timeout, name="celeriac-observer")
        # Kombu's default `fanout_prefix`: pub/sub ignores the number of the database, so the channel carries it.
        self._channels = f"/{database(url)}.{EXCHANGE}/"
        self._timeout, self._bound = timeout, buffer_bytes
        self._content = Content(allow_pickle=allow_pickle)
        self._subscription: Subscription | None = None
        self._received = self._cuts = 0

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies (JSON) that came within so many seconds, as soon as one came; connects first if need be.

        An empty body stands for a message that cannot be read. At most about 256 KB are returned at once. After a cut
        or `close`, what had come before is returned first.
        """
        with redis_errors():
            subscription = self._subscribed()
            try:
                payloads = subscription.payloads(within)
            except Exception:
                self._cuts += 1
                subscription.close()
                self._subscription = None
                raise
        self._received += 1
        return opened(payloads, self._content)

    def mark(self) -> int:
        """Return the number of calls of `receive` that returned."""
        return self._received

    def settle(self, mark: int) -> None:
        """Do nothing: pub/sub keeps nothing."""

    def send(self, event: dict[str, object]) -> None:
        """Publish one event of our own, as Celery's dispatcher would, on a connection beside the subscription."""
        with redis_errors():
            self._client.publish(self._channels + ROUTING_KEY, sealed(event, ROUTING_KEY))

    def condition(self) -> Condition:
        """Return how the reader fares; asks nobody."""
        return Condition(
            reader="redis",
            backlog_bytes=self._subscription.backlog if self._subscription else 0,
            cuts=self._cuts,
            refused=self._content.refused,
        )

    def close(self) -> None:
        """Drop the connections; what has come already is returned by the next `receive`, then it connects anew."""
        if self._subscription is not None:
            self._subscription.close()
        close(self._client)

    def _subscribed(self) -> Subscription:
        current = self._subscription
        if current is None or (current.closed and not current.backlog):
            self._subscription = None
            self._subscription = current = Subscription(
                self._client.connection_pool, self._channels + "*", bound=self._bound, within=self._timeout
            )
        return current


def _fits(stream: RedisEvents) -> EventStream:
    """Let the type checker prove that the class fits its port."""
    return stream
