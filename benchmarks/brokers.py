"""A real Redis and a real RabbitMQ for the run: on free ports, with empty stores, ended with the run."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import amqp

from celeriac.demo.servers import free_port, redis_program
from celeriac.processes import Child, running, spawn

START_S = 60.0
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # Debian's wrapper in PATH would change the user and the directory


class UnavailableError(Exception):
    """A row cannot be measured here; the text says why."""


@contextlib.contextmanager
def redis(folder: Path, *, unlimited: bool = False) -> Iterator[str]:
    """Run Redis with its default limits, or with none on what waits for a subscriber; give its URL."""
    port = free_port()
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    if unlimited:
        argv += ["--client-output-buffer-limit", "pubsub 0 0 0"]
    with started("redis", argv, folder, lambda: _answers(port, b"PING\r\n", b"+PONG")):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """Run RabbitMQ with its defaults under a node name and a port mapper of its own; give its URL."""
    program = RABBITMQ if Path(RABBITMQ).exists() else shutil.which("rabbitmq-server")
    epmd = shutil.which("epmd")
    if program is None or epmd is None:
        raise UnavailableError("there is no rabbitmq-server on this machine")
    port, mapper, between = free_port(), free_port(), free_port()
    home = folder / "rabbitmq"
    home.mkdir(exist_ok=True)
    (home / "plugins").write_text("[].\n")
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    env = {
        **os.environ,
        "HOME": str(home),  # the Erlang cookie
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_NODENAME": f"celeriac-bench-{os.getpid()}@localhost",
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RUNNING_UNDER_SYSTEMD": "true",  # no shell stays between us and the server
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
    }
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    ports = [epmd, "-port", str(mapper), "-address", "127.0.0.1"]
    with (
        started("epmd", ports, folder, lambda: _answers(mapper, b"", b"")),
        started("rabbitmq", [program], folder, lambda: _speaks_amqp(port), env=env),
    ):
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


def _answers(port: int, question: bytes, answer: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(question)
            return not answer or connection.recv(64).startswith(answer)
    except OSError:
        return False


def _speaks_amqp(port: int) -> bool:
    try:
        with amqp.Connection(f"127.0.0.1:{port}", connect_timeout=2):
            return True
    except (OSError, amqp.AMQPError):
        return False
