"""The outside that adapters speak to: an emulated and a faulty Cloud Foundry, real workers on a real Redis, a store."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import harness
from adapters import stored
from adapters.emulated import configured
from adapters.faulty_foundation import FaultyFoundation
from celeriac.adapters.cloudfoundry import Budget, Credentials, Session
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.sql import SqlStore
from celeriac.emulator import Emulator
from celeriac.processes import Child, running, spawn


class Clock:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def foundation() -> Iterator[FaultyFoundation]:
    """Run a foundation that misbehaves as told."""
    server = FaultyFoundation()
    yield server
    server.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Session]]:
    """Open sessions to a foundation, by default as the user ada; they are closed when the test ends."""
    with contextlib.ExitStack() as stack:

        def connected(api: str, credentials: Credentials | None = None, **options) -> Session:
            who = credentials or Credentials("platform.cf", username="ada", password="secret")
            session = Session(api, who, **{"timeout": 5.0, "sleep": lambda _: None, **options})
            session.budget = Budget(1e6, session.monotonic)  # tests ask faster than a keeper
            stack.callback(session.close)
            return session

        yield connected


@pytest.fixture
def launch() -> Iterator[Callable[..., Emulator]]:
    """Start emulators that stop when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *apps, **settings: stack.enter_context(Emulator(configured(*apps, **settings)))


class Workers:
    """Real workers of the sample project on one Redis; a worker's node is named by the guid of its instance."""

    def __init__(self, folder: Path, redis: harness.Redis, stack: contextlib.ExitStack) -> None:
        self.folder, self.redis, self._stack = folder, redis, stack

    def start(self, guid: str, *more: str, queues: str = "orders") -> tuple[str, Child]:
        """Start a worker, and return its node name and its process when it is ready and hears remote control."""
        node, log = f"worker@{guid}", self.folder / f"{guid}.log"
        argv = [sys.executable, "-m", "celery", "-A", "celeriac.demo.shop", "worker", "-l", "INFO"]
        env = {
            **os.environ,
            "BROKER_URL": self.redis.url,
            "RESULT_URL": f"{self.redis.url[:-1]}1",
            "CF_INSTANCE_GUID": guid,
            "PYTHONUNBUFFERED": "1",
        }
        with log.open("ab") as out:
            child = spawn([*argv, "-n", node, "-Q", queues, *more], name=node, env=env, stdout=out, stderr=out)
        self._stack.enter_context(running(child, grace=2))
        harness.wait_until(
            lambda: child.poll() is not None or f"{node} ready." in log.read_text(),
            40,
            f"{node} is ready",
            dump=log.read_text,
        )
        assert child.poll() is None, log.read_text()
        control = CeleryControl(self.redis.url)
        harness.wait_until(lambda: control.ping([node]), 20, f"{node} hears remote control", dump=log.read_text)
        return node, child


@pytest.fixture(scope="module")
def workers(tmp_path_factory) -> Iterator[Workers]:
    """Run one Redis for all live tests of a module; each test starts the workers that it needs."""
    folder = tmp_path_factory.mktemp("workers")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(harness.redis_running(folder / "redis"))
        yield Workers(folder, redis, stack)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(directory):
    with SqlStore(directory, ("a", "b")).opened() as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def keeper(store):
    return store.journal()


@pytest.fixture
def history(store):
    return store.history("a")


@pytest.fixture
def kept(store, directory):
    """Give the history of cluster a with its recorder."""
    with stored.kept(directory / "history-a.db") as one:
        yield one
