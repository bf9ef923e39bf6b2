"""Celery's events through Kombu: an exclusive queue of our own on the `celeryev` exchange, read as raw bodies."""

import contextlib
from collections.abc import Iterator
from typing import Any

from celery.events.event import get_exchange
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.exceptions import KombuError
from kombu.transport import virtual

from celeriac.core.errors import PortError, UnreachableError
from celeriac.ports import EventStream

CHUNK = 1000
"""Messages taken at most before they are handed over."""

MALFORMED = 20
"""So many malformed messages in a row are a broken connection."""

ROUTING_KEY = "celeriac.echo"
QUEUE = "celeriac.events"
"""On Redis each subscriber has its own copy whatever the queue is called; one name leaves one entry behind at most."""


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
    """`EventStream` over one connection; `timeout` (seconds) bounds each exchange with the broker."""

    def __init__(self, url: str, *, timeout: float = 3.0) -> None:
        self._url = url
        self._options = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "socket_keepalive": True,
            "client_name": "celeriac-observer",
        }
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._bodies: list[bytes] = []

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
        return bodies

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
            self._connection = Connection(self._url, transport_options=self._options, connect_timeout=3)
            self._connection.ensure_connection(max_retries=0)  # else Kombu waits 2 s and tries again
            channel = self._connection.channel()
            channel.Message = _Tolerant
            queue = Queue(
                QUEUE,
                exchange=get_exchange(self._connection),
                routing_key="#",
                auto_delete=True,
                durable=False,
            )
            self._consumer = Consumer(channel, [queue], on_message=self._take, no_ack=True)
            self._consumer.consume()
            self._producer = Producer(channel)
        return self._connection

    def _take(self, message: Message) -> None:
        body = message.body
        body = body.encode() if isinstance(body, str) else body
        self._bodies.append(bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b"")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self.close()
            raise UnreachableError("the broker does not answer in time") from None
        except PortError:
            self.close()
            raise
        except Exception as error:
            kinds = self._connection.connection_errors + self._connection.channel_errors if self._connection else ()
            self.close()
            if isinstance(error, (*kinds, OSError, KombuError)):
                raise UnreachableError(str(error) or type(error).__name__) from error
            raise


def _fits(stream: KombuEvents) -> EventStream:
    """Let the type checker prove that the class fits its port."""
    return stream
