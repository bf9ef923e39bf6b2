"""What the soak runs: two clusters of four apps, with prefork, solo and threads pools, under one Celeriac in mode auto."""

import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import Celery

from celeriac.adapters.cloudfoundry import Credentials, Session
from celeriac.client import Celeriac, Worker
from celeriac.core.errors import PortError
from celeriac.demo import servers
from faults.brokers import Broker, RabbitMQ, Redis
from faults.judging import KEEPER
from faults.ledger import Made
from faults.setups import Setup
from faults.stage import (
    Traffic,
    celeriac_settings,
    producer,
    start_celeriac,
    start_platform,
    worker_command,
    worker_environment,
)
from faults.watch import Watch


@dataclass(frozen=True)
class App:
    """One app: its cluster, pool and number of instances; its queue has its name."""

    name: str
    cluster: str
    pool: str
    instances: int


# Celery 5.7.0 on Redis ends by itself when Redis restarts while it holds a message: that would be a fault of its own.
CELERY = {"redis": "5.6.3", "rabbitmq": "5.7.0"}
APPS = (
    App("orders", "redis", "prefork", 4),
    App("reports", "redis", "solo", 2),
    App("mails", "redis", "threads", 2),
    App("invoices", "rabbitmq", "prefork", 4),
    App("images", "rabbitmq", "threads", 2),
)

HURRIED: dict[str, object] = {"deploy_wait": 60, "cooldown": 120, "budget_per_hour": 60}
"""Deploys and faults come every few minutes here: with ten minutes of rest after each nothing would be healed."""


class Fleet:
    """Everything that runs, and what can be done to it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        redis, rabbitmq = Redis(stack, folder), RabbitMQ(stack, folder)
        self.brokers: dict[str, Broker] = {"redis": redis, "rabbitmq": rabbitmq}
        self.urls = {name: broker.url() for name, broker in self.brokers.items()}
        self.api = start_platform(stack, folder, [self._app(one) for one in APPS])
        self.session = Session(self.api, Credentials("platform.cf", username="deployer", password="secret"))  # noqa: S106 (the emulator's own)
        stack.callback(self.session.close)
        self.guids = {str(one["name"]): str(one["guid"]) for one in self.session.pages("/v3/apps")}
        self.config, port = folder / "celeriac.toml", servers.free_port()
        clusters = [(name, url, [app.name for app in APPS if app.cluster == name]) for name, url in self.urls.items()]
        self.config.write_text(celeriac_settings(folder / "store", self.api, port, clusters, HURRIED))
        self.serve, console = start_celeriac(stack, folder, self.config, port)
        self.client = stack.enter_context(Celeriac(console))
        self.apps: dict[str, Celery] = {name: producer(url) for name, url in self.urls.items()}
        for name, app in self.apps.items():
            stack.callback(app.close)
            queues = tuple(one.name for one in APPS if one.cluster == name)
            stack.callback(Traffic(app, queues).stop)
        self.watch = Watch(self.client)
        stack.callback(self.watch.stop)

    def _app(self, app: App) -> tuple[str, int, str, dict[str, str]]:
        url = self.urls[app.cluster]
        results = f"{url[:-1]}1" if app.cluster == "redis" else ""
        command = worker_command(CELERY[app.cluster], app.pool, Setup(), app.name)
        return app.name, app.instances, command, worker_environment(self.folder, url, results)

    @property
    def names(self) -> list[str]:
        return [f"{app.name}/{index}" for app in APPS for index in range(app.instances)]

    def worker(self, name: str) -> Worker:
        return self.watch.workers[name]

    def order(self, method: str, app: str, what: str, body: object = None) -> None:
        """Have another person order something of an app."""
        self.session.order(method, f"/v3/apps/{self.guids[app]}/{what}", body)

    def restarts(self) -> list[Made]:
        """Return the restarts that Celeriac has made, as the platform recorded them."""
        kind = "audit.app.process.terminate_instance"
        with suppress(PortError):
            found = list(self.session.pages("/v3/audit_events", types=kind, per_page=500))
            return [_made(one) for one in found if one["actor"]["name"] == KEEPER]
        return []

    def moment(self, cluster: str) -> str:
        """Return what the keeper sees of a cluster now, and what it makes of it."""
        argv = [sys.executable, "-m", "celeriac", "plan", "--config", str(self.config), "--cluster", cluster, "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout or done.stderr


def _made(event: dict[str, Any]) -> Made:
    at = datetime.fromisoformat(event["created_at"]).timestamp()
    return Made(f"{event['target']['name']}/{event['data']['process_index']}", at)
