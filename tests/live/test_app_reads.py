"""What people read of an app whose workers are real: its instances, its newest log lines, and its log as it is written."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

INSTANCE = "[APP/PROC/WORKER/1]"


def argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "celeriac", *words]


def said(cluster: LiveCluster, *words: str) -> str:
    done = subprocess.run(argv(*words), env=env(cluster), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + cluster.dump()
    return done.stdout


def env(cluster: LiveCluster) -> dict[str, str]:
    return {**os.environ, "CELERIAC_URL": f"http://127.0.0.1:{cluster.port}", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


@contextlib.contextmanager
def following(cluster: LiveCluster, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Follow a log into a file, in a process of its own."""
    with log.open("w") as out:
        process = subprocess.Popen(argv("logs", *words), env=env(cluster), stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(15)


def connected(pid: int) -> bool:
    """Tell whether a process has a connection open."""
    for one in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if str(one.readlink()).startswith("socket:"):
                return True
    return False


def test_instances_log_and_events_of_real_workers(tmp_path: Path) -> None:
    """Both workers are killed: who follows the log of one reads how its next life begins, and nothing of the other."""
    log = tmp_path / "followed.log"
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal=SOON) as cluster:
        cluster.serve()
        workers = cluster.all_well(2)
        head, _, *rows = said(cluster, "apps", "orders-worker").splitlines()
        assert head.endswith("running worker:2/2"), head
        assert [row.split()[1:3] for row in rows] == [["RUNNING", "healthy"]] * 2
        assert workers["orders-worker/1"].instance.guid in rows[1]
        recent = said(cluster, "logs", "orders-worker", "--recent", "--instance", "1")
        assert f"{INSTANCE} ERR" in recent
        assert "ready." in recent
        assert "WORKER/0]" not in recent

        with following(cluster, log, "orders-worker", "--instance", "1") as process:
            cluster.until(lambda: connected(process.pid), 20, "the log is followed")
            for one in workers.values():
                os.kill(one.pid, signal.SIGKILL)
            cluster.until(lambda: " ready." in log.read_text(), 60, "its next life is followed")
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0

        assert INSTANCE in log.read_text()
        assert "WORKER/0]" not in log.read_text()
        assert "audit.app.process.crash" in said(cluster, "events", "orders-worker")
        broker = f"BROKER_URL=redis://127.0.0.1:{cluster.redis_port}/0"  # no password is in it
        assert broker in said(cluster, "env", "orders-worker").splitlines()
