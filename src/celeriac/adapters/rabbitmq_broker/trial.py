"""What our account may do on a virtual host of RabbitMQ, tried without leaving anything behind.

RabbitMQ looks at rights before all else (read in 3.10: `rabbit_channel`), so an exchange that is there is declared anew,
which changes nothing; a queue of the trial's own is exclusive, and goes with its connection; and a message is published that
no broker takes, for its expiration is no number. RabbitMQ writes each refusal into its log.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import amqp
from amqp import exceptions
from kombu.utils.url import parse_url

from celeriac.adapters.amqp_client import amqp_errors, connect
from celeriac.adapters.rabbitmq_broker.management import Management
from celeriac.checkup_ports import BrokerTrial
from celeriac.core.checkup.facts import Access, Purpose

EVENTS = "celeryev"
CONTROL = "celery.pidbox"
REPLIES = "reply.celery.pidbox"
OURS = r"^(celeryev|(.*\.)?(reply\.)?celery\.pidbox|celeriac\.events\..*)$"
"""All that we declare, write to and read from, as a pattern of RabbitMQ's permissions."""

NO_NUMBER = "none"


class _Missing(Exception):  # noqa: N818 (no error: nothing can be tried)
    """The exchange is not there, so nothing can be tried on it."""


class _Step(NamedTuple):
    """One thing that we do: the right that it needs, in words, and how it is tried on a channel."""

    needs: str
    attempt: Callable[[Any], object]


class RabbitTrial:
    """`BrokerTrial` on RabbitMQ; `queues` is how the names of our event queues begin, `timeout` (seconds) bounds each exchange."""

    def __init__(self, url: str, queues: str, *, management: Management | None = None, timeout: float = 3.0) -> None:
        self._url, self._queues = url, queues
        self._management, self._timeout = management, timeout
        parts = parse_url(url)
        user, vhost = parts["userid"] or "guest", parts["virtual_host"] or "/"
        self._fix = f"rabbitmqctl set_permissions -p '{vhost}' '{user}' '{OURS}' '{OURS}' '{OURS}'"

    def access(self) -> tuple[Access, ...]:
        """Return what RabbitMQ would refuse of all that we ask of it; that queues are declared passively it refuses nobody."""
        mark = secrets.token_hex(4)
        with amqp_errors():
            connection = connect(self._url, timeout=self._timeout, name="celeriac-doctor")
            try:
                return (
                    self._tried(connection, Purpose.EVENTS, _hearing(self._queues, mark)),
                    self._tried(connection, Purpose.CONTROL, _asking(mark)),
                )
            finally:
                connection.collect()

    def heartbeats(self) -> dict[str, float] | None:
        """Return the AMQP heartbeat that each worker and RabbitMQ have agreed on; None without the management API."""
        return self._management.heartbeats() if self._management else None

    def close(self) -> None:
        """Close the connections to the management API."""
        if self._management is not None:
            self._management.close()

    def _tried(self, connection: Any, purpose: Purpose, steps: Iterator[_Step]) -> Access:
        tried, refused, missing = [], [], []
        for step in steps:
            tried.append(step.needs)
            try:
                _attempt(connection, step)
            except exceptions.AccessRefused as error:
                refused.append(_right(step.needs, error))
            except _Missing as error:
                missing.append(str(error))
            except exceptions.NotFound:
                pass  # an earlier step was refused: the queue is not there
        unsure = (
            f"no worker has spoken yet on this virtual host: there is no exchange {missing[0]}" if missing else None
        )
        return Access(
            purpose,
            tuple(dict.fromkeys(tried)),
            tuple(dict.fromkeys(refused)),
            self._fix if refused else None,
            unsure,
        )


def _hearing(queues: str, mark: str) -> Iterator[_Step]:
    """Return what an observer does."""
    yield from _own_queue(f"{queues}doctor-{mark}", f"{queues}*", EVENTS)
    yield _Step(f"configure on {EVENTS}", lambda channel: _declare_again(channel, EVENTS, "topic", durable=True))
    yield _Step(f"write on {EVENTS}", lambda channel: _publish_nothing(channel, EVENTS))


def _asking(mark: str) -> Iterator[_Step]:
    """Return what remote control does (read in kombu 5.7: `kombu.pidbox`)."""
    yield from _own_queue(f"doctor-{mark}.{REPLIES}", f"*.{REPLIES}", REPLIES)
    yield _Step(f"configure on {REPLIES}", lambda channel: _declare_again(channel, REPLIES, "direct", durable=False))
    yield _Step(f"configure on {CONTROL}", lambda channel: _declare_again(channel, CONTROL, "fanout", durable=False))
    yield _Step(f"write on {CONTROL}", lambda channel: _publish_nothing(channel, CONTROL))


def _own_queue(queue: str, like: str, exchange: str) -> Iterator[_Step]:
    yield _Step(f"configure on {like}", lambda channel: channel.queue_declare(queue, exclusive=True, auto_delete=False))
    yield _Step(f"write on {like}, read on {exchange}", lambda channel: _bind(channel, queue, exchange))
    yield _Step(f"read on {like}", lambda channel: channel.basic_consume(queue, no_ack=True))


def _attempt(connection: Any, step: _Step) -> None:
    """Try one step on a channel of its own, since a refusal ends the channel."""
    channel = connection.channel()
    try:
        step.attempt(channel)
    finally:
        if channel.is_open:
            channel.close()


def _declare_again(channel: Any, exchange: str, kind: str, *, durable: bool) -> None:
    _look(channel, exchange)
    try:
        channel.exchange_declare(exchange, kind, durable=durable, auto_delete=False)
    except exceptions.PreconditionFailed:
        return  # somebody made it otherwise: we may declare it, and that is asked


def _bind(channel: Any, queue: str, exchange: str) -> None:
    _look(channel, exchange)
    channel.queue_bind(queue, exchange, "celeriac.doctor")


def _publish_nothing(channel: Any, exchange: str) -> None:
    _look(channel, exchange)
    channel.basic_publish(amqp.Message(b"", expiration=NO_NUMBER), exchange, "celeriac.doctor")
    try:
        channel.basic_qos(0, 1, False)  # waits for an answer; the refusal comes before it
    except exceptions.PreconditionFailed:
        return


def _look(channel: Any, exchange: str) -> None:
    """See that an exchange is there, without which nothing can be tried; that needs no right."""
    try:
        channel.exchange_declare(exchange, "topic", passive=True, auto_delete=False)
    except exceptions.NotFound:
        raise _Missing(exchange) from None


def _right(needs: str, error: exceptions.AccessRefused) -> str:
    """Return the right that was missing: of two, the one on what RabbitMQ names."""
    if "," not in needs:
        return needs
    on_queue, on_exchange = needs.split(", ")
    return on_exchange if "exchange" in str(error.reply_text) else on_queue


def _fits(trial: RabbitTrial) -> BrokerTrial:
    """Let the type checker prove that the class fits its port."""
    return trial
