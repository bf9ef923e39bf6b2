"""A keeper that is killed at any point of an act leaves a trail that the next one follows: one restart, and its proof."""

import os
import signal
from pathlib import Path

import pytest

import harness
from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


@pytest.mark.parametrize("point", ["journalled", "acted", "verifying"])
def test_killed_keeper_restarts_nothing_twice(tmp_path: Path, point: str) -> None:
    """SIGKILL after the journal entry, after the act, or while verifying: exactly one restart, incident resolved."""
    with live_cluster(tmp_path, App("orders-worker"), heal=SOON) as cluster:
        cluster.migrate()
        cluster.role("observer")
        cluster.role("console")
        keeper, flag = cluster.keeper_stopping_at(point)
        worker = cluster.all_well(1)["orders-worker/0"]
        harness.freeze(worker.pid)
        cluster.until(flag.exists, 60, f"the keeper reaches {point}")
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.wait(5)

        cluster.role("keeper")
        story = cluster.resolved("orders-worker/0")

        assert cluster.restarts() == 1, cluster.dump()
        assert [step.kind for step in story.steps].count("intended") == 1
        assert len(cluster.incidents()) == 1
        after = cluster.all_well(1)["orders-worker/0"]
        assert after.instance.guid != worker.instance.guid


def test_an_index_that_changed_meanwhile_is_not_touched(tmp_path: Path) -> None:
    """Between verdict and act a person restarts the instance: the keeper reads the new guid and leaves it alone."""
    with live_cluster(tmp_path, App("orders-worker"), heal=SOON) as cluster:
        cluster.migrate()
        cluster.role("observer")
        cluster.role("console")
        _, flag = cluster.keeper_stopping_at("journalled")
        worker = cluster.all_well(1)["orders-worker/0"]
        harness.freeze(worker.pid)
        cluster.until(flag.exists, 60, "the keeper has journalled its intent")
        path = f"/v3/apps/{cluster.app_guid('orders-worker')}/processes/worker"
        cluster.session.order("DELETE", f"{path}/instances/0")

        def renewed() -> bool:
            stats = cluster.session.get(f"{path}/stats")["resources"][0]
            return stats["state"] == "RUNNING" and stats["instance_guid"] != worker.instance.guid

        cluster.until(renewed, 30, "the index runs with another guid")
        flag.unlink()

        story = cluster.resolved("orders-worker/0")
        told = " ".join(step.text for step in story.steps)
        assert "not touched: the index now has guid" in told
        assert "in another process: celeriac restarted instance 0 of process worker" in told
        assert cluster.restarts() == 1, "only the person's own restart"
