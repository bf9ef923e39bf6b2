"""A worker dies with tasks in every state: all that were in flight are named, none else, each with its true fate."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import redis
from celery import Celery

import harness
from celeriac.client import Incident
from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

LONG_S = 300.0


def test_after_a_kill_every_task_in_flight_is_named(tmp_path: Path) -> None:
    """Started with early and with late acknowledgement, prefetched, and kept for later; others wait or have ended."""
    with live_cluster(tmp_path, App("orders-worker", queues="reports", more="-c 2"), heal=SOON) as cluster:
        cluster.serve()
        worker = cluster.all_well(1)["orders-worker/0"]
        expected = burden(cluster, worker.node)

        os.kill(worker.pid, signal.SIGKILL)

        id = told(cluster).id
        settled = {"lost": 1, "in unacked": len(expected) - 1}
        cluster.until(lambda: cluster.client.casualties(id).counts == settled, 60, f"it ends as {settled}")
        found = cluster.client.casualties(id)
        assert {one.id for one in found.items} == expected, cluster.dump()
        assert found.items[0].id == "early"
        assert ({one.worker for one in found.items}, found.doubts) == ({worker.node}, [])
        left = {f"waits-{number}" for number in range(20)} - expected
        cluster.until(lambda: left <= ids(cluster, "SUCCESS"), 30, "what waited in the queue runs elsewhere")
        assert cluster.client.casualties(id).counts == settled
        is_shown(
            cluster,
            id,
            f"{len(expected)} tasks were in flight on {worker.node}: 1 lost, {len(expected) - 1} in unacked",
        )
        is_kept(cluster, id, expected)


def burden(cluster: LiveCluster, node: str) -> set[str]:
    """Have a worker end some tasks, run two, keep two for later, and prefetch more; return what it has in flight."""
    shop = Celery(broker=cluster.broker, set_as_current=False)
    for number in range(20):
        shop.send_task("reports.render", (0.0,), queue="reports", task_id=f"done-{number}")
    states(cluster, {"SUCCESS": 20})
    shop.send_task("reports.render", (LONG_S,), queue="reports", task_id="early")
    shop.send_task("reports.archive", (LONG_S,), queue="reports", task_id="late")
    states(cluster, {"SUCCESS": 20, "STARTED": 2})
    for number in range(2):
        shop.send_task("orders.remind", (1,), queue="reports", countdown=600, task_id=f"eta-{number}")
    states(cluster, {"SUCCESS": 20, "STARTED": 2, "RECEIVED": 2})
    for number in range(20):
        shop.send_task("reports.render", (0.0,), queue="reports", task_id=f"waits-{number}")
    queue = redis.Redis(port=cluster.redis_port)

    def prefetched() -> bool:
        waiting = queue.llen("reports")
        return 0 < waiting < 20 and len(in_flight(cluster, node)) == 4 + 20 - waiting

    cluster.until(prefetched, 20, "as many are prefetched as may be, and known")
    return in_flight(cluster, node)


def is_shown(cluster: LiveCluster, id: str, sentence: str) -> None:
    """See that story and command line tell it, and that the kept moment gives the same verdict and plan again."""

    def said() -> list[str]:
        return [step.text for step in cluster.client.incident(id).steps if step.kind == "tasks"]

    cluster.until(said, 10, "the story tells it")
    assert said() == [sentence]
    assert "Tasks in flight: 1 lost, " in celeriac(cluster, "incidents", id)
    moment = cluster.folder / "moment.json"
    celeriac(cluster, "incidents", id, "--snapshot", str(moment))
    assert "incident orders-worker/0: crashed, verifying" in celeriac(cluster, "plan", "--snapshot", str(moment))


def is_kept(cluster: LiveCluster, id: str, expected: set[str]) -> None:
    """See that the dead worker's logs and tasks are kept, though the platform has long started another one."""

    def said() -> list[str]:
        return [step.text for step in cluster.client.incident(id).steps if step.kind == "evidence"]

    (text,) = cluster.until(said, 20, "the story tells what was kept")
    assert text.startswith("kept after the crash: logs: "), text
    kept = {one.source: one for one in cluster.client.evidence(id).exhibits}
    assert any("ready." in one.text for one in kept["logs after the crash"].lines)
    assert any("crash" in one.text for one in kept["platform events after the crash"].lines)
    assert {one.text.split()[0] for one in kept["tasks by its events after the crash"].lines} == expected
    assert {one.text for one in kept["unacked after the crash"].lines} == expected - {"early"}
    assert "logs after the crash (" in celeriac(cluster, "incidents", id, "--evidence")


def test_on_rabbitmq_what_comes_back_is_seen_and_what_had_begun_is_lost(tmp_path: Path, rabbitmq_vhost: str) -> None:
    """RabbitMQ shows no message: what it gives back is received again, and its empty queue proves the rest lost."""
    app = App("orders-worker", instances=2, queues="reports", more="-c 2")
    with live_cluster(tmp_path, app, heal=SOON, rabbitmq=rabbitmq_vhost) as cluster:
        cluster.serve()
        worker = cluster.all_well(2)["orders-worker/0"]
        shop = Celery(broker=cluster.broker, set_as_current=False)
        for number in range(4):
            shop.send_task("reports.render" if number < 2 else "reports.archive", (LONG_S,), queue="reports")
        states(cluster, {"STARTED": 4})
        for _ in range(6):
            shop.send_task("reports.render", (LONG_S,), queue="reports")
        states(cluster, {"STARTED": 4, "RECEIVED": 6})
        there = [one for one in cluster.client.tasks(limit=500).items if one.worker == worker.node]
        early = {one.uuid for one in there if one.state == "STARTED" and one.name == "reports.render"}
        assert len(there) > len(early) > 0

        os.kill(worker.pid, signal.SIGKILL)

        id = told(cluster).id
        settled = {"lost": len(early), "redelivered": len(there) - len(early)}
        cluster.until(lambda: cluster.client.casualties(id).counts == settled, 90, f"it ends as {settled}")
        found = cluster.client.casualties(id).items
        assert {one.id for one in found} == {one.uuid for one in there}
        assert {one.id for one in found if one.fate == "lost"} == early


def test_before_a_frozen_worker_is_killed_evidence_is_kept(tmp_path: Path) -> None:
    """Its logs, its tasks and the platform's events; what a frozen worker cannot answer is noted, and stops nothing."""
    with live_cluster(tmp_path, App("orders-worker", queues="reports", more="-c 2"), heal=SOON) as cluster:
        cluster.serve()
        worker = cluster.all_well(1)["orders-worker/0"]
        expected = burden(cluster, worker.node)

        harness.freeze(worker.pid)

        story = cluster.resolved("orders-worker/0")
        assert story.verdict == "hung"
        kept = {one.source: one for one in cluster.client.evidence(story.id).exhibits}
        assert {one.text.split()[0] for one in kept["tasks by its events"].lines} == expected
        assert {one.text for one in kept["unacked"].lines} == expected - {"early"}
        assert any("ready." in one.text for one in kept["logs"].lines)
        assert kept["platform events"].why is None
        assert kept["stats"].why == kept["tasks it has"].why == "it does not answer remote control"
        settled = {"lost": 1, "in unacked": len(expected) - 1}
        cluster.until(lambda: cluster.client.casualties(story.id).counts == settled, 60, f"it ends as {settled}")
        text = celeriac(cluster, "incidents", story.id, "--evidence")
        assert "tasks by its events" in text


def test_a_message_that_a_frozen_worker_took_along_is_named(tmp_path: Path) -> None:
    """Redis gives it to the read that the worker had open when it froze: no list holds it, no event tells of it."""
    with live_cluster(tmp_path, App("orders-worker", queues="reports", more="-c 2"), heal=SOON) as cluster:
        cluster.serve()
        worker = cluster.all_well(1)["orders-worker/0"]
        shop = Celery(broker=cluster.broker, set_as_current=False)
        shop.conf.task_send_sent_event = True
        looked_at = redis.Redis(port=cluster.redis_port)
        for number in range(30):
            harness.freeze(worker.pid)
            shop.send_task("reports.archive", (0.0,), queue="reports", task_id=f"sent-{number}")
            if not looked_at.llen("reports"):
                break
            os.kill(worker.pid, signal.SIGCONT)  # its read had just ended: once more, when it is idle again
            cluster.until(lambda n=number: f"sent-{n}" in ids(cluster, "SUCCESS"), 20, "it goes on")

        story = cluster.resolved("orders-worker/0")

        cluster.until(lambda: cluster.client.casualties(story.id).counts == {"lost": 1}, 60, "it is named")
        (one,) = cluster.client.casualties(story.id).items
        assert one.id == f"sent-{number}"
        assert "frozen worker's open read" in one.why


def told(cluster: LiveCluster) -> Incident:
    return cluster.until(lambda: next(iter(cluster.incidents()), None), 40, "an incident tells it")


def ids(cluster: LiveCluster, *states: str, worker: str | None = None) -> set[str]:
    found = cluster.client.tasks(state=list(states), limit=500).items
    return {one.uuid for one in found if worker in (None, one.worker)}


def in_flight(cluster: LiveCluster, node: str) -> set[str]:
    return ids(cluster, "STARTED", "RECEIVED", worker=node)


def states(cluster: LiveCluster, expected: dict[str, int]) -> None:
    def there() -> bool:
        return Counter(one.state for one in cluster.client.tasks(limit=500).items) == expected

    cluster.until(there, 30, f"the tasks are {expected}")


def celeriac(cluster: LiveCluster, *words: str) -> str:
    env = {**os.environ, "CELERIAC_URL": f"http://127.0.0.1:{cluster.port}"}
    argv = [sys.executable, "-m", "celeriac", *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
