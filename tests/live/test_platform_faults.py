"""Three ways in which a foundation goes wrong, with real workers and all roles: nobody is restarted who is well."""

import os
import signal
from pathlib import Path

import httpx2
import pytest

import harness
from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

DIEGO = "platform: Instances information unavailable: Unable to communicate with Diego (503"
ROLE = "platform: space 'production' is not to be seen any more: our account has probably lost its role there, "


def wrong(cluster: LiveCluster, *faults: dict[str, object]) -> None:
    """Put these faults in force, and no others."""
    httpx2.put(f"{cluster.api}/emulator/faults", json={"faults": faults}, trust_env=False).raise_for_status()


def told(cluster: LiveCluster) -> list[str]:
    (one,) = cluster.client.clusters()
    return [*one.problems, *one.notes]


@pytest.mark.parametrize(("kind", "text"), [("diego_down", DIEGO), ("lost_role", ROLE)])
def test_a_platform_that_shows_nothing_leads_to_nothing(tmp_path: Path, kind: str, text: str) -> None:
    """Well workers stay, a frozen one is blind and waits; when it is over that is restarted, and a crash is found."""
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal={**SOON, "budget_share": 1.0}) as cluster:
        cluster.serve()
        before = cluster.all_well(2)
        wrong(cluster, {"kind": kind})
        cluster.until(lambda: any(one.startswith(text) for one in told(cluster)), 20, "people are told")
        assert len(told(cluster)) == 1, told(cluster)
        harness.freeze(before["orders-worker/0"].pid)

        def verdict(index: int) -> str:
            return cluster.workers()[f"orders-worker/{index}"].verdict

        cluster.until(lambda: verdict(0) == "blind", 30, "the frozen one is blind")
        assert verdict(1) == "healthy"
        assert (cluster.incidents(), cluster.restarts()) == ([], 0), cluster.dump()

        wrong(cluster)
        os.kill(before["orders-worker/1"].pid, signal.SIGKILL)
        assert cluster.resolved("orders-worker/0").verdict == "hung"
        assert cluster.resolved("orders-worker/1").verdict == "crashed"
        assert cluster.restarts() == 1, cluster.dump()
        assert told(cluster) == []


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_foundation_whose_clock_is_five_minutes_off(tmp_path: Path, seconds: int) -> None:
    """A crash is found, a frozen worker restarted, and then the next: our own restart is nobody else's."""
    with live_cluster(tmp_path, App("orders-worker", instances=2), heal={**SOON, "budget_share": 1.0}) as cluster:
        cluster.serve()
        before = cluster.all_well(2)
        wrong(cluster, {"kind": "clock_skew", "seconds": seconds})
        os.kill(before["orders-worker/0"].pid, signal.SIGKILL)
        cluster.until(cluster.incidents, 20, "the crash is found")
        way = "ahead of" if seconds > 0 else "behind"
        (note,) = told(cluster)
        assert note.endswith(f" s {way} ours: its events count from when they were first read")
        harness.freeze(before["orders-worker/1"].pid)

        def restarted() -> int:
            return sum(one.verdict == "hung" and one.state == "resolved" for one in cluster.incidents())

        cluster.until(lambda: restarted() == 1, 60, "the frozen worker is restarted and proven")
        assert cluster.resolved("orders-worker/0").verdict == "crashed"
        harness.freeze(cluster.all_well(2)["orders-worker/0"].pid)
        cluster.until(lambda: restarted() == 2, 60, "so is the next")
        assert cluster.restarts() == 2, cluster.dump()
