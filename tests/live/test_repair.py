"""What somebody undid on a real worker: found, repaired by approval, and proven by the task that waited."""

from pathlib import Path

import pytest
import redis
from celery import Celery

from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def test_a_cancelled_queue_is_repaired_without_a_restart(tmp_path: Path) -> None:
    """Its task waits, its heartbeats go on; after the approval it takes the task, in the same process."""
    heal = {**SOON, "mode": "approve", "doubt": 4, "deaf": 8}
    with (
        live_cluster(tmp_path, App("orders-worker"), heal=heal) as cluster,
        Celery("person", broker=cluster.broker, set_as_current=False) as person,
    ):
        cluster.serve()
        before = cluster.all_well(1)["orders-worker/0"]
        said = person.control.cancel_consumer("orders", destination=[before.node], reply=True, timeout=5)
        assert "no longer consuming" in str(said)
        person.send_task("orders.price", queue="orders")

        def held():
            return next((one for one in cluster.incidents() if one.held_reason == "mode"), None)

        story = cluster.until(held, 60, "the deaf worker is held for approval")
        assert (story.verdict, story.remedy, story.repair) == ("deaf", "live_repair", "have it consume orders again")
        assert {one.signal for one in story.evidence} >= {"heartbeat", "remote control", "work"}

        cluster.client.approve(story.id)

        cluster.until(lambda: cluster.client.incident(story.id).state == "resolved", 60, "it is proven")
        after = cluster.all_well(1)["orders-worker/0"]
        assert (after.pid, after.instance.guid) == (before.pid, before.instance.guid)
        assert cluster.restarts() == 0
        with redis.Redis(port=cluster.redis_port) as broker:
            assert broker.llen("orders") == 0


def test_an_emptied_pool_is_found_though_its_queue_is_empty(tmp_path: Path) -> None:
    """The worker itself holds the only task; another one keeps a task for its ETA, and is left alone."""
    heal = {**SOON, "mode": "approve", "doubt": 4, "deaf": 8}
    apps = (App("orders-worker"), App("reports-worker", queues="reports"))
    with (
        live_cluster(tmp_path, *apps, heal=heal) as cluster,
        Celery("person", broker=cluster.broker, set_as_current=False) as person,
    ):
        cluster.serve()
        before = cluster.all_well(2)["orders-worker/0"]
        said = person.control.pool_shrink(2, destination=[before.node], reply=True, timeout=5)
        assert "pool will shrink" in str(said)
        person.send_task("orders.price", (1,), queue="orders", task_id="held")
        person.send_task("reports.render", (0.0,), queue="reports", countdown=600, task_id="later")

        def held():
            return next((one for one in cluster.incidents() if one.held_reason == "mode"), None)

        story = cluster.until(held, 120, "the worker with an empty pool is held for approval")
        assert (story.verdict, story.remedy, story.worker_name) == ("deaf", "live_repair", "orders-worker/0")
        assert any("1 tasks received and not begun" in one.reading for one in story.evidence), story
        with redis.Redis(port=cluster.redis_port) as broker:
            assert broker.llen("orders") == 0

        cluster.client.approve(story.id)

        cluster.until(lambda: cluster.client.incident(story.id).state == "resolved", 60, "it is proven")
        done = cluster.until(lambda: cluster.client.tasks(state="SUCCESS").items, 20, "the task has run")
        after = cluster.all_well(2)
        assert ([one.uuid for one in done], after["orders-worker/0"].pid) == (["held"], before.pid)
        assert cluster.restarts() == 0
        assert {one.worker_name for one in cluster.incidents()} == {"orders-worker/0"}, cluster.dump()
