"""A warm shutdown that began while nobody listened: the draining worker looks dead and must be left to end its task."""

import os
import signal
from pathlib import Path

import pytest
from celery import Celery

from live_cluster import SOON, App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

LONG_S = 40.0


def test_a_worker_that_drains_unheard_ends_its_task(tmp_path: Path) -> None:
    """Its goodbye is lost with the observer; silent, deaf to pings and not fetching, it is draining all the same."""
    with live_cluster(tmp_path, App("orders-worker", queues="reports", more="-c 1"), heal=SOON) as cluster:
        cluster.migrate()
        cluster.role("console")
        cluster.role("keeper")
        observer = cluster.role("observer")
        worker = cluster.all_well(1)["orders-worker/0"]
        shop = Celery(broker=cluster.broker, set_as_current=False)
        shop.send_task("reports.render", (LONG_S,), queue="reports")
        cluster.until(lambda: cluster.client.tasks(state="STARTED").items, 20, "the long task runs")
        os.kill(observer.pid, signal.SIGKILL)
        observer.wait(5)
        os.kill(worker.pid, signal.SIGTERM)
        log = cluster.folder / "emulator.log"
        cluster.until(lambda: _said(cluster, "Warm shutdown"), 10, f"the warm shutdown has begun ({log})")

        cluster.role("observer")

        def draining() -> bool:
            one = cluster.workers().get("orders-worker/0")
            return one is not None and one.verdict == "draining" and "unheard" in " ".join(one.notes)

        cluster.until(draining, 40, "it is known as draining")
        done = cluster.until(lambda: cluster.client.tasks(state="SUCCESS").items, LONG_S, "the task has ended in peace")
        assert done[0].worker == worker.node
        assert cluster.restarts() == 0, cluster.dump()
        cluster.all_well(1)
        assert cluster.restarts() == 0, cluster.dump()
        assert all(step.kind != "acted" for story in cluster.incidents() for step in story.steps)


def _said(cluster, words: str) -> bool:
    from celeriac.adapters.cloudfoundry import recent

    return any(words in line.text for line in recent(cluster.session, cluster.app_guid("orders-worker")))
