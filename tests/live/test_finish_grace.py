"""A hung main process whose child still works: its task ends in peace, and the restart follows as soon as it has."""

from pathlib import Path

import pytest
from celery import Celery

import harness
from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

TASK_S = 30.0
GRACE_S = 100.0


def test_the_restart_waits_for_the_task_and_no_longer(tmp_path: Path) -> None:
    """The result backend shows that it has ended: it is restarted long before the time is over, and the task is not lost."""
    app = App("orders-worker", queues="reports", more="-c 2")
    with live_cluster(tmp_path, app, heal={**SOON, "finish_grace": GRACE_S}, results=True) as cluster:
        cluster.serve()
        worker = cluster.all_well(1)["orders-worker/0"]
        shop = Celery(broker=cluster.broker, backend=cluster.results, set_as_current=False)
        sent = shop.send_task("reports.render", (TASK_S,), queue="reports", task_id="the-last-one")
        cluster.until(lambda: cluster.workers()["orders-worker/0"].active == 1, 20, "a heartbeat tells of it")

        harness.freeze(worker.pid)

        def waits() -> bool:
            return any(step.kind == "grace" for one in cluster.incidents() for step in one.steps)

        cluster.until(waits, 40, "the keeper waits for the task")
        assert (sent.state, cluster.restarts()) == ("STARTED", 0), cluster.dump()
        story = cluster.resolved("orders-worker/0")

        assert (story.verdict, sent.state) == ("hung", "SUCCESS"), cluster.dump()
        at = {step.text.partition(":")[0]: step.at for step in story.steps}
        waited = at["all of them have ended, by the result backend"] - story.opened_at
        assert waited.total_seconds() < GRACE_S / 2, cluster.dump()
        assert cluster.restarts() == 1
        known = {"finished after all": 1}
        cluster.until(lambda: cluster.client.casualties(story.id).counts == known, 30, "its fate is known")
