"""A redis-py client for a broker's URL as Celery has it, and what its errors mean to a port."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from celeriac.core.errors import RefusedError, UnreachableError

SENTINEL = "sentinel://"
REDIS = ("redis://", "rediss://", SENTINEL)
SENTINEL_PORT = 26379
NEVER_S = 3_000_000_000.0
"""Seconds, more than have passed since the epoch."""


def redis_client(url: str, *, timeout: float, name: str) -> redis.Redis:
    """Return a client for `redis://`, `rediss://`, or Kombu's list of sentinels; `timeout` (seconds) bounds each exchange.

    `name` is what Redis calls its connections. Sentinels are given as Kombu has them, with the master's name at the end:
    `sentinel://a:26379;sentinel://b:26379/0?master_name=mymaster`. As in Kombu the first one's user, password and
    database are those of the master. Nothing is tried twice: who asks has a back-off of its own.
    """
    # Celery's own spelling of this option (CERT_REQUIRED) is none of redis-py's.
    plain = re.sub(r"(?<=ssl_cert_reqs=)CERT_(\w+)", lambda found: found[1].lower(), url)
    limits: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }
    options = limits | {"client_name": name, "protocol": 2}
    if plain.startswith(SENTINEL):
        return _through_sentinels(plain, limits, options)
    return redis.Redis.from_url(plain, **options)


def _through_sentinels(url: str, limits: dict[str, Any], options: dict[str, Any]) -> redis.Redis:
    addresses, _, query = url.partition("?")
    parts = [urlsplit(one) for one in addresses.split(";")]
    asked: dict[str, Any] = parse_url(f"redis://?{query}")  # type: ignore[no-untyped-call]
    service = asked.pop("master_name")
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [(one.hostname, one.port or SENTINEL_PORT) for one in parts],
        sentinel_kwargs=limits,
        username=unquote(parts[0].username or "") or None,
        password=unquote(parts[0].password or "") or None,
        db=database(url),
        ssl=bool(asked),  # as in Kombu
        **asked,
        **options,
    )
    client: redis.Redis = sentinels.master_for(service)  # type: ignore[no-untyped-call]
    return client


def close(client: redis.Redis) -> None:
    """Close the connections of a client, those to the sentinels too; it opens new ones when it is used again."""
    client.close()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        client.connection_pool.sentinel_manager.close()


def giving_nothing_back(url: str) -> dict[str, object]:
    """Return the transport option for who listens through Kombu on a Redis; none for other brokers.

    Kombu gives messages back to their queues that anybody has taken longer ago than the listener's own visibility timeout, an
    hour by default (`kombu.transport.redis.QoS.restore_visible`): with ours, tasks that workers still run would run twice.
    """
    return {"visibility_timeout": NEVER_S} if url.startswith(REDIS) else {}


def for_kombu(url: str) -> tuple[str, dict[str, object]]:
    """Return the URL as Kombu takes it, and the transport options that it wants apart from it: the master's name."""
    if not url.startswith(SENTINEL):
        return url, {}
    addresses, _, query = url.partition("?")
    options = dict(parse_qsl(query))
    master = options.pop("master_name")
    first, *others = addresses.split(";")
    return ";".join([f"{first}?{urlencode(options)}", *others]), {"master_name": master}


def database(url: str) -> int:
    """Return the number of the database; Kombu's channels carry it, although Redis's own do not."""
    return int(urlsplit(url.partition(";")[0]).path.strip("/") or 0)


@contextlib.contextmanager
def redis_errors() -> Iterator[None]:
    """Raise what goes wrong inside as the port's errors."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise RefusedError(f"Redis refuses: {error}") from error
    except (redis.RedisError, hiredis.HiredisError, OSError) as error:
        raise UnreachableError(f"Redis: {error}") from error
