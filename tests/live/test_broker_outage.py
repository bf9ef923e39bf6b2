"""A broker that is away explains every silence: nobody is judged, nobody is restarted."""

from pathlib import Path

import pytest

import harness
from live_cluster import App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

OUTAGE_S = 30.0


def test_redis_away_for_half_a_minute(tmp_path: Path) -> None:
    """Three workers under load, Redis stopped for 30 s: blind, no remedy, and all healthy afterwards.

    The thresholds are the real ones. Celery 5.7.0 itself may end a worker that held messages when Redis went (it exits
    with 1, the platform restarts it): that is a crash like any other, found and proven back without a restart of ours.
    """
    with live_cluster(tmp_path, App("orders-worker", instances=3)) as cluster:
        serve = cluster.serve()
        cluster.start("producer", str(Path(__file__).parent / "send_orders.py"), cluster.broker)
        before = cluster.all_well(3)
        cluster.redis.child.stop(5)

        with harness.lasting(OUTAGE_S) as over:
            cluster.until(lambda: _verdicts(cluster) == {"blind"}, 20, "every worker is blind")
            cluster.until(lambda: over() or _verdicts(cluster) != {"blind"}, OUTAGE_S + 5, "the outage is over")
            assert over(), f"judged during the outage: {cluster.workers()}"
        cluster.stack.enter_context(harness.redis_running(tmp_path / "redis", port=cluster.redis_port))

        after = cluster.all_well(3, within=120)
        crashed = {event["data"]["instance"] for event in cluster.events("audit.app.process.crash")}
        assert cluster.restarts() == 0, cluster.dump()
        for name, worker in before.items():
            same = after[name].instance.guid == worker.instance.guid
            assert same or worker.instance.guid in crashed, f"{name} was replaced and had not crashed"
        cluster.until(lambda: all(one.state == "resolved" for one in cluster.incidents()), 60, "no story is open")
        assert len(cluster.incidents()) == len(crashed)
        assert all(step.kind != "acted" for story in cluster.incidents() for step in story.steps)
        assert serve.poll() is None


def _verdicts(cluster) -> set[str]:
    return {worker.verdict for worker in cluster.workers().values()}
