"""A rolling restart on a real cluster: each instance is proven before the next is restarted."""

from pathlib import Path

import pytest

import harness
from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def test_an_app_is_restarted_one_instance_at_a_time(tmp_path: Path) -> None:
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal={**SOON, "mode": "approve"}) as cluster:
        cluster.serve()
        before = cluster.all_well(2)

        order = cluster.client.restart_app("orders-worker")

        cluster.until(lambda: cluster.client.remedy(order.id).state == "verified", 90, "all are restarted and proven")
        stories = {one.worker_name: one for one in cluster.incidents()}
        assert {one.state for one in stories.values()} == {"resolved"}
        whole = stories["orders-worker"]
        kinds = [one.kind for one in whole.steps]
        assert kinds == ["opened", "turn", "proven", "turn", "proven", "resolved"]
        first, second = stories["orders-worker/0"], stories["orders-worker/1"]
        assert first.resolved_at <= second.opened_at
        after = cluster.all_well(2)
        assert all(after[name].instance.guid != before[name].instance.guid for name in before)
        assert cluster.restarts() == 2


def test_one_that_the_keeper_proposes_waits_for_a_person(tmp_path: Path) -> None:
    """Three of four freeze, where no quorum holds that: nothing is restarted before the approval, and then the ill ones first."""
    heal = {**SOON, "mode": "approve", "quorum_share": 1.0}
    with live_cluster(tmp_path, App("orders-worker", instances=4), heal=heal) as cluster:
        cluster.serve()
        before = cluster.all_well(4)
        for index in (1, 2, 3):
            harness.freeze(before[f"orders-worker/{index}"].pid)

        def whole():
            return next((one for one in cluster.incidents() if one.worker_name == "orders-worker"), None)

        story = cluster.until(whole, 60, "the restart of the app is proposed")
        assert (story.state, story.held_reason, story.remedy) == ("held", "mode", "restart_app")
        assert story.turns == [f"orders-worker/{index}" for index in (1, 2, 3, 0)]
        assert cluster.restarts() == 0

        order = cluster.client.approve(story.id)

        cluster.until(lambda: cluster.client.remedy(order.id).state == "verified", 150, "all are restarted and proven")
        assert [one.kind for one in whole().steps][-10:] == ["intended", *["turn", "proven"] * 4, "resolved"]
        assert {one.state for one in cluster.incidents()} == {"resolved"}
        assert cluster.restarts() == 4
