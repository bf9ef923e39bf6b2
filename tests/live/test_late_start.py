"""Broker and platform that are not there at start: Celeriac runs, says so, and connects when they come."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from live_cluster import App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


def ready(cluster: LiveCluster) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{cluster.port}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def test_broker_and_platform_come_after_celeriac(tmp_path: Path) -> None:
    """Without both, `/readyz` is 503 and names them; when they come, workers are judged without any restart of ours."""
    with live_cluster(tmp_path, App("orders-worker"), absent=True) as cluster:
        serve = cluster.serve()
        cluster.until(lambda: ready(cluster)[0] == 503, 30, "the console answers that it is not ready")
        cluster.until(
            lambda: "broker cannot be read" in ready(cluster)[1] and "platform" in ready(cluster)[1],
            20,
            "both are named",
        )

        cluster.come()

        cluster.all_well(1)
        cluster.until(lambda: ready(cluster)[0] == 200, 20, "ready")
        assert serve.poll() is None
        assert cluster.incidents() == []
