"""One cluster as it runs in production, on one machine: broker, platform with real workers, Celeriac in mode auto."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from celeriac.adapters.cloudfoundry import Credentials, Session
from celeriac.client import Celeriac, ClientError
from celeriac.core.errors import CeleriacError, PortError
from celeriac.demo import servers
from celeriac.processes import Child
from faults.brokers import Broker, RabbitMQ, Redis
from faults.leaks import MARK
from faults.proxy import Proxy
from faults.rows import Row
from faults.setups import Setup, setup

ROOT = Path(__file__).parent.parent
SPEED = 6
"""Diego's clock runs six times as fast, as in the demonstration: back-offs and convergence are not what is judged here."""

GRACE_S = 10
CLUSTER = "matrix"
NICE = 5
"""Workers come after Celeriac and the brokers, since many rows share the cores."""

TRAFFIC_S = 0.5


class Stage:
    """What a fault may touch. `restart_broker` and the proxies are there where the mode asks for them."""

    def __init__(self, row: Row, folder: Path, stack: ExitStack, vhost_url: str | None) -> None:
        self.row, self.folder, self.setup = row, folder, setup(row)
        self._stack = stack
        self.broker, self.broker_url = self._start_broker(vhost_url)
        port = int(self.broker_url.split("/")[2].rpartition(":")[2])
        self.proxy = self._proxy(port, wanted=self.setup.behind_proxy)
        self.ear = self._proxy(port, wanted=self.setup.heard_through_proxy)
        self.results = self.broker_url[:-1] + "1" if row.broker == "redis" else ""
        self.api = self._start_platform()
        self.session = Session(self.api, Credentials("platform.cf", username="deployer", password="secret"))  # noqa: S106 (the emulator's own)
        stack.callback(self.session.close)
        self.serve, self.console = self._start_celeriac()
        self.client = stack.enter_context(Celeriac(self.console))
        self.app = producer(self.broker_url)
        stack.callback(self.app.close)
        self.traffic = Traffic(self.app)
        stack.callback(self.traffic.stop)

    def _start_broker(self, vhost_url: str | None) -> tuple[Broker | None, str]:
        if self.row.broker == "redis":
            redis = Redis(self._stack, self.folder)
            return redis, redis.url()
        if vhost_url is not None and self.setup.own_rabbitmq is None:
            return None, vhost_url
        rabbitmq = RabbitMQ(self._stack, self.folder, *(self.setup.own_rabbitmq or ()))
        if self.setup.erlang:
            rabbitmq.evaluate(self.setup.erlang)
        return rabbitmq, rabbitmq.url()

    def _proxy(self, port: int, *, wanted: bool) -> Proxy | None:
        if not wanted:
            return None
        proxy = Proxy(port)
        self._stack.callback(proxy.close)
        return proxy

    def through(self, proxy: Proxy | None) -> str:
        """Return the broker's address, by way of a proxy if there is one."""
        if proxy is None:
            return self.broker_url
        head, _, tail = self.broker_url.rpartition(":")
        return f"{head}:{proxy.port}/{tail.partition('/')[2]}"

    def _start_platform(self) -> str:
        env = worker_environment(self.folder, self.broker_url, self.results) | self.setup.env
        if self.proxy:
            env["FAULTS_BROKER_0"] = self.through(self.proxy)
        broken = {"FAULTS_RELEASE": "1"}
        apps = [
            (name, count, self.command(), env | (broken if place == 0 else {}))
            for place, (name, count) in enumerate(self.setup.apps)
        ]
        return start_platform(self._stack, self.folder, apps)

    def command(self) -> str:
        """Return what an instance runs."""
        return worker_command(self.row.celery, self.row.pool, self.setup)

    def _start_celeriac(self) -> tuple[Child, str]:
        port = servers.free_port()
        config = self.folder / "celeriac.toml"
        apps = [name for name, _ in self.setup.apps]
        cluster = (CLUSTER, self.through(self.ear), apps)
        config.write_text(celeriac_settings(self.folder / "store", self.api, port, [cluster], self.setup.heal))
        return start_celeriac(self._stack, self.folder, config, port)

    def start_beat(self, every_s: float) -> Child:
        """Start a `celery beat` of this row's Celery, which sends a task every so many seconds; its schedule is in the row's folder."""
        env = worker_environment(self.folder, self.broker_url, self.results) | {"FAULTS_BEAT": f"{every_s:g}"}
        beat = [
            "-m",
            "faults.worker",
            "-A",
            "faults.sample",
            "beat",
            "-s",
            str(self.folder / "beat-schedule"),
            "-l",
            "INFO",
        ]
        argv = ["nice", "-n", str(NICE), str(python(self.row.celery)), *beat]
        return servers.start(self._stack, self.folder, "beat", argv, env=os.environ | env)

    # What the platform knows, and what a person can do there

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the platform's audit events of one type."""
        with contextlib.suppress(PortError):
            return list(self.session.pages("/v3/audit_events", types=kind, per_page=500))
        return []

    def app_guids(self) -> list[str]:
        """Return the apps' guids."""
        return [str(one["guid"]) for one in self.session.pages("/v3/apps")]

    def order(self, app: str, what: str, body: object = None) -> None:
        """Have another person order something of an app, as `actions/stop` or `processes/worker/actions/scale`."""
        guid = next(self.session.pages("/v3/apps", names=app))["guid"]
        self.session.order("POST", f"/v3/apps/{guid}/{what}", body)


def producer(broker: str) -> Celery:
    """Return what sends tasks and commands to the workers of a broker."""
    app = Celery("sample", broker=broker, set_as_current=False)
    app.conf.update(task_send_sent_event=True, broker_connection_timeout=2)
    return app


class Traffic:
    """Quick tasks for each queue, two a second, until stopped; a broker that is away is waited for."""

    def __init__(self, app: Celery, queues: tuple[str, ...] = ("celery",), every_s: float = TRAFFIC_S) -> None:
        self._app, self._queues, self._every_s = app, queues, every_s
        self._stopping, self._resting = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)
        self._thread.start()

    def rest(self, *, resting: bool = True) -> None:
        """Send nothing for a while, or go on."""
        (self._resting.set if resting else self._resting.clear)()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._thread.join(5)

    def _send(self) -> None:
        number = 0
        while not self._stopping.wait(self._every_s):
            if self._resting.is_set():
                continue
            number += 1
            with contextlib.suppress(OperationalError, OSError):
                for queue in self._queues:
                    self._app.send_task("sample.quick", (number,), queue=queue, retry=False, ignore_result=True)


def python(celery: str) -> Path:
    """Return the Python of a Celery's virtual environment; raises CeleriacError where it is not installed."""
    path = ROOT / ".venv-celery" / celery / "bin" / "python"
    if not path.exists():
        message = f"Celery {celery} is not installed: run `make fault-matrix`, which makes .venv-celery/{celery}."
        raise CeleriacError(message)
    return path


def worker_environment(folder: Path, broker: str, results: str) -> dict[str, str]:
    """Return what a worker is told by its environment."""
    return {
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FAULTS_FOLDER": str(folder),
        "FAULTS_BROKER": broker,
        "FAULTS_RESULTS": results,
        MARK: os.environ.get(MARK, ""),
    }


def start_platform(stack: ExitStack, folder: Path, apps: list[tuple[str, int, str, dict[str, str]]]) -> str:
    """Start the emulator with these apps (name, instances, command, environment); return the address of its API."""
    ready, config = folder / "emulator.url", folder / "emulator.toml"
    config.write_text(foundation(ready, apps))
    argv = [sys.executable, "-m", "celeriac", "emulator", "--config", str(config)]
    child = servers.start(stack, folder, "emulator", argv)
    servers.await_ready("the emulator", child, folder, ready.exists)
    return ready.read_text().strip()


def worker_command(celery: str, pool: str, how: Setup, queue: str = "celery") -> str:
    """Return the command of an instance: a niced worker, after what the setup puts before it."""
    size = "" if pool == "solo" else f" -c {how.concurrency}"
    worker = (
        f"nice -n {NICE} {python(celery)} -m faults.worker -A faults.sample worker -P {pool}{size} "
        f"-n w$CF_INSTANCE_INDEX@$CF_INSTANCE_GUID -Q {queue} -l INFO {how.more}"
    ).strip()
    return f"{how.before.format(celery=worker)}exec {worker}"


def foundation(ready: Path, apps: list[tuple[str, int, str, dict[str, str]]]) -> str:
    """Return the emulator's settings: these apps, Celeriac's own user, and another person."""
    tables = "".join(
        f"[[apps]]\nname = {json.dumps(name)}\ninstances = {count}\ncommand = {json.dumps(command)}\n"
        f"env = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in env.items())} }}\n"
        for name, count, command, env in apps
    )
    users = "".join(f'[[users]]\nname = "{name}"\npassword = "secret"\n' for name in ("celeriac", "deployer"))
    return (
        f'ready_file = "{ready}"\norg = "demo"\nspace = "production"\nspeed = {SPEED}\ngrace_seconds = {GRACE_S}\n'
        f"{users}{tables}"
    )


def celeriac_settings(
    store: Path, api: str, port: int, clusters: list[tuple[str, str, list[str]]], heal: dict[str, object]
) -> str:
    """Return Celeriac's settings: real thresholds, but for what `heal` says."""
    rules = "\n".join(f"{name} = {json.dumps(value)}" for name, value in {"mode": "auto", **heal}.items())
    tables = "".join(
        f'[[cluster]]\nname = "{name}"\nbroker = "{url}"\nplatform = "cf"\napps = {json.dumps(apps)}\n'
        for name, url, apps in clusters
    )
    return (
        f'store = "{store}"\n[console]\nport = {port}\n[[platform]]\nname = "cf"\napi = "{api}"\norg = "demo"\n'
        f'space = "production"\nusername = "celeriac"\npassword = "secret"\n{tables}[heal]\n{rules}\n'
    )


def start_celeriac(stack: ExitStack, folder: Path, config: Path, port: int) -> tuple[Child, str]:
    """Start all roles, and return when the console answers."""
    argv = [sys.executable, "-m", "celeriac", "serve", "--config", str(config)]
    child = servers.start(stack, folder, "celeriac", argv, env=dict(os.environ))
    url = f"http://127.0.0.1:{port}"
    with Celeriac(url) as client:
        servers.await_ready("Celeriac", child, folder, lambda: _answers(client))
    return child, url


def _answers(client: Celeriac) -> bool:
    with contextlib.suppress(ClientError):
        client.clusters()
        return True
    return False


@contextmanager
def set_up(row: Row, folder: Path, vhost_url: str | None = None) -> Iterator[Stage]:
    """Start everything for a row, and stop everything when the block ends, last things first."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Stage(row, folder, stack, vhost_url)
