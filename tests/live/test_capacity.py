"""Busy slots of real workers: what the store holds agrees with what the test gave them to do."""

from pathlib import Path

import pytest
from celery import Celery

from celeriac.adapters.sql import SqlStore
from celeriac.core.occupancy import LOOK_EVERY_S, Load
from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(150)]

TASK_S = 20.0
TASKS = 2


def test_the_measured_busy_slots_are_those_that_were_busy(tmp_path: Path) -> None:
    """Two tasks of 20 s on three slots: no look sees more than two busy slots, and they add up to 40 slot-seconds."""
    with live_cluster(tmp_path, App("orders-worker", queues="reports", more="-c 3"), heal=SOON) as cluster:
        cluster.serve()
        cluster.all_well(1)
        (name,) = [one.name for one in cluster.client.clusters()]
        store = SqlStore(tmp_path / "store", (name,))
        with store.opened():

            def loads() -> list[Load]:
                return store.loads(name).loads("orders-worker", 0, 1e12)

            cluster.until(loads, 30, "a first look is stored")
            shop = Celery(broker=cluster.broker, set_as_current=False)
            for _ in range(TASKS):
                shop.send_task("reports.render", (TASK_S,), queue="reports")
            cluster.until(lambda: any(one.most == TASKS for one in loads()), 30, "both tasks are seen to run")
            ended = {"state": "SUCCESS"}
            cluster.until(lambda: len(cluster.client.tasks(**ended).items) == TASKS, 40, "both have ended")
            looks = sum(one.looks for one in loads())
            cluster.until(lambda: sum(one.looks for one in loads()) >= looks + 3, 30, "it is looked at afterwards")
            found = loads()

        assert max(one.most for one in found) == TASKS
        assert max(one.slots / one.looks for one in found) == 3
        measured_s = LOOK_EVERY_S * sum(one.busy for one in found)
        assert measured_s == pytest.approx(TASKS * TASK_S, abs=TASKS * LOOK_EVERY_S + 1)
        (process,) = cluster.client.capacity("orders-worker").processes
        assert (process.process, process.instances, process.slots_per_instance) == ("worker", 1, 3)
        assert process.measured.tasks == TASKS
        assert process.measured.slot_s == pytest.approx(TASK_S, abs=1)
        assert process.needed is None
        assert "only 2 tasks" in process.advice
