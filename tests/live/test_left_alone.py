"""What must never be restarted: a worker that works, one that a person stopped, one that the platform heals by itself."""

import os
import signal
from pathlib import Path

import pytest
from celery import Celery

from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

LONG_S = 40.0


def test_busy_stopped_drained_and_crashed_workers(tmp_path: Path) -> None:
    """A solo worker on a 40 s task, `cf stop`, a warm shutdown and a crash: no restart, and one incident (the crash)."""
    apps = (
        App("solo-worker", queues="reports", more="--pool solo"),
        App("stopped-worker"),
        App("drained-worker"),
        App("crashing-worker"),
    )
    with live_cluster(tmp_path, *apps, heal=SOON) as cluster:
        cluster.serve()
        before = cluster.all_well(4)
        shop = Celery(broker=cluster.broker, set_as_current=False)
        shop.send_task("reports.render", (LONG_S,), queue="reports", task_id="the-long-one")

        cluster.session.order("POST", f"/v3/apps/{cluster.app_guid('stopped-worker')}/actions/stop")
        os.kill(before["drained-worker/0"].pid, signal.SIGTERM)
        os.kill(before["crashing-worker/0"].pid, signal.SIGKILL)

        def verdict(name: str) -> str | None:
            worker = cluster.workers().get(name)
            return worker.verdict if worker else None

        cluster.until(lambda: verdict("stopped-worker/0") == "stopped", 20, "the stopped worker is known as stopped")
        story = cluster.resolved("crashing-worker/0")
        assert story.verdict == "crashed"
        cluster.until(lambda: verdict("solo-worker/0") == "busy", 30, "the silent solo worker is known as busy")

        def finished() -> bool:
            # A solo worker sends a task's events when it is over, the first ones too.
            return bool(cluster.client.tasks(state="SUCCESS", name="reports.render").items)

        cluster.until(finished, LONG_S + 20, "the long task has ended in peace")
        cluster.until(lambda: verdict("solo-worker/0") == "healthy", 20, "the solo worker is healthy again")
        cluster.until(
            lambda: verdict("drained-worker/0") == "healthy", 20, "the platform has restarted the drained one"
        )

        after = cluster.workers()
        assert after["solo-worker/0"].pid == before["solo-worker/0"].pid
        assert cluster.restarts() == 0, cluster.dump()
        assert [one.worker_name for one in cluster.incidents()] == ["crashing-worker/0"], cluster.dump()
