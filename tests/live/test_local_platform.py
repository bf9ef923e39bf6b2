"""A real worker under `celeriac local`, frozen: found hung, restarted over its socket, and proven to be back."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import harness
from celeriac.adapters.local_processes import Connection, LocalProcesses
from celeriac.client import Celeriac, ClientError, Incident, Worker
from celeriac.processes import running, spawn
from live_cluster import CELERY, SOON

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

SETTINGS = """store = "{folder}/store"
[console]
port = {port}
[[platform]]
name = "here"
kind = "local"
socket = "{socket}"
poll = 1
poll_on_suspicion = 0.5
[[cluster]]
name = "demo"
broker = "{broker}"
platform = "here"
apps = ["orders:worker"]
[heal]
mode = "auto"
cycle = 0.5
{rules}
"""


@dataclass
class Hosted:
    """Workers under `celeriac local`, watched by all roles of Celeriac."""

    folder: Path
    client: Celeriac
    platform: LocalProcesses

    def all_well(self) -> dict[str, Worker] | None:
        with contextlib.suppress(ClientError):
            found = {one.name: one for one in self.client.workers()}
            good = [one for one in found.values() if one.verdict == "healthy" and not one.suspect and one.pool]
            return found if len(good) == len(found) == 2 else None
        return None

    def resolved(self) -> Incident | None:
        with contextlib.suppress(ClientError):
            return next((one for one in self.client.incidents() if one.state == "resolved"), None)
        return None

    def guids(self) -> list[str | None]:
        return [one.guid for one in self.platform.apps()[0].instances]

    def dump(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)


@contextlib.contextmanager
def hosted(folder: Path) -> Iterator[Hosted]:
    """Start Redis, two workers under `celeriac local`, and Celeriac in mode `auto`."""
    with contextlib.ExitStack() as stack:

        def start(name: str, *argv: str) -> None:
            with (folder / f"{name}.log").open("ab") as log:
                child = spawn([sys.executable, "-m", "celeriac", name, *argv], name=name, stdout=log, stderr=log)
            stack.enter_context(running(child, grace=8))

        redis = stack.enter_context(harness.redis_running(folder / "redis"))
        port, socket = harness.free_port(), folder / "own" / "orders.sock"
        command = CELERY.format(python=sys.executable, celery="celeriac.demo.shop", queues="orders", more="-c 1")
        (folder / "Procfile").write_text(f"worker: {command}\n")
        (folder / "env").write_text(f"BROKER_URL={redis.url}\nRESULT_URL=\n")
        rules = "\n".join(f"{name} = {json.dumps(value)}" for name, value in SOON.items())
        (folder / "celeriac.toml").write_text(
            SETTINGS.format(folder=folder, port=port, socket=socket, broker=redis.url, rules=rules)
        )
        files = ("--file", str(folder / "Procfile"), "--env-file", str(folder / "env"), "--socket", str(socket))
        start("local", *files, "--name", "orders", "--scale", "worker=2", "--grace", "2")
        client = stack.enter_context(Celeriac(f"http://127.0.0.1:{port}"))
        host = Hosted(folder, client, LocalProcesses("here", Connection(socket, timeout=5), selectors=["orders"]))
        harness.wait_until(socket.exists, 20, "it answers", dump=host.dump)
        start("serve", "--config", str(folder / "celeriac.toml"))
        yield host


def test_a_hung_worker_is_restarted_through_the_local_platform_and_verified(tmp_path: Path) -> None:
    """One order is given, for the frozen index alone, and the other worker keeps its process."""
    with hosted(tmp_path) as host:
        workers = harness.wait_until(host.all_well, 60, "both workers are healthy", dump=host.dump, every=0.2)
        before = host.guids()

        harness.freeze(workers["orders/0"].pid)
        story = harness.wait_until(host.resolved, 90, "its incident is resolved", dump=host.dump, every=0.2)

        after = host.guids()
        assert (story.worker_name, story.verdict) == ("orders/0", "hung"), host.dump()
        assert (after[1], after[0] != before[0]) == (before[1], True)
        assert [one.what for one in host.platform.changes(0)] == ["restarted instance 0 of process worker"]
        assert host.platform.crashes(0) == ()
