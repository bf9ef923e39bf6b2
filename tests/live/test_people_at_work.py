"""Somebody changes the app while a worker freezes, and somebody holds its incident: the keeper waits for both."""

import time
from pathlib import Path

import pytest

import harness
from live.test_orders import celeriac
from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

WAIT = 20


def test_the_keeper_waits_for_people(tmp_path: Path) -> None:
    """In auto: held while somebody has just scaled the app, then by a person's word, and restarted once it is released."""
    heal = {**SOON, "deploy_wait": WAIT, "budget_share": 1.0}
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal=heal) as cluster:
        cluster.serve()
        worker = cluster.all_well(2)["orders-worker/1"]
        harness.freeze(worker.pid)
        path = f"/v3/apps/{cluster.app_guid('orders-worker')}/processes/worker/actions/scale"
        cluster.session.order("POST", path, {"instances": 2})
        scaled_at = time.monotonic()

        def held(reason: str):
            return next((one for one in cluster.incidents() if one.held_reason == reason), None)

        story = cluster.until(lambda: held("deploy"), 60, "the restart is held by the deploy")
        assert "celeriac scaled process worker to 2" in story.steps[-1].text
        told = celeriac(cluster, "hold", story.id, "--reason", "I look into it")
        assert (told.returncode, told.stdout.splitlines()[-1]) == (0, "Held."), told.stderr + cluster.dump()
        assert celeriac(cluster, "approve", story.id, "--yes").returncode == 2

        cluster.until(lambda: time.monotonic() > scaled_at + WAIT + 5, WAIT + 30, "the deploy is long over")
        cluster.until(lambda: held("held_by_user"), 10, "it is still held by the person")
        assert cluster.restarts() == 0

        told = celeriac(cluster, "release", story.id)
        assert (told.returncode, told.stdout.splitlines()[-1]) == (0, "Released."), told.stderr + cluster.dump()
        ended = cluster.resolved("orders-worker/1")
        assert [one.kind for one in ended.steps if one.kind in {"released", "intended", "acted", "resolved"}] == [
            "released",
            "intended",
            "acted",
            "resolved",
        ]
        assert cluster.restarts() == 1
