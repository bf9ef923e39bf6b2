"""The event stream on RabbitMQ: a subscription that is made anew after each error."""

import contextlib
from collections.abc import Iterator

from celeriac.adapters.amqp_client import amqp_errors
from celeriac.adapters.amqp_events.bodies import Bodies
from celeriac.adapters.amqp_events.frames import BrokenFrameError
from celeriac.adapters.amqp_events.subscription import Subscription
from celeriac.adapters.content import Content
from celeriac.core.errors import UnreachableError
from celeriac.ports import Condition, EventStream

TAG_BITS = 48
"""A mark is the number of our connection and a delivery tag of it: each connection counts its tags from 1."""


class AmqpEvents:
    """`EventStream` on RabbitMQ: `amqp://`, `amqps://` or `pyamqp://` (`amqp_client.connect`).

    `queue` is the name of our own queue, which has one reader at a time; `timeout` (seconds) bounds each exchange with
    the broker. What was received and not settled comes again on the next connection. Not for more than one thread.

    `condition().backlog_bytes` is what waits in our queue, as the broker has said at the last `send`; `cuts` counts the
    connections that ended while something waited there. Nothing is lost by a cut: what the queue dropped because it was
    full is not told by AMQP.
    """

    def __init__(self, url: str, queue: str, *, timeout: float = 3.0, allow_pickle: bool = False) -> None:
        self._url, self._queue, self._timeout = url, queue, timeout
        self._content = Content(allow_pickle=allow_pickle)
        self._bodies = Bodies(self._content)
        self._subscription: Subscription | None = None
        self._connections = self._settled = self._cuts = 0

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies (JSON) that came within so many seconds, as soon as one came; connects first if need be."""
        with self._guarded():
            return self._subscribed().receive(within)

    def mark(self) -> int:
        """Return what stands for all that `receive` has returned on this connection."""
        return self._connections << TAG_BITS | (self._subscription.tag if self._subscription else 0)

    def settle(self, mark: int) -> None:
        """Let the broker forget all up to that mark; one of an earlier connection settles nothing."""
        # A tag of 0 would settle all there is.
        if self._subscription is None or mark <= max(self._settled, self._connections << TAG_BITS):
            return
        with self._guarded():
            self._subscription.settle(mark & (1 << TAG_BITS) - 1)
        self._settled = mark

    def send(self, event: dict[str, object]) -> None:
        """Publish one event of our own to everybody who listens."""
        with self._guarded():
            self._subscribed().send(event)

    def condition(self) -> Condition:
        """Return how the reader fares; asks nobody."""
        return Condition(
            reader="rabbitmq",
            keeps=True,
            backlog_bytes=self._subscription.waiting if self._subscription else 0,
            cuts=self._cuts,
            refused=self._content.refused,
        )

    def close(self) -> None:
        """Say goodbye to the broker; the next `receive` makes a new connection."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.leave()

    def _subscribed(self) -> Subscription:
        if self._subscription is None:
            self._subscription = Subscription(self._url, self._queue, self._bodies, timeout=self._timeout)
            self._connections += 1
        return self._subscription

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Drop the connection after any error, and raise it as the port's."""
        try:
            with amqp_errors():
                yield
        except BrokenFrameError as error:
            self._cut()
            raise UnreachableError(f"RabbitMQ: {error}") from error
        except BaseException:
            self._cut()
            raise

    def _cut(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._cuts += subscription.waiting > 0
            subscription.drop()


def _fits(stream: AmqpEvents) -> EventStream:
    """Let the type checker prove that the class fits its port."""
    return stream
