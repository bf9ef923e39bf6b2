"""Celery's events through Kombu, for every transport that has no reader of its own here.

A queue of our own on the `celeryev` exchange, read as raw bodies.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from celery.events.event import get_exchange
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.exceptions import KombuError
from kombu.transport import virtual

from celeriac.adapters.content import Content
from celeriac.adapters.redis_client import REDIS, for_kombu, giving_nothing_back
from celeriac.core.errors import PortError, UnreachableError
from celeriac.ports import Condition, EventStream

CHUNK = 1000
"""Messages taken at most before they are handed over."""

MALFORMED = 20
"""So many malformed messages in a row are a broken connection."""

ROUTING_KEY = "celeriac.echo"
QUEUE = "celeriac.events"
"""One name leaves one queue behind at most; where a queue is shared (not on Redis), one observer of a cluster is heard."""


class _Tolerant(virtual.Message):  # type: ignore[misc]
    """A message whose envelope may be anything: an empty body stands for one that cannot be opened.

    Kombu takes envelopes apart unguarded, and what arrived behind a failing one would wait for the next arrival.
    """

    def __init__(self, payload: Any, channel: Any = None, **more: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **more)
        except (KeyError, TypeError, AttributeError, ValueError):
            super().__init__({"body": "", "properties": {"delivery_tag": "", "delivery_info": {}}}, channel=channel)


class KombuEvents:
    """`EventStream` over one connection; `timeout` (seconds) bounds each exchange, as far as the transport has a limit.

    `condition().cuts` counts the connections that ended without our asking: what was sent until the next one is lost
    where the transport keeps no queue for us.
    """

    def __init__(self, url: str, *, timeout: float = 3.0, allow_pickle: bool = False) -> None:
        self._url, self._options = for_kombu(url)
        if url.startswith(REDIS):  # other transports refuse options that they do not know
            limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "socket_keepalive": True}
            self._options |= {**limits, "client_name": "celeriac-observer", **giving_nothing_back(url)}
        self._timeout = timeout
        self._content = Content(allow_pickle=allow_pickle)
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._bodies: list[bytes] = []
        self._received = self._cuts = 0

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies that came within so many seconds, as soon as one came; connects first if need be."""
        with self._translated():
            connection = self._connected()
            wait = within
            with contextlib.suppress(TimeoutError):
                while len(self._bodies) < CHUNK:
                    self._drain(connection, wait)
                    wait = 0.001 if self._bodies else wait
        bodies, self._bodies = self._bodies, []
        self._received += 1
        return bodies

    def mark(self) -> int:
        """Return the number of calls of `receive` that returned."""
        return self._received

    def settle(self, mark: int) -> None:
        """Do nothing: messages are taken without acknowledgement."""

    def condition(self) -> Condition:
        """Return how the reader fares; asks nobody."""
        return Condition(reader="kombu", cuts=self._cuts, refused=self._content.refused)

    def _drain(self, connection: Connection, wait: float) -> None:
        try:
            connection.drain_events(timeout=wait)
        except (KeyError, TypeError, AttributeError, ValueError):
            # The message is gone; an empty body stands for it and is counted.
            if self._bodies[-MALFORMED:] == [b""] * MALFORMED:
                raise UnreachableError("nothing but malformed messages") from None
            self._bodies.append(b"")

    def send(self, event: dict[str, object]) -> None:
        """Publish one event of our own to everybody who listens."""
        with self._translated():
            connection = self._connected()
            producer = self._producer or Producer(connection)
            producer.publish(
                event, exchange=get_exchange(connection), routing_key=ROUTING_KEY, serializer="json", delivery_mode=1
            )

    def close(self) -> None:
        """Drop the connection; the next `receive` makes a new one."""
        connection, self._connection = self._connection, None
        self._consumer = self._producer = None
        if connection is not None:
            with contextlib.suppress(Exception):  # it may be broken already: nothing is left to save
                connection.release()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._url, transport_options=self._options, connect_timeout=self._timeout)
            self._connection.ensure_connection(max_retries=0)  # else Kombu waits 2 s and tries again
            channel = self._connection.channel()
            if channel.Message is virtual.Message:
                channel.Message = _Tolerant
            queue = Queue(
                QUEUE,
                exchange=get_exchange(self._connection),
                routing_key="#",
                auto_delete=True,
                durable=False,
            )
            consumer = Consumer(channel, [queue], on_message=self._take, no_ack=True)
            consumer.consume()
            self._consumer, self._producer = consumer, Producer(channel)
        return self._connection

    def _take(self, message: Message) -> None:
        body, kind, encoding = message.body, message.content_type, message.content_encoding
        body = body.encode() if isinstance(body, str) else body
        if message.errors or not isinstance(body, bytes | bytearray | memoryview) or not isinstance(kind, str):
            self._bodies.append(b"")
        else:  # Kombu has unpacked it already
            self._bodies.append(
                self._content.as_json(bytes(body), kind, encoding if isinstance(encoding, str) else None)
            )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._lose()
            raise UnreachableError("the broker does not answer in time") from None
        except PortError:
            self._lose()
            raise
        except Exception as error:
            kinds = self._connection.connection_errors + self._connection.channel_errors if self._connection else ()
            self._lose()
            if isinstance(error, (*kinds, OSError, KombuError)):
                raise UnreachableError(str(error) or type(error).__name__) from error
            raise

    def _lose(self) -> None:
        self._cuts += self._consumer is not None
        self.close()


def _fits(stream: KombuEvents) -> EventStream:
    """Let the type checker prove that the class fits its port."""
    return stream
