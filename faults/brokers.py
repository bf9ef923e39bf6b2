"""Brokers that can be stopped and started again: a Redis for one cluster, and one RabbitMQ with a virtual host for each."""

import contextlib
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from celeriac.core.errors import CeleriacError
from celeriac.demo import servers
from celeriac.processes import Child, spawn


class Broker(Protocol):
    """What a fault does to a broker."""

    def url(self) -> str: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...


class Redis:
    """A Redis that stores nothing, always on the same port."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder, self.port = folder, servers.free_port()
        self._child: Child | None = None
        stack.callback(self.stop)
        self.start()

    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return when it answers."""
        argv = [servers.redis_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._child = _spawn("redis", [*argv, "--save", "", "--appendonly", "no"], self._folder)
        servers.await_ready("Redis", self._child, self._folder, lambda: servers.listens(self.port))

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self._child:
            self._child.stop(10)
            self._child = None


class RabbitMQ:
    """A RabbitMQ with node name, port mapper and cookie of its own; durable queues outlive `stop` and `start`."""

    def __init__(self, stack: ExitStack, folder: Path, *settings: str) -> None:
        self._program, mapper = servers.rabbitmq_program()
        self._folder, self.port, mapper_port = folder, servers.free_port(), servers.free_port()
        self._env = servers.rabbitmq_environment(folder / "rabbitmq", self.port, mapper_port, *settings)
        epmd = [mapper, "-port", str(mapper_port), "-address", "127.0.0.1"]
        names = servers.start(stack, folder, "epmd", epmd, self._env)
        servers.await_ready("epmd", names, folder, lambda: servers.listens(mapper_port))
        self._child: Child | None = None
        stack.callback(self.stop)
        self.start()

    def url(self, vhost: str = "") -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost or '/'}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._child = _spawn("rabbitmq", [self._program], self._folder, self._env)
        servers.await_ready("RabbitMQ", self._child, self._folder, self._answers)

    def stop(self) -> None:
        """Stop it as an operator does."""
        if self._child:
            self._child.stop(20)
            self._child = None

    def fresh_vhost(self, name: str) -> str:
        """Make a virtual host, and return its URL."""
        self.evaluate(
            f'ok = rabbit_vhost:add(<<"{name}">>, <<"faults">>), All = <<".*">>, '
            f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, All, All, All, <<"faults">>).'
        )
        return self.url(name)

    def _answers(self) -> bool:
        if not servers.speaks_amqp(self.port):
            return False
        with contextlib.suppress(CeleriacError):
            return self.evaluate("rabbit:is_running().") == "true"
        return False

    def evaluate(self, erlang: str) -> str:
        """Run an Erlang expression in the server, which takes milliseconds (`rabbitmqctl` takes a second)."""
        program = shutil.which("erl_call")
        if program is None:
            message = "There is no erl_call on this machine: it comes with Erlang (Debian: erlang-base)."
            raise CeleriacError(message)
        argv = [program, "-sname", self._env["RABBITMQ_NODENAME"], "-timeout", "20", "-e"]
        done = subprocess.run(
            argv, input=f"{erlang}\n", text=True, env=self._env, capture_output=True, timeout=30, check=False
        )
        if not done.stdout.startswith("{ok,"):
            message = f"RabbitMQ did not do what it was told: {done.stdout}{done.stderr}"
            raise CeleriacError(message)
        return done.stdout.removeprefix("{ok,").removesuffix("}").strip()


def _spawn(name: str, argv: list[str], folder: Path, env: dict[str, str] | None = None) -> Child:
    with (folder / f"{name}.log").open("ab") as log:
        return spawn(argv, name=name, env=env, stdout=log, stderr=log)
