"""Celery's remote control, directed at named nodes; each call waits for so many answers or for its time limit."""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from celeriac.core.errors import UnreachableError
from celeriac.core.model import Pool
from celeriac.ports import Control


class CeleryControl:
    """`Control` through the broker; `wait` (seconds) is how long answers are awaited."""

    def __init__(self, url: str, *, wait: float = 1.5, timeout: float = 3.0) -> None:
        self._wait = wait
        self._app = Celery("celeriac", broker=url, backend=None, set_as_current=False)
        self._app.conf.update(
            broker_connection_timeout=timeout,
            broker_connection_retry=False,
            broker_transport_options={
                "socket_timeout": timeout,
                "socket_connect_timeout": timeout,
                "socket_keepalive": True,
                "client_name": "celeriac-control",
                "max_retries": 0,  # else Kombu waits 2 s and tries again
            },
        )

    def ping(self, nodes: Collection[str]) -> frozenset[str]:
        """Return the nodes that answered in time."""
        return frozenset(node for node, answer in self._ask("ping", nodes) if answer.get("ok") == "pong")

    def pools(self, nodes: Collection[str]) -> dict[str, Pool]:
        """Return, by `Incarnation.key`, what the nodes that answer say of their pool and queues."""
        queues = self.consuming(nodes)
        return {
            f"{node}#{answer['pid']}": _pool(answer["pool"], queues.get(node, ()))
            for node, answer in self._ask("stats", nodes)
            if "pid" in answer and "pool" in answer
        }

    def consuming(self, nodes: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the queues that each answering node consumes now."""
        answers = self._ask("active_queues", nodes)
        return {node: tuple(one["name"] for one in answer) for node, answer in answers if isinstance(answer, list)}

    def _ask(self, command: str, nodes: Collection[str]) -> list[tuple[str, Any]]:
        if not nodes:
            return []
        with self._translated():
            replies = self._app.control.broadcast(
                command, destination=list(nodes), reply=True, timeout=self._wait, limit=len(nodes)
            )
        return [pair for reply in replies or [] for pair in reply.items()]

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, KombuError) as error:
            raise UnreachableError(f"remote control: {error}") from error
        except Exception as error:
            connection = self._app.connection_for_write()
            if isinstance(error, connection.connection_errors + connection.channel_errors):
                raise UnreachableError(f"remote control: {error}") from error
            raise


def _pool(pool: dict[str, Any], queues: tuple[str, ...]) -> Pool:
    """Read a `stats` answer: `celery.concurrency.prefork:TaskPool` is the pool `prefork`."""
    kind = str(pool.get("implementation", "")).rpartition(":")[0].rpartition(".")[2]
    slots = pool.get("max-concurrency")
    return Pool(kind=kind or "unknown", concurrency=slots if isinstance(slots, int) else None, queues=queues)


def _fits(control: CeleryControl) -> Control:
    """Let the type checker prove that the class fits its port."""
    return control
