"""Fixtures for every test, and the check that no test leaves a process behind."""

import contextlib
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

import harness
from standin.provider import Provider, running_provider

_MARK = "TESTING_CELERIAC"

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` has children ignore it, and tests send it to theirs

# A busy machine is no failure, and in CI the same commit gets the same examples.
hypothesis.settings.register_profile("house", deadline=None, derandomize=harness.IN_CI)
hypothesis.settings.load_profile("house")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Have one process run all tests of RabbitMQ, which takes seconds to start: each other test is on its own.

    xdist's own groups (`--dist loadgroup`) are silently none with pytest 9.2: pytest-dev/pytest-xdist#1386.
    """
    from xdist.scheduler import LoadGroupScheduling

    class OneRabbitMQ(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "rabbitmq" if re.search("rabbitmq|amqp", nodeid) else nodeid

    return OneRabbitMQ(config, log)


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """When the session ends no process that a test has started is alive."""
    mark = os.environ[_MARK] = uuid.uuid4().hex
    known = harness.descendants(os.getpid())

    def left() -> dict[int, str]:
        below = harness.descendants(os.getpid()) | harness.carrying(f"{_MARK}={mark}")
        return {pid: command for pid, command in below.items() if pid not in known}

    yield
    try:
        harness.wait_until(lambda: not left(), 5, "every process that tests started has ended", dump=left)
    finally:
        for pid in left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in list(os.environ):
        if name.startswith(("CELERIAC_", "VCAP_", "CF_")):
            monkeypatch.delenv(name)


@pytest.fixture
def free_port() -> Callable[[], int]:
    return harness.free_port


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[harness.Redis]:
    """Run one Redis for this test alone."""
    with harness.redis_running(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[[], harness.Redis]]:
    """Run as many as the test asks for: each cluster has its own, since pub/sub ignores the number of the database."""
    with contextlib.ExitStack() as servers:
        yield lambda: servers.enter_context(harness.redis_running(tmp_path / "redis"))


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.RabbitMQ]:
    """Run one RabbitMQ for all tests of this process; a test that stops it starts it again."""
    with harness.rabbitmq_running(tmp_path_factory.mktemp("rabbitmq") / "node") as server:
        yield server


@pytest.fixture
def rabbitmq_vhost(rabbitmq_server: harness.RabbitMQ) -> str:
    """Return the URL of a virtual host that is this test's alone."""
    return rabbitmq_server.url(rabbitmq_server.fresh_vhost())


@pytest.fixture(scope="session")
def provider_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Run one OpenID provider for all tests of this process."""
    with running_provider(tmp_path_factory.mktemp("provider")) as one:
        yield one


@pytest.fixture
def provider(provider_process: Provider) -> Provider:
    """Return an OpenID provider that remembers nothing of the tests before."""
    provider_process.reset()
    return provider_process


@pytest.fixture
def chromium() -> str:
    """Return the path of a Chromium; Playwright drives it."""
    return harness.need(*harness.CHROMIUM)
