"""What people order: the restart of a well worker from the command line, and the approval of a held incident."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def celeriac(cluster: LiveCluster, *words: str, within: float = 150) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CELERIAC_URL": f"http://127.0.0.1:{cluster.port}"}
    argv = [sys.executable, "-m", "celeriac", *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=within, check=False)


def test_a_person_restarts_and_approves(tmp_path: Path) -> None:
    """In mode approve a frozen worker is held until it is approved; a restart is ordered and proven; a pause holds both."""
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal={**SOON, "mode": "approve"}) as cluster:
        cluster.serve()
        before = cluster.all_well(2)

        told = celeriac(cluster, "restart", "orders-worker/0", "--yes")
        assert told.returncode == 0, told.stdout + told.stderr + cluster.dump()
        after = cluster.all_well(2)
        assert after["orders-worker/0"].instance.guid != before["orders-worker/0"].instance.guid
        assert cluster.restarts() == 1

        harness.freeze(after["orders-worker/1"].pid)

        def held():
            return next((one for one in cluster.incidents() if one.held_reason == "mode"), None)

        story = cluster.until(held, 60, "the frozen worker is held for approval")
        assert story.verdict == "hung"
        assert story.approvable
        assert cluster.restarts() == 1, "nothing is done without approval"

        pause = tmp_path / "store" / "PAUSE"
        pause.write_text("lunch\n")
        cluster.until(lambda: cluster.client.clusters()[0].paused == "lunch", 10, "the pause is known")
        told = celeriac(cluster, "approve", story.id, "--yes")
        assert told.returncode == 2, told.stdout + told.stderr
        assert "the incident is held (paused)" in told.stderr
        assert cluster.restarts() == 1, "a pause holds people's orders too"
        pause.unlink()
        cluster.until(held, 10, "the incident waits for approval again")

        told = celeriac(cluster, "approve", story.id, "--yes")

        assert told.returncode == 0, told.stdout + told.stderr + cluster.dump()
        assert cluster.restarts() == 2
        cluster.all_well(2)
        listed = celeriac(cluster, "workers", "--json")
        assert listed.stdout.count('"healthy"') == 2
