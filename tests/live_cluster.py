"""A live cluster for tests: real Redis, the emulator with real Celery workers, and Celeriac's roles, each killable."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
from celeriac.adapters.cloudfoundry import Credentials, Session
from celeriac.client import Celeriac, ClientError, Incident, Worker
from celeriac.processes import Child, running, spawn

HERE = Path(__file__).parent
CELERY = "exec {python} -m celery -A {celery} worker -n worker@$CF_INSTANCE_GUID -Q {queues} -l INFO {more}"

SOON = {
    "suspect_beats": 2,
    "silent": 6,
    "silent_beats": 3,
    "settle": 6,
    "recovered": 5,
    "lease": 2,
    "unclear": 12,
    "finish_grace": 2,
}
"""Thresholds that suit an impatient test; the proofs that they lead to stay the same."""


@dataclass(frozen=True)
class App:
    """One app of the emulator: real Celery workers of the sample project, or of the module `celery` in `folder`."""

    name: str
    instances: int = 1
    queues: str = "orders"
    more: str = "-c 2"
    celery: str = "celeriac.demo.shop"
    folder: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    def table(self, env: Mapping[str, str]) -> str:
        command = CELERY.format(python=sys.executable, celery=self.celery, queues=self.queues, more=self.more)
        place = f'cwd = "{self.folder}"\n' if self.folder else ""
        head = f'[[apps]]\nname = "{self.name}"\ninstances = {self.instances}\n'
        variables = ", ".join(f'{name} = "{value}"' for name, value in {**env, **self.env}.items())
        return f'{head}{place}command = "{command}"\nenv = {{ {variables} }}\n'


@dataclass
class LiveCluster:
    """Everything that runs for one test; `dump` shows it all when something is not as expected."""

    folder: Path
    redis_port: int
    api: str
    port: int
    stack: contextlib.ExitStack
    apps: tuple[App, ...]
    rabbitmq: str | None = None
    """The URL of a virtual host there, for a cluster that is not on Redis."""
    grace: float = 3
    """How many seconds the platform leaves a process between SIGTERM and SIGKILL."""
    redis: harness.Redis = field(init=False)
    client: Celeriac = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.stack.enter_context(Celeriac(f"http://127.0.0.1:{self.port}"))
        self.session = Session(self.api, Credentials("platform.cf", username="celeriac", password="secret"))
        self.stack.callback(self.session.close)

    @property
    def config(self) -> Path:
        return self.folder / "celeriac.toml"

    @property
    def broker(self) -> str:
        return self.rabbitmq or f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def results(self) -> str:
        return "" if self.rabbitmq else f"{self.broker[:-1]}1"

    def come(self) -> None:
        """Start Redis, and the emulator with its workers."""
        if self.rabbitmq is None:
            self.redis = self.stack.enter_context(harness.redis_running(self.folder / "redis", port=self.redis_port))
        ready, config = self.folder / "emulator.url", self.folder / "emulator.toml"
        env = {"BROKER_URL": self.broker, "RESULT_URL": self.results, "PYTHONUNBUFFERED": "1"}
        config.write_text(
            f'port = {self.api.rpartition(":")[2]}\nready_file = "{ready}"\norg = "demo"\nspace = "production"\n'
            f"speed = 15\ngrace_seconds = {self.grace}\n"
            '[[users]]\nname = "celeriac"\npassword = "secret"\n' + "".join(app.table(env) for app in self.apps)
        )
        self.start("emulator", "-m", "celeriac", "emulator", "--config", str(config))
        self.until(ready.exists, 20, "the emulator is ready")

    def start(self, name: str, *argv: str) -> Child:
        """Start one process of the test; its output is in `name`.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            child = spawn([sys.executable, *argv], name=name, stdout=log, stderr=log)
        return self.stack.enter_context(running(child, grace=8))

    def role(self, role: str) -> Child:
        return self.start(role, "-m", "celeriac", "serve", "--only", role, "--config", str(self.config))

    def serve(self) -> Child:
        """Start all roles under their supervisor."""
        return self.start("serve", "-m", "celeriac", "serve", "--config", str(self.config))

    def migrate(self) -> None:
        assert self.start("migrate", "-m", "celeriac", "migrate", "--config", str(self.config)).wait(30) == 0

    def keeper_stopping_at(self, point: str) -> tuple[Child, Path]:
        """Start a keeper that stands still at a named point; it says so in a file, and goes on when that is removed."""
        flag = self.folder / f"reached-{point}"
        script = str(HERE / "live" / "keeper_stopping_at.py")
        return self.start(f"keeper-{point}", script, str(self.config), point, str(flag)), flag

    def workers(self) -> dict[str, Worker]:
        try:
            return {one.name: one for one in self.client.workers()}
        except ClientError:
            return {}

    def incidents(self) -> list[Incident]:
        try:
            return self.client.incidents()
        except ClientError:
            return []

    def all_well(self, number: int, within: float = 60) -> dict[str, Worker]:
        """Wait until so many workers are healthy and have said what they are."""

        def well() -> dict[str, Worker] | None:
            found = self.workers()
            good = [one for one in found.values() if one.verdict == "healthy" and not one.suspect and one.pool]
            return found if len(good) == len(found) == number else None

        return self.until(well, within, f"{number} workers are healthy")

    def resolved(self, worker: str, within: float = 100) -> Incident:
        """Wait until the worker's incident is resolved."""

        def found() -> Incident | None:
            stories = [one for one in self.incidents() if one.worker_name == worker]
            return next((one for one in stories if one.state == "resolved"), None)

        return self.until(found, within, f"an incident of {worker} is resolved")

    def until(self, condition: Any, within: float, why: str) -> Any:
        return harness.wait_until(condition, within, why, dump=self.dump, every=0.2)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the platform's audit events of one type."""
        return list(self.session.pages("/v3/audit_events", types=kind))

    def restarts(self) -> int:
        """Return how many single instances were restarted through the platform's API, by anybody."""
        return len(self.events("audit.app.process.terminate_instance"))

    def app_guid(self, name: str) -> str:
        return str(next(self.session.pages("/v3/apps", names=name))["guid"])

    def dump(self) -> str:
        parts = [json.dumps([str(one) for one in (*self.workers().values(), *self.incidents())], indent=1)]
        logs = sorted(self.folder.glob("*.log"))
        parts += [f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs]
        return "\n".join(parts)


@contextlib.contextmanager
def live_cluster(
    folder: Path,
    *apps: App,
    heal: dict[str, object] | None = None,
    absent: bool = False,
    rabbitmq: str | None = None,
    results: bool = False,
    grace: float = 3,
) -> Iterator[LiveCluster]:
    """Start Redis and the emulator with these apps, and write the settings; no role runs yet.

    With `absent` neither is started before `come()` is called; with `results` Celeriac knows the result backend.
    """
    with contextlib.ExitStack() as stack:
        redis_port, api_port = harness.free_port(), harness.free_port()
        api = f"http://127.0.0.1:{api_port}"
        cluster = LiveCluster(folder, redis_port, api, harness.free_port(), stack, apps, rabbitmq, grace)
        backend = f'result_backend = "{cluster.results}"' if results else ""
        cluster.config.write_text(settings(cluster, apps, {"mode": "auto", "cycle": 0.5, **(heal or {})}, backend))
        if not absent:
            cluster.come()
        yield cluster


def settings(cluster: LiveCluster, apps: tuple[App, ...], heal: dict[str, object], more: str = "") -> str:
    names = json.dumps([app.name for app in apps])
    rules = "\n".join(f"{name} = {json.dumps(value)}" for name, value in heal.items())
    return f"""store = "{cluster.folder / "store"}"
[console]
port = {cluster.port}
[[platform]]
name = "cf"
api = "{cluster.api}"
org = "demo"
space = "production"
username = "celeriac"
password = "secret"
poll = 1
poll_on_suspicion = 0.5
requests_per_minute = 6000
[[cluster]]
name = "demo"
broker = "{cluster.broker}"
{more}
platform = "cf"
apps = {names}
[heal]
{rules}
"""
