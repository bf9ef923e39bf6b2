"""Setting the stage: a data directory, a Redis, the emulator with its apps, the producer, and Celeriac itself."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from celeriac.client import Celeriac, ClientError
from celeriac.demo import servers, shop

BROKERS = {"redis": "Redis", "amqp": "RabbitMQ"}
SPEED = 6
"""Diego's clock runs six times as fast: an index that was stopped comes back within 5 s instead of 30 s."""

WORKER = "exec {python} -m celery -A celeriac.demo.shop worker -n worker@$CF_INSTANCE_GUID -Q {queues} -c 2 -l INFO"


class Stage(Struct, frozen=True):
    """The running demo: where the console is, and how to talk to it."""

    url: str
    data: Path
    client: Celeriac


@contextmanager
def set_up(data: Path, port: int, say: Callable[[str], None], *, broker: str = "redis") -> Iterator[Stage]:
    """Start everything on this kind of broker, and stop everything when the block ends, last things first."""
    logs = data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        urls = _broker(broker, stack, data, logs)
        say(f"{BROKERS[broker]} runs ({urls['BROKER_URL']})")
        shop.use(urls["BROKER_URL"], urls["RESULT_URL"])  # for what we send ourselves
        api = _emulator(stack, data, logs, urls)
        say(f"Cloud Foundry is emulated at {api}; its instances are real Celery workers")
        url = f"http://127.0.0.1:{port}"
        config = data / "celeriac.toml"
        config.write_text(_settings(data, urls, api, port))
        server = servers.start(
            stack, logs, "celeriac", [sys.executable, "-m", "celeriac", "serve", "--config", str(config)]
        )
        servers.start(
            stack, logs, "producer", [sys.executable, "-m", "celeriac.demo.producer"], env={**os.environ, **urls}
        )
        client = stack.enter_context(Celeriac(url))
        servers.await_ready("Celeriac", server, logs, lambda: _answers(client))
        yield Stage(url, data, client)


def _broker(kind: str, stack: ExitStack, data: Path, logs: Path) -> dict[str, str]:
    """Start the broker; return where it and the results are, as the workers' environment has it."""
    if kind == "amqp":
        return {"BROKER_URL": servers.rabbitmq(stack, data, logs), "RESULT_URL": ""}
    url = servers.redis(stack, data, logs)
    return {"BROKER_URL": f"{url}/0", "RESULT_URL": f"{url}/1"}


def _emulator(stack: ExitStack, data: Path, logs: Path, urls: dict[str, str]) -> str:
    ready = data / "emulator.url"
    ready.unlink(missing_ok=True)
    config = data / "emulator.toml"
    config.write_text(_foundation(ready, urls))
    argv = [sys.executable, "-m", "celeriac", "emulator", "--config", str(config)]
    child = servers.start(stack, logs, "emulator", argv)
    servers.await_ready("the emulator", child, logs, ready.exists)
    return ready.read_text().strip()


def _foundation(ready: Path, urls: dict[str, str]) -> str:
    apps = [("orders-worker", "orders", 3), ("reports-worker", "reports", 1)]
    tables = "".join(
        f"""
[[apps]]
name = "{name}"
instances = {instances}
command = "{WORKER.format(python=sys.executable, queues=queues)}"
env = {{ BROKER_URL = "{urls["BROKER_URL"]}", RESULT_URL = "{urls["RESULT_URL"]}", PYTHONUNBUFFERED = "1" }}
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


def _settings(data: Path, urls: dict[str, str], api: str, port: int) -> str:
    results = f'result_backend = "{urls["RESULT_URL"]}"\n' if urls["RESULT_URL"] else ""
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
requests_per_minute = 600

[[cluster]]
name = "demo"
broker = "{urls["BROKER_URL"]}"
{results}platform = "cf"
apps = ["orders-worker", "reports-worker"]

[heal]
mode = "auto"
"""


def _answers(client: Celeriac) -> bool:
    try:
        client.clusters()
    except ClientError:
        return False
    return True
