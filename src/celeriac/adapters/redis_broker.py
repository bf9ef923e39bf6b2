"""What Redis knows of Celery's workers: whose connections wait for messages, and how many messages wait.

Kombu 5.7 names all connections of a worker when `broker_transport_options` holds `client_name`; the name must contain the
node name. A consumer that fetches sits in a blocking BRPOP, which Redis flags `b`; a frozen one falls idle within a
second (measured: docs/explanation/the-cycle.md).
"""

import contextlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import redis

from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.model import Consumer
from celeriac.ports import Broker

NODE = re.compile(r"[^\s:]+@[^\s:]+")
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
"""Kombu spreads a queue over one list per priority step."""

FRESH_S = 5.0


class RedisBroker:
    """`Broker` on Redis; `timeout` (seconds) bounds each command."""

    def __init__(self, url: str, *, timeout: float = 3.0) -> None:
        # Celery's own spelling of this option (CERT_REQUIRED) is none of redis-py's.
        plain = re.sub(r"(?<=ssl_cert_reqs=)CERT_(\w+)", lambda found: found[1].lower(), url)
        self._client = redis.Redis.from_url(
            plain, socket_timeout=timeout, socket_connect_timeout=timeout, client_name="celeriac-keeper"
        )

    def consumers(self) -> dict[str, Consumer]:
        """Return each worker's connections by node name, as far as connections carry names."""
        with _translated():
            clients: list[dict[str, Any]] = self._client.client_list()
        by_node: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for client in clients:
            node = NODE.search(client.get("name", ""))
            if node:
                by_node[node.group()].append(client)
        return {node: _consumer(group) for node, group in by_node.items()}

    def depths(self, queues: Collection[str]) -> dict[str, int]:
        """Return the number of waiting messages of each queue, over all priorities."""
        names = list(queues)
        with _translated(), self._client.pipeline(transaction=False) as pipe:
            for name in names:
                for priority in PRIORITIES:
                    pipe.llen(name + priority)
            lengths = pipe.execute()
        step = len(PRIORITIES)
        return {name: sum(lengths[index * step : (index + 1) * step]) for index, name in enumerate(names)}


def _consumer(group: list[dict[str, Any]]) -> Consumer:
    fetches = [one for one in group if one.get("cmd") == "brpop"]
    blocked = any("b" in one.get("flags", "") for one in group)
    lately = any(float(one["idle"]) < FRESH_S for one in fetches)
    return Consumer(
        connections=len(group),
        fetching=blocked or lately,
        # What Redis sends to a subscriber counts as life of that connection, so only the others tell of the worker.
        idle_s=min(float(one["idle"]) for one in ([one for one in group if not _subscribes(one)] or group)),
        listening=any(map(_subscribes, group)),
    )


def _subscribes(client: dict[str, Any]) -> bool:
    return "P" in client.get("flags", "")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise RefusedError(f"Redis refuses: {error}") from error
    except (redis.RedisError, OSError) as error:
        raise UnreachableError(f"Redis: {error}") from error


def _fits(broker: RedisBroker) -> Broker:
    """Let the type checker prove that the class fits its port."""
    return broker
