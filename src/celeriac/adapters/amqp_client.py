"""Connections for a RabbitMQ URL as Celery has it, of py-amqp and of Kombu, and what py-amqp's errors mean to a port."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import amqp
from amqp import exceptions
from kombu.transport import pyamqp
from kombu.utils.url import parse_url

from celeriac.core.errors import RefusedError, UnreachableError

PORT, TLS_PORT = 5672, 5671
TLS = "amqps"
SCHEMES = ("amqp", "pyamqp", TLS)
REFUSALS = (exceptions.AccessRefused, exceptions.NotAllowed, exceptions.PreconditionFailed, exceptions.ResourceLocked)


def connect(url: str, *, timeout: float, name: str, heartbeat: float = 0) -> amqp.Connection:
    """Return a connection for `amqp://`, `pyamqp://` or `amqps://`; `timeout` (seconds) bounds each exchange on it.

    `name` is what RabbitMQ's own pages call it. `heartbeat` (seconds) is what we ask for, 0 for none; the broker may
    want it shorter. With TLS the certificate and the name in it are checked, unless `ssl_cert_reqs` or
    `ssl_check_hostname` in the URL say otherwise; `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` name files.
    """
    parts = parse_url(url)
    tls = _tls(parts) if parts["transport"] == TLS else None
    connection = amqp.Connection(
        host=_address(parts["hostname"] or "localhost", parts["port"] or (TLS_PORT if tls else PORT)),
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        login_method="PLAIN",
        virtual_host=parts["virtual_host"] or "/",
        ssl=tls or False,
        connect_timeout=timeout,
        heartbeat=heartbeat,
        client_properties={"connection_name": name},
    )
    try:
        connection.connect()
    except BaseException:
        connection.collect()
        raise
    connection.sock.settimeout(timeout)
    return connection


class LimitedConnection(pyamqp.Connection):  # type: ignore[misc]
    """Kombu's connection to RabbitMQ, on which no exchange takes longer than connecting may."""

    def connect(self, callback: Any = None) -> None:
        # py-amqp's own `read_timeout` bounds only the wait for the beginning of a frame.
        super().connect(callback)
        self.sock.settimeout(self.connect_timeout)


class LimitedTransport(pyamqp.Transport):  # type: ignore[misc]
    """Kombu's transport for RabbitMQ with such connections."""

    Connection = LimitedConnection


def tls_apart(url: str) -> tuple[str, dict[str, Any] | None]:
    """Return the URL without its TLS options, and these as Celery's `broker_use_ssl`; None if it speaks no TLS.

    Kombu hands `ssl_*` options of a URL on under names that py-amqp does not have.
    """
    if not url.startswith(f"{TLS}://"):
        return url, None
    return url.partition("?")[0], _tls(parse_url(url))


@contextlib.contextmanager
def amqp_errors() -> Iterator[None]:
    """Raise what goes wrong inside as the port's errors."""
    try:
        yield
    except TimeoutError as error:
        raise UnreachableError("RabbitMQ does not answer in time") from error
    except REFUSALS as error:
        raise RefusedError(f"RabbitMQ refuses: {error.reply_text}") from error
    except (exceptions.AMQPError, OSError) as error:
        raise UnreachableError(f"RabbitMQ: {getattr(error, 'reply_text', None) or error}") from error


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls(parts: dict[str, Any]) -> dict[str, Any]:
    """Return py-amqp's own words for the options that Kombu reads from a URL."""
    options = {key.removeprefix("ssl_"): value for key, value in parts.get("ssl", {}).items()}
    checks_name = options.pop("check_hostname", True) and options.get("cert_reqs") != ssl.CERT_NONE
    return {"server_hostname": parts["hostname"] if checks_name else None, **options}
