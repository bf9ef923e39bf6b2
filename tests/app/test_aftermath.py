"""Evidence of crashes: kept beside the cycle, told in the story, and shown as what is kept before a kill."""

import threading

import pytest

import harness
from app.test_preserve import Witness
from app.virtual import Cluster, MemoryBroker
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.aftermath import Aftermath
from celeriac.app.heal import Aides, Keeper, Rules
from celeriac.app.preserve import Preserver, Witnesses
from celeriac.core.casualties import Whereabouts
from celeriac.core.errors import UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.core.redact import Redaction
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, crash, guid, instance, stream, worker

NODE = f"celery@{guid()}"


class Scene:
    """A keeper with real stores, a cluster of four workers, and witnesses that can be made to fail or to hang."""

    def __init__(self, store, clock):
        self.store, self.clock, self.journal = store, clock, store.journal()
        self.cluster = Cluster(clock, store.history(CLUSTER))
        self.witness, self.broker = Witness(), MemoryBroker(held=Whereabouts(frozenset(["t2"])))
        self.stored("t1", "t2")
        witnesses = Witnesses(store.tasks(CLUSTER), self.witness, self.broker, self.witness)
        self.aftermath = Aftermath(CLUSTER, Preserver(witnesses, store.casebook(), Redaction(), clock), clock)
        rules = Rules(limits=Limits(), policy=lambda: Policy(mode=Mode.AUTO))
        aides = Aides(aftermath=self.aftermath)
        self.keeper = Keeper(self.cluster.another(), self.journal, rules, holder="me", aides=aides)
        self.life = 1
        self.turn()
        self.turn()

    def stored(self, *ids):
        tasks = [Task(id, "STARTED", "work", NODE, None, NOW, None, NOW, NOW, state_at=NOW, pid=7) for id in ids]
        SqlRecorder(self.store.history(CLUSTER)._database, Redaction()).record(Batch(stream(), tasks))

    def turn(self):
        now = self.clock.now = self.clock() + 2.0
        lives = [worker(0, silent=0.5 if self.life == 1 else 15, now=now)] + [worker(n, now=now) for n in range(1, 4)]
        if self.life > 1:
            lives.append(worker(0, life=self.life, born=2, now=now))
        # The one that crashes gives no proof in between that it is well.
        self.cluster.control.alive = {one.node for one in lives[1:4]}
        self.cluster.observe(*lives)
        self.keeper.cycle()

    def crash(self):
        """The platform reports it, and starts the index again in a container of its own."""
        platform = self.cluster.platform
        platform.crashed = (*platform.crashed, crash(life=self.life, ago=0.0, now=self.clock()))
        self.life += 1
        platform.instances[0] = instance(life=self.life)

    def told(self):
        """Run cycles until the platform was read, and what was begun then is told."""
        for _ in range(10):
            self.turn()
            harness.wait_until(lambda: all(one.done() for one in self.aftermath._looking), 10, "it is kept")
        self.turn()
        return [one.text for one in self.incident.steps if one.kind == "evidence"]

    @property
    def incident(self):
        (one,) = self.journal.incidents(CLUSTER, open_only=False, limit=9)
        return one

    @property
    def kept(self):
        kept = self.store.casebook().kept(self.incident.id)
        return {one.source: [line.text for line in one.lines] or one.why for one in kept.exhibits} if kept else {}

    def close(self):
        for said in self.witness.said.values():
            if isinstance(said, threading.Event):
                said.set()
        self.aftermath.close()
        self.keeper._gatherer.close()
        self.cluster.gatherer.close()


@pytest.fixture
def scene(store, clock):
    one = Scene(store, clock)
    yield one
    one.close()


def test_what_is_left_of_a_crashed_worker_is_kept_and_told(scene):
    scene.crash()

    (text,) = scene.told()
    assert text == "kept after the crash: logs: 2; platform events: 1; tasks by its events: 2; unacked: 1"
    assert scene.kept == {
        "logs after the crash": ["ready.", "stuck"],
        "platform events after the crash": ["audit.app.restart by ada"],
        "tasks by its events after the crash": ["t1 work STARTED", "t2 work STARTED"],
        "unacked after the crash": ["t2"],
    }


def test_in_a_crash_loop_it_is_kept_once_more_and_no_more(scene):
    scene.crash()
    scene.told()
    scene.witness.said["logs"] = (Line("MemoryError", NOW),)
    scene.crash()
    scene.turn()
    scene.crash()
    assert [text.partition(":")[0] for text in scene.told()] == ["kept after the crash", "kept in the crash loop"]
    scene.crash()

    assert len(scene.told()) == 2
    assert scene.kept["logs in the crash loop"] == ["MemoryError"]
    assert scene.kept["logs after the crash"] == ["ready.", "stuck"]


def test_a_source_that_fails_is_noted(scene):
    scene.witness.said["logs"] = UnreachableError("log-cache is down")
    scene.crash()

    (text,) = scene.told()
    assert text.startswith("kept after the crash: logs: log-cache is down; platform events: 1")
    assert scene.kept["logs after the crash"] == "log-cache is down"


def test_no_cycle_waits_for_it(scene):
    scene.witness.said["logs"] = threading.Event()
    scene.crash()
    for _ in range(10):
        scene.turn()

    assert scene.aftermath._looking
    assert not [one for one in scene.incident.steps if one.kind == "evidence"]
    scene.witness.said["logs"].set()
    assert len(scene.told()) == 1


def test_a_store_that_takes_nothing_is_told_and_stops_nobody(scene, monkeypatch):
    def away(*_):
        raise UnreachableError("the disk is full")

    monkeypatch.setattr(type(scene.store.casebook()), "keep", away)
    scene.crash()

    assert scene.told() == ["not kept after the crash: the disk is full"]


def test_the_next_keeper_knows_what_was_kept(scene):
    scene.crash()
    assert len(scene.told()) == 1
    scene.aftermath._begun.clear()

    assert len(scene.told()) == 1


def test_secrets_are_not_kept(scene):
    scene.witness.said["logs"] = (Line("login password='hunter2' failed"),)
    scene.crash()
    scene.told()

    assert "hunter2" not in str(scene.kept)
