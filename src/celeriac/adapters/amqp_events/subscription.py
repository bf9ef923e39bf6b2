"""One connection with our queue's only consumer on it: py-amqp opens it and writes, our own reader reads."""

import contextlib
import ssl
import time
from typing import Any

import amqp
import msgspec
from amqp import exceptions, spec
from amqp.serialization import loads

from celeriac.adapters.amqp_client import connect
from celeriac.adapters.amqp_events.bodies import Bodies
from celeriac.adapters.amqp_events.frames import BrokenFrameError, Frames, Method
from celeriac.adapters.content import JSON
from celeriac.core.errors import ConflictError, UnreachableError

EXCHANGE = "celeryev"
ROUTING_KEY = "celeriac.echo"

PREFETCH = 50_000
"""So many messages may be on their way to the store before the broker waits: two flushes of all that it can deliver.

A limit that fills between two flushes stops the flow: with 20,000 messages of six events a fifth of the rate was gone.
"""

AT_ONCE = 256 << 10
"""So many bytes are read at most, so that the caller can fold and store in between."""

HEARTBEAT_S = 10.0
"""After three of them RabbitMQ gives up a connection that is half open; until then nobody else can read our queue."""

QUEUE_BOUNDS = {
    "x-expires": 3_600_000,
    "x-max-length-bytes": 256 << 20,
    "x-overflow": "drop-head",
}
"""Our queue must never hurt production: without a reader it goes after an hour (ms), and the oldest goes when it is full."""

NOTHING_YET = (TimeoutError, BlockingIOError, ssl.SSLWantReadError)


class Subscription:
    """Our durable queue, bound to Celery's events, and its consumer; `timeout` (seconds) bounds each exchange.

    `tag` is the last delivery tag handed out, `waiting` how many bytes wait in the queue as far as the broker has said
    lately. Methods raise what py-amqp and the socket raise, and UnreachableError or ConflictError where there is more to
    say; after an error only `drop` is of use.
    """

    def __init__(self, url: str, queue: str, bodies: Bodies, *, timeout: float) -> None:
        self._queue, self._timeout = queue, timeout
        self._connection = connect(url, timeout=timeout, name="celeriac-observer", heartbeat=HEARTBEAT_S)
        self._socket = self._connection.sock
        self._messages_waiting = self._received = self._bytes = 0
        self._blocked: str | None = None
        self._heard_at = self._spoke_at = time.monotonic()
        try:
            self._channel = self._connection.channel()
            self._frames = Frames(self._channel.channel_id, self._connection.frame_max, bodies.plain, bodies.as_json)
            self._subscribe()
        except BaseException:
            self.drop()
            raise

    @property
    def tag(self) -> int:
        return self._frames.tag

    @property
    def waiting(self) -> int:
        return self._messages_waiting * max(1, self._bytes // max(1, self._received))

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies that came within so many seconds, as soon as one came."""
        deadline = time.monotonic() + within
        while True:
            left = deadline - time.monotonic()
            bodies = self._take(max(0.0, min(left, HEARTBEAT_S / 4)))
            if bodies or left <= 0:
                return bodies

    def settle(self, tag: int) -> None:
        """Tell the broker, at once, to forget all up to this delivery tag, which is none of before."""
        self._speaking()
        self._channel.basic_ack(tag, multiple=True)

    def send(self, event: dict[str, object]) -> None:
        """Publish one event, and ask how many messages wait; the answer comes among what is received."""
        if self._blocked is not None:
            raise UnreachableError(f"RabbitMQ takes no messages from anybody: {self._blocked}")
        self._speaking()
        message = amqp.Message(
            msgspec.json.encode(event),
            content_type=JSON,
            content_encoding="utf-8",
            application_headers={"hostname": event.get("hostname")},
            delivery_mode=1,
        )
        # py-amqp's `basic_publish` would read from the socket first, and its `queue_declare` would wait for an answer.
        self._channel.send_method(spec.Basic.Publish, "Bssbb", (0, EXCHANGE, ROUTING_KEY, False, False), message)
        passive = (0, self._queue, True, False, False, False, False, None)
        self._channel.send_method(spec.Queue.Declare, "BsbbbbbF", passive)

    def leave(self) -> None:
        """Say goodbye and wait for the answer, so that what was settled last is known to be heard."""
        deadline = time.monotonic() + self._timeout
        with contextlib.suppress(exceptions.AMQPError, OSError, BrokenFrameError):
            self._speaking()
            self._connection.send_method(spec.Connection.Close, "BsBB", (200, "", 0, 0))
            while (left := deadline - time.monotonic()) > 0 and not self._answered(spec.Connection.CloseOk):
                self._frames.take(self._read(left))
        self.drop()

    def drop(self) -> None:
        """Let the connection go; what is not settled comes again."""
        self._connection.collect()

    def _subscribe(self) -> None:
        channel = self._channel
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        declared = channel.queue_declare(
            self._queue, durable=True, exclusive=False, auto_delete=False, arguments=QUEUE_BOUNDS
        )
        self._messages_waiting = declared.message_count
        channel.queue_bind(self._queue, EXCHANGE, "#")
        channel.basic_qos(0, PREFETCH, False)
        try:
            channel.basic_consume(self._queue, consumer_tag="celeriac", exclusive=True)
        except exceptions.AccessRefused as error:
            if "exclusive use" not in error.reply_text:
                raise
            raise ConflictError(
                f"another observer reads the queue {self._queue}, which has one reader only, "
                "or RabbitMQ has not yet given up our connection before this one"
            ) from error
        # py-amqp reads each frame exactly, so nothing of ours is left with it.

    def _take(self, within: float) -> list[bytes]:
        data = self._read(within)
        self._keep_alive()
        bodies = self._frames.take(data) if data else []
        self._received += len(bodies)
        self._bytes += len(data)
        while self._frames.methods:
            self._answer(self._frames.methods.pop(0))
        return bodies

    def _read(self, within: float) -> bytes:
        self._socket.settimeout(within)
        try:
            data: bytes = self._socket.recv(AT_ONCE)
        except NOTHING_YET:
            return b""
        if not data:
            raise ConnectionResetError("the connection was closed by the server")
        self._heard_at = time.monotonic()
        return data

    def _keep_alive(self) -> None:
        """Send a heartbeat if one is due; two intervals without any sign of life are the end."""
        every, now = self._connection.heartbeat, time.monotonic()
        if not every:
            return
        if now - self._heard_at > 2 * every:
            raise UnreachableError(f"RabbitMQ has sent no heartbeat for {now - self._heard_at:.0f} s")
        if now - self._spoke_at > every / 2:
            self._speaking()
            self._connection.send_heartbeat()

    def _speaking(self) -> None:
        self._socket.settimeout(self._timeout)
        self._spoke_at = time.monotonic()

    def _answer(self, method: Method) -> None:
        match method.signature:
            case spec.Queue.DeclareOk:
                self._messages_waiting = _arguments("sll", method)[1]
            case spec.Connection.Blocked:
                self._blocked = _arguments("s", method)[0]
            case spec.Connection.Unblocked:
                self._blocked = None
            case spec.Basic.Cancel:
                raise UnreachableError(f"RabbitMQ has ended our subscription: the queue {self._queue} is gone")
            case spec.Connection.Close:
                self._end(self._connection, spec.Connection.CloseOk, method)
            case spec.Channel.Close:
                self._end(self._channel, spec.Channel.CloseOk, method)

    def _answered(self, signature: tuple[int, int]) -> bool:
        return any(method.signature == signature for method in self._frames.methods)

    def _end(self, what: Any, answer: tuple[int, int], method: Method) -> None:
        code, text, *offending = _arguments("BsBB", method)
        self._speaking()
        what.send_method(answer)
        raise exceptions.error_for_code(code, text, tuple(offending), exceptions.ConnectionError)


def _arguments(types: str, method: Method) -> list[Any]:
    found: list[Any] = loads(types, method.arguments, 0)[0]
    return found
