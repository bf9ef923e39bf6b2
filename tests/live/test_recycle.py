"""A worker that is recycled on a real cluster: its task ends well, the platform starts it again, and nobody calls it a crash."""

from pathlib import Path

import pytest
from celery import Celery

from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def test_a_recycled_worker_ends_its_task_first(tmp_path: Path) -> None:
    """What comes meanwhile waits for its next life; its exit with code 0 is ours, though the platform calls it a crash."""
    with (
        live_cluster(tmp_path, App("reports", queues="reports"), heal=SOON) as cluster,
        Celery("person", broker=cluster.broker, backend=f"{cluster.broker[:-1]}1", set_as_current=False) as person,
    ):
        cluster.serve()
        before = cluster.all_well(1)["reports/0"]
        long = person.send_task("reports.render", args=[8.0], queue="reports")
        cluster.until(lambda: cluster.workers()["reports/0"].active == 1, 30, "its task runs")

        order = cluster.client.recycle("reports/0")

        def drains():
            return [one for one in cluster.incidents() if any(step.kind == "told" for step in one.steps)]

        cluster.until(drains, 20, "it consumes no more")
        later = person.send_task("reports.render", args=[0.1], queue="reports")

        story = cluster.resolved("reports/0")
        kinds = [one.kind for one in story.steps if one.kind not in {"evidence", "tasks"}]
        assert kinds == ["opened", "intended", "drain", "told", "shutdown", "told", "acted", "resolved"]
        assert {one.text for one in story.steps if one.kind == "tasks"} <= {f"no task was in flight on {before.node}"}
        assert "it is idle" in next(one.text for one in story.steps if one.kind == "shutdown")
        assert cluster.client.remedy(order.id).state == "verified"
        assert (long.get(timeout=10), later.get(timeout=20)) == ("rendered in 8.0 s", "rendered in 0.1 s")

        after = cluster.all_well(1)["reports/0"]
        assert after.instance.guid != before.instance.guid
        crash = cluster.events("audit.app.process.crash")
        assert len(crash) == 1
        assert "Codependent step exited" in str(crash[0])
        assert len(cluster.incidents()) == 1
        assert cluster.restarts() == 0
