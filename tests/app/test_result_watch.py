"""A hung worker's tasks and the result backend: once all have ended nothing is waited for; real stores, a standing clock."""

import threading

import pytest

import harness
from app.virtual import NODE, Cluster, MemoryResults
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.heal import Keeper, Rules
from celeriac.core.errors import UnreachableError
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Consumer, Mode, Pool
from celeriac.core.redact import Redaction
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from core.builders import CLUSTER, guid, stream, worker


class Scene:
    """Four workers, one of which freezes with two tasks under way; a keeper that knows the result backend."""

    def __init__(self, store, clock):
        self.store, self.clock, self.journal = store, clock, store.journal()
        self.cluster, self.results = Cluster(clock, store.history(CLUSTER)), MemoryResults()
        self.gatherer = self.cluster.another(lives=store.tasks(CLUSTER), results=self.results)
        rules = Rules(limits=Limits(), policy=lambda: Policy(mode=Mode.AUTO))
        self.keeper = Keeper(self.gatherer, self.journal, rules, holder="me")
        pool = Pool("prefork", 4, ("celery",), named=True)
        self.cluster.control.kinds = {f"celery@{guid(index)}#7": pool for index in range(4)}
        self.frozen_at = None
        for _ in range(3):
            self.turn()
        self.begun("t1", "t2")
        self.frozen_at = clock()

    def begun(self, *ids, state="STARTED"):
        now = self.clock()
        tasks = [Task(id, state, "work", NODE, None, now, None, now, now, state_at=now, pid=7) for id in ids]
        SqlRecorder(self.store.history(CLUSTER)._database, Redaction()).record(Batch(stream(), tasks))

    def turn(self):
        self.clock.pass_(2.0)
        now = self.clock()
        silent = 0.5 if self.frozen_at is None else now - self.frozen_at
        lives = [worker(0, silent=silent, active=2, now=now), *(worker(n, now=now) for n in range(1, 4))]
        self.cluster.control.alive = {one.node for one in lives if silent < 1 or one is not lives[0]}
        self.cluster.broker.there = {
            one.node: Consumer(10, fetching=silent < 1 or one is not lives[0], idle_s=30.0 if one is lives[0] else 0.0)
            for one in lives
        }
        self.cluster.observe(*lives)
        self.keeper.cycle()

    def until_waited_for(self):
        for _ in range(40):
            self.turn()
            if self.steps[-1:] == ["grace"]:
                return self.clock()
        raise AssertionError(self.steps)

    def turns(self, number):
        """Run cycles, each once the result backend has answered the one before."""
        for _ in range(number):
            asked = self.gatherer._results._asked
            harness.wait_until(lambda one=asked: one is None or one.done(0.0), 10, "it has answered")
            self.turn()

    @property
    def steps(self):
        found = self.journal.incidents(CLUSTER, open_only=False, limit=9)
        return [step.kind for step in found[0].steps] if found else []

    @property
    def restarted(self):
        return self.cluster.platform.restarted

    def close(self):
        self.gatherer.close()
        self.cluster.gatherer.close()


@pytest.fixture
def scene(store, clock):
    one = Scene(store, clock)
    yield one
    one.close()


def test_once_all_tasks_have_ended_it_is_restarted_at_once(scene):
    scene.until_waited_for()
    scene.results.stored = {"t1"}
    scene.turns(4)
    assert scene.restarted == []

    scene.results.stored = {"t1", "t2"}
    scene.turns(2)
    assert scene.restarted == [guid()]
    assert scene.steps == ["opened", "grace", "grace", "intended", "acted"]
    assert set(scene.results.asked) == {frozenset(["t1", "t2"])}


def test_what_it_had_only_received_is_not_waited_for(scene):
    scene.begun("t3", state="RECEIVED")
    scene.results.stored = {"t1", "t2"}
    scene.until_waited_for()
    scene.turns(2)

    assert scene.restarted == [guid()]


def test_nobody_asks_before_a_worker_is_waited_for(scene):
    for _ in range(5):
        scene.turn()

    assert scene.results.asked == []


def test_while_the_backend_is_away_the_time_is_waited_out_and_people_see_why(scene):
    scene.results.away = UnreachableError("the result backend cannot be read: ConnectionError")
    begun = scene.until_waited_for()
    scene.turns(4)
    assert "results: the result backend cannot be read: ConnectionError" in scene.journal.board(CLUSTER).problems
    while not scene.restarted:
        scene.turns(1)

    assert 58 <= scene.clock() - begun <= 62


def test_a_backend_that_does_not_answer_holds_no_cycle_up_and_is_asked_once(scene):
    go_on = threading.Event()

    def hangs(tasks):
        scene.results.asked.append(frozenset(tasks))
        go_on.wait(20)
        return frozenset()

    scene.results.ended = hangs
    scene.until_waited_for()
    for _ in range(31):
        scene.turn()
    go_on.set()

    assert scene.restarted == [guid()]
    assert len(scene.results.asked) == 1
