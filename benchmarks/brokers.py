"""A real Redis and a real RabbitMQ for the run: on free ports, with empty stores, ended with the run."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from celeriac.core.errors import CeleriacError
from celeriac.demo import servers
from celeriac.demo.servers import free_port, redis_program
from celeriac.processes import Child, running, spawn

START_S = 60.0


class UnavailableError(Exception):
    """A row cannot be measured here; the text says why."""


@contextlib.contextmanager
def redis(folder: Path, *, unlimited: bool = False) -> Iterator[str]:
    """Run Redis with its default limits, or with none on what waits for a subscriber; give its URL."""
    port = free_port()
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    if unlimited:
        argv += ["--client-output-buffer-limit", "pubsub 0 0 0"]
    with started("redis", argv, folder, lambda: _answers(port)):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """Run RabbitMQ with its defaults, as the demo does; give its URL."""
    with contextlib.ExitStack() as stack:
        try:
            url = servers.rabbitmq(stack, folder, folder)
        except CeleriacError as error:
            raise UnavailableError(str(error)) from error
        yield url


@contextlib.contextmanager
def started(
    name: str, argv: list[str], folder: Path, ready: Callable[[], bool], *, env: dict[str, str] | None = None
) -> Iterator[Child]:
    """Run a program until the block ends; its output is in `folder`/name.log, and shown if it does not become ready."""
    path = folder / f"{name}.log"
    with path.open("ab") as log:
        child = spawn(argv, name=name, env=env, stdout=log, stderr=log)
    with running(child, grace=20):
        deadline = time.monotonic() + START_S
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                message = f"{name} did not start; the end of its log:\n{path.read_text(errors='replace')[-1500:]}"
                raise UnavailableError(message)
            time.sleep(0.05)
        yield child


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
