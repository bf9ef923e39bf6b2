"""A rolling restart while work comes in all the time: one instance at a time, no task lost, stopped by a bad release."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

import harness
from celeriac.client import LogLine
from live.late_load import MEDIUM_S, Load, Run, load_on
from live.test_orders import celeriac
from live_cluster import SOON, App, LiveCluster, live_cluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(420)]

APP = "orders-worker"
GRACE_S = 10.0
HEAL = {**SOON, "mode": "approve"}
DONE_S = 60.0
JUST_S = 1.5
"""What a worker takes to hear a signal, or to record what it has done."""


@dataclass(frozen=True)
class Way:
    """How workers are set up to end, and the longest task that they are given; `peace_s` is what a task has to end."""

    name: str
    longest_s: float
    peace_s: float
    says: str
    env: dict[str, str] = field(default_factory=dict)


SOFT_S = 4.0
WARM = Way("warm", MEDIUM_S, GRACE_S, "worker: Warm shutdown (MainProcess)")
SOFT = Way(
    "soft",
    12.0,
    SOFT_S,
    "worker: Cold shutdown (MainProcess)",
    {"REMAP_SIGTERM": "SIGQUIT", "SOFT_SHUTDOWN_S": f"{SOFT_S}"},
)
"""What outlasts the grace of the platform is given back before that ends, and not killed: on Redis a worker that is killed
while it ends may hold one more message, which it had just fetched and nobody else knows of."""


@dataclass(frozen=True)
class Outage:
    """One instance from the keeper's intent to stop it until its successor is proven; times are seconds since the epoch."""

    index: int
    guid: str
    intended_at: float
    stopped_at: float
    ended_at: float
    proven_at: float
    said: list[str]
    """Its lines meanwhile, of the platform and of its own."""

    @property
    def node(self) -> str:
        return f"worker@{self.guid}"


def release(folder: Path, way: Way) -> App:
    """Lay down the code that the instances of the app start with."""
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "late_orders.py", folder)
    return App(APP, instances=3, more="-c 2 -l WARNING", celery="late_orders", folder=folder, env=way.env)


def lines(cluster: LiveCluster, since: float) -> list[LogLine]:
    """Return what the platform and the instances have written since then, by the platform's log."""
    begun = datetime.fromtimestamp(since, UTC)
    return [one for one in cluster.client.logs(APP, limit=1000) if one.at >= begun]


def at(found: list[LogLine], text: str) -> float:
    (line,) = [one for one in found if one.text.endswith(text)]
    return line.at.timestamp()


def outages(cluster: LiveCluster, since: float, guids: dict[int, str]) -> list[Outage]:
    """Return each instance that the platform was ordered to stop, by its own log, in the order of the stops."""
    found, stories = lines(cluster, since), {one.worker_name: one for one in cluster.incidents()}
    stopped = [one for one in found if one.source == "CELL" and "stopping instance" in one.text]
    told = []
    for stop in sorted(stopped, key=lambda one: one.at):
        guid = guids[stop.index]
        assert stop.text.endswith(f"stopping instance {guid}"), "each instance is stopped once"
        ended_at = at(found, f"successfully destroyed container for instance {guid}")
        mine = [one.text for one in found if one.index == stop.index and one.at.timestamp() <= ended_at]
        story = stories[f"{APP}/{stop.index}"]
        (intended,) = [one.at.timestamp() for one in story.steps if one.kind == "intended"]
        proven_at = story.resolved_at.timestamp()
        told.append(Outage(stop.index, guid, intended, stop.at.timestamp(), ended_at, proven_at, mine))
    return told


def ordered(cluster: LiveCluster) -> list[tuple[int, float]]:
    """Return the restarts of instances that the platform was ordered, as its audit events tell: index and whole second."""
    events = cluster.events("audit.app.process.terminate_instance")
    told = [(one["data"]["process_index"], datetime.fromisoformat(one["created_at"]).timestamp()) for one in events]
    return sorted(told, key=lambda one: one[1])


def a_long_task(load: Load, node: str) -> Callable[[], Run | None]:
    """Tell whether a node has just begun one of the longest tasks."""

    def begun() -> Run | None:
        mine = [one for one in load.begun() if (one.node, one.seconds) == (node, load.longest_s)]
        return next((one for one in mine if time.time() - one.at < 1), None)

    return begun


def proven_to_end_in_peace(load: Load, outage: Outage, way: Way) -> None:
    """It was told to end, and not killed; of what it ran then it ended itself what there was time for."""
    ended = {one.id for one in load.done() if one.node == outage.node}
    mine = [one for one in load.begun() if one.node == outage.node and one.at < outage.stopped_at]
    could = [one for one in mine if one.at + one.seconds + JUST_S < outage.stopped_at + way.peace_s]
    assert [one for one in could if one.id not in ended] == []
    assert way.says in outage.said
    assert "Exit status 0" in outage.said
    assert outage.ended_at - outage.stopped_at < GRACE_S


def account(load: Load) -> str:
    return f"{len(load.sent)} tasks sent, none lost, {len(load.twice())} begun again: {load.twice()}"


@pytest.mark.parametrize("way", [WARM, SOFT], ids=lambda way: way.name)
def test_one_at_a_time_and_no_task_lost(tmp_path: Path, way: Way) -> None:
    """From before its beginning to after its end work is sent: every task succeeds, those that were cut off a second time."""
    app = release(tmp_path / "release", way)
    with live_cluster(tmp_path, app, heal=HEAL, results=True, grace=GRACE_S) as cluster:
        cluster.serve()
        before = cluster.all_well(3)
        guids = {one.instance.index: one.instance.guid for one in before.values()}
        with load_on(cluster, way.longest_s) as load:
            cluster.until(a_long_task(load, f"worker@{guids[0]}"), 120, "the first to be stopped has begun a long task")
            began_at, promised = time.time(), cluster.client.app(APP).turns

            told = celeriac(cluster, "restart", APP, "--rolling", "--yes", within=300)

            ended_at = time.time()
            assert told.returncode == 0, told.stdout + told.stderr + cluster.dump()
            cluster.until(lambda: load.last_at > ended_at, 10, "work is still sent")
            load.stop()
            harness.wait_until(
                lambda: not load.unfinished(), DONE_S, "every task ends with SUCCESS", dump=load.traces, every=0.5
            )

            for index in guids:
                cluster.resolved(f"{APP}/{index}")
            found = outages(cluster, began_at, guids)
            assert [f"{APP}/{one.index}" for one in found] == promised == [f"{APP}/{index}" for index in range(3)]
            for one, following in pairwise(found):
                assert one.intended_at < one.stopped_at < one.ended_at < one.proven_at, told.stdout
                assert one.proven_at <= following.intended_at, told.stdout
            for one, (index, second) in zip(found, ordered(cluster), strict=True):
                assert index == one.index
                assert one.stopped_at - 2 < second <= one.stopped_at
            assert cluster.events("audit.app.process.crash") == []
            for one in found:
                proven_to_end_in_peace(load, one, way)
            if way is SOFT:
                assert load.twice(), "the long task of the first instance was cut off, and was done by another"
            took = ", ".join(f"{one.proven_at - one.stopped_at:.1f}" for one in found)
            sys.stdout.write(f"\n{account(load)}; instances were away for {took} s\n")


def test_a_bad_release_stops_it_at_the_first_instance(tmp_path: Path) -> None:
    """A new instance crashes at once: the two others are never touched and go on working, and people are told in one sentence."""
    app = release(tmp_path / "release", WARM)
    with live_cluster(tmp_path, app, heal=HEAL, results=True, grace=GRACE_S) as cluster:
        cluster.serve()
        before = cluster.all_well(3)
        with load_on(cluster) as load:
            cluster.until(lambda: len({one.node for one in load.done()}) == 3, 30, "all three work")
            (tmp_path / "release" / "late_orders.py").write_text("raise SystemExit('this release is broken')\n")
            began_at = time.time()

            told = celeriac(cluster, "restart", APP, "--rolling", "--yes", within=300)

            stopped_at = time.time()
            assert told.returncode == 1, told.stdout + told.stderr + cluster.dump()
            cluster.until(lambda: load.last_at > stopped_at + 5, 20, "work is sent for a while after the stop")
            load.stop()
            harness.wait_until(
                lambda: not load.unfinished(), DONE_S, "every task ends with SUCCESS", dump=load.traces, every=0.5
            )

            whole = next(one for one in cluster.incidents() if one.worker_name == APP)
            assert (whole.state, [one.kind for one in whole.steps]) == ("escalated", ["opened", "turn", "escalated"])
            assert told.stdout.splitlines()[-1].endswith(f"{whole.steps[-1].text}.")
            touched = {one.index for one in lines(cluster, began_at) if one.source == "CELL"}
            assert touched == {0}
            assert [index for index, _ in ordered(cluster)] == [0]
            after = cluster.workers()
            for name in (f"{APP}/1", f"{APP}/2"):
                assert (after[name].verdict, after[name].pid) == ("healthy", before[name].pid)
                assert after[name].instance.guid == before[name].instance.guid
            at_work = {one.node for one in load.done() if one.at > stopped_at}
            assert at_work == {before[f"{APP}/{index}"].node for index in (1, 2)}
            sys.stdout.write(f"\n{account(load)}; people are told: {whole.steps[-1].text}\n")
