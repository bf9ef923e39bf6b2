"""Any role may be killed at any moment: its supervisor starts it again, no incident is lost, nothing is done twice."""

import os
import signal
from pathlib import Path

import pytest

import harness
from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def kill(cluster: LiveCluster, serve: int, role: str) -> None:
    """Kill one role, and wait until its supervisor has started another."""

    def pids() -> list[int]:
        found = harness.descendants(serve).items()
        return [pid for pid, line in found if f"--only {role}" in line and not line.startswith("/bin/sh")]

    victim = cluster.until(pids, 30, f"a {role} runs")[0]
    os.kill(victim, signal.SIGKILL)
    cluster.until(lambda: any(pid != victim for pid in pids()), 30, f"another {role} runs")


def test_every_role_is_killed_while_a_worker_hangs(tmp_path: Path) -> None:
    """Observer, keeper and console are killed between the freeze and the proof: one incident, one restart, resolved."""
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal=SOON) as cluster:
        serve = cluster.serve().pid
        worker = cluster.all_well(2)["orders-worker/1"]
        harness.freeze(worker.pid)
        kill(cluster, serve, "observer")
        kill(cluster, serve, "console")
        kill(cluster, serve, "keeper")
        cluster.until(cluster.incidents, 60, "an incident is open")
        kill(cluster, serve, "keeper")
        kill(cluster, serve, "observer")

        story = cluster.resolved("orders-worker/1")

        assert [step.kind for step in story.steps].count("acted") == 1
        assert cluster.restarts() == 1, cluster.dump()
        assert len(cluster.incidents()) == 1
        cluster.all_well(2)
