"""Tasks that an idle worker holds and does not begin, as a look finds them: by the events, and by its own word."""

import pytest

import harness
from app.virtual import NODE, Cluster, alive, stored
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits
from celeriac.core.model import Inspection, Verdict
from celeriac.core.redact import Redaction
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, stream

KEY = f"{NODE}#7"
EMPTY_POOL = Inspection(("celery",), reserved=1, processes=0)


@pytest.fixture
def cluster(clock, tmp_path):
    store = stored(tmp_path)
    with store.opened():
        history = store.history(CLUSTER)
        one = Cluster(clock, history)
        one.gatherer = one.another(tasks=store.tasks(CLUSTER), charts=store.charts(CLUSTER))
        one.record = SqlRecorder(history._database, Redaction()).record
        one.control.alive = {NODE}
        yield one
        one.gatherer.close()


def received(id="held", *, ago=90.0, state="RECEIVED", **fields):
    at = NOW - ago
    fields = {"pid": 7, "state_at": at, **fields}
    return Task(id, state, "shop.pay", NODE, None, at, received_at=at, **fields)


def looked(cluster, clock, *tasks, looks=35, **worker_fields):
    """Let the keeper look for so many times beside these tasks."""
    if tasks:
        cluster.record(Batch(stream(now=clock()), tasks=tasks))
    for _ in range(looks):
        look = cluster.look(alive(clock, **{"active": 0, "last_start_at": NOW - 100, **worker_fields}))
        asked = cluster.gatherer._held._asked
        harness.wait_until(lambda one=asked: not one or one.done(0.0), 5, "it is read")
    return look


def verdict(look):
    return diagnose(look, Limits())[0].verdict


def test_what_an_empty_pool_holds_makes_its_worker_deaf(cluster, clock):
    cluster.control.says = {NODE: EMPTY_POOL}
    look = looked(cluster, clock, received())

    assert (look.held[KEY].number, look.held[KEY].name) == (1, "shop.pay")
    assert verdict(look) is Verdict.DEAF
    assert diagnose(look, Limits())[0].remedy is RemedyKind.LIVE_REPAIR


@pytest.mark.parametrize(
    "task",
    [
        received(eta="2030-01-01T00:00:00"),
        received(pid=8),
        received(state="STARTED"),
        received(state="SUCCESS"),
        received(ago=-60),
    ],
    ids=["kept for its ETA", "another life's", "begun", "ended", "just received"],
)
def test_what_it_does_not_hold_back_makes_nobody_ask(cluster, clock, task):
    cluster.control.says = {NODE: EMPTY_POOL}
    look = looked(cluster, clock, task, looks=20)

    assert look.held == {}
    assert cluster.control.nodes("inspect") == []


def test_a_worker_whose_clock_is_behind_has_received_it_later(cluster, clock):
    cluster.control.says = {NODE: EMPTY_POOL}
    behind = {"last_heartbeat_at": NOW + 120, "sent": (1, NOW)}

    assert looked(cluster, clock, received(), looks=20, **behind).held == {}


@pytest.mark.parametrize("busy", [{"active": 1}, {"last_start_at": NOW + 30}], ids=["it runs one", "it began one"])
def test_a_worker_that_works_is_not_looked_at(cluster, clock, busy):
    cluster.control.says = {NODE: EMPTY_POOL}
    look = looked(cluster, clock, received(), looks=20, **busy)

    assert (look.held, cluster.control.nodes("inspect")) == ({}, [])


@pytest.mark.parametrize(
    "says",
    [Inspection(("celery",), processes=4), Inspection(("celery",), reserved=1, processes=4, limited=True)],
    ids=["it holds nothing", "it has a rate limit"],
)
def test_what_its_own_word_explains_is_not_asked_again(cluster, clock, says):
    """An event that was lost would have it asked for ever."""
    cluster.control.says = {NODE: says}
    look = looked(cluster, clock, received(), looks=70)

    assert look.held == {}
    assert verdict(look) is Verdict.HEALTHY
    assert len(cluster.control.nodes("inspect")) == 1


def test_what_is_not_explained_stays_a_doubt(cluster, clock):
    cluster.control.says = {NODE: Inspection(("celery",), reserved=1, processes=4)}
    look = looked(cluster, clock, received())
    found = diagnose(look, Limits())[0]

    assert (found.verdict, found.doubt) == (Verdict.HEALTHY, True)


def test_once_it_has_begun_there_is_no_doubt(cluster, clock):
    cluster.control.says = {NODE: EMPTY_POOL}
    looked(cluster, clock, received())
    look = looked(cluster, clock, received(state="SUCCESS"), looks=1, last_start_at=clock())
    assert verdict(look) is Verdict.HEALTHY

    assert looked(cluster, clock, looks=35).held == {}


def test_a_store_that_cannot_be_read_makes_nobody_ask(cluster, clock, monkeypatch):
    from celeriac.core.errors import UnreachableError

    def away(*_):
        raise UnreachableError("the store is away")

    cluster.record(Batch(stream(now=clock()), tasks=[received()]))
    monkeypatch.setattr(type(cluster.gatherer._held._tasks), "find", away)

    assert looked(cluster, clock).held == {}
