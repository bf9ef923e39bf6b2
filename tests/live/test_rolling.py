"""A rolling restart on a real cluster: each instance is proven before the next is restarted."""

from pathlib import Path

import pytest

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
