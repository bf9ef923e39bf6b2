"""Stuck slots as a look finds them: begun long ago by the events, and still running by the worker's own word."""

import pytest

import harness
from app.virtual import NODE, Cluster, alive, stored
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.core.diagnose import diagnose
from celeriac.core.limits import Limits
from celeriac.core.model import Verdict
from celeriac.core.redact import Redaction
from celeriac.core.tasks import STARTED, SUCCESS, Task
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, stream


@pytest.fixture
def cluster(clock, tmp_path):
    """A cluster whose history is a whole one, with what was done of `shop.pay`."""
    store = stored(tmp_path)
    with store.opened():
        history = store.history(CLUSTER)
        one = Cluster(clock, history)
        one.gatherer = one.another(tasks=store.tasks(CLUSTER), charts=store.charts(CLUSTER))
        one.record = SqlRecorder(history._database, Redaction()).record
        yield one
        one.gatherer.close()


def done(number, runtime=2.0):
    return [
        Task(f"d{index}", SUCCESS, "shop.pay", NODE, None, NOW - 900, received_at=NOW - 900, started_at=NOW - 900,
             finished_at=NOW - 890, runtime=runtime, state_at=NOW - 890)
        for index in range(number)
    ]  # fmt: skip


def begun(ago, id="long"):
    at = NOW - ago
    return Task(id, STARTED, "shop.pay", NODE, None, at, received_at=at, started_at=at, state_at=at)


def looked(cluster, clock, *tasks):
    """Let the keeper look for more than a minute beside these tasks."""
    cluster.record(Batch(stream(now=clock()), tasks=tasks))
    cluster.control.alive = {NODE}
    for _ in range(35):
        look = cluster.look(alive(clock, active=1))
        harness.wait_until(
            lambda: not cluster.gatherer._slots._asked or cluster.gatherer._slots._asked.done(0.0), 5, "read"
        )
    return look


def test_a_task_that_never_ends_damages_its_worker(cluster, clock):
    cluster.control.runs = {NODE: frozenset({"long"})}
    look = looked(cluster, clock, *done(30), begun(800))

    assert [one.id for one in look.stuck[NODE]] == ["long"]
    assert look.stuck[NODE][0].runs.number == 30
    assert diagnose(look, Limits())[0].verdict is Verdict.DAMAGED


def test_one_that_its_worker_does_not_run_is_a_lost_event(cluster, clock):
    look = looked(cluster, clock, *done(30), begun(800))

    assert look.stuck == {}
    assert len(cluster.control.nodes("running")) >= 1


def test_nobody_is_asked_while_nothing_runs_long(cluster, clock):
    looked(cluster, clock, *done(30), begun(100))

    assert cluster.control.nodes("running") == []


def test_what_cannot_be_read_is_found_by_nobody(cluster, clock):
    cluster.control.runs = {NODE: frozenset({"long"})}
    cluster.control.away = "remote control: Connection refused"

    assert looked(cluster, clock, *done(30), begun(800)).stuck == {}
