"""The doctor over a real worker on the emulator: all is well, then a worker whose name maps to no instance is found."""

import os
import sys

import pytest

from celeriac.client import ClientError
from celeriac.processes import running, spawn
from live_cluster import App, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def test_a_whole_cluster_and_a_worker_that_maps_to_nothing(tmp_path) -> None:
    """What the running server finds, what the command finds beside it, and one worker with a name of its own."""
    with live_cluster(tmp_path, App("orders"), results=True, heal={"settle": 3}) as cluster:
        cluster.serve()
        cluster.all_well(1)

        def checks():
            try:
                return {one.id.removeprefix("cluster/demo/"): one for one in cluster.client.doctor().items}
            except ClientError:
                return {}

        found = cluster.until(lambda: (it := checks()) and it["events"].state == "ok" and it, 70, "events flow")
        failed = [(one.id, one.text) for one in found.values() if one.state == "fail"]
        assert failed == []
        for check in (
            "broker-clients",
            "workers",
            "pools",
            "client-names",
            "results",
            "apps",
            "nodes",
            "instances",
            "mode",
        ):
            assert found[check].state == "ok", found[check]
        assert found["store/schema"].state == found["celeriac/lease"].state == "ok"
        assert found["sent-events"].state == "warn"  # no task was sent yet

        argv = [sys.executable, "-m", "celery", "-A", "celeriac.demo.shop", "worker", "-n", "worker@laptop", "-c", "1"]
        env = {**os.environ, "BROKER_URL": cluster.broker, "RESULT_URL": cluster.results}
        with (tmp_path / "stray.log").open("wb") as log:
            stray = spawn([*argv, "-Q", "orders"], name="stray", env=env, stdout=log, stderr=log)
        with running(stray, grace=5):
            nodes = cluster.until(
                lambda: (it := checks()) and it["nodes"].state == "fail" and it["nodes"], 40, "it is found"
            )
        assert nodes.text == "worker@laptop: mapped to no instance of orders"
        assert "celery -A APP worker -n worker@$CF_INSTANCE_GUID" in nodes.fix
