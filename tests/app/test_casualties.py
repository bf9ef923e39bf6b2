"""The watch over tasks in flight: real stores, a broker in memory, and a clock that stands."""

import pytest
from msgspec.structs import replace

from app.virtual import MemoryBroker, MemoryResults
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.casualties import Archives, CasualtyWatch
from celeriac.core import story
from celeriac.core.casualties import NAMED_AT_MOST, Fate, Whereabouts
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Verdict
from celeriac.core.redact import Redaction
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from core.builders import CLUSTER, crash, finding, guid, instance, seen, stream, worker

NODE = f"celery@{guid()}"


class Desk:
    """One crashed worker, what history has of its tasks, and a watch over them."""

    def __init__(self, store, clock):
        self.store, self.clock, self.broker = store, clock, MemoryBroker()
        self.results = MemoryResults()
        self.recorder = SqlRecorder(store.history(CLUSTER)._database, Redaction())
        self.dead = worker(silent=10, now=clock())
        self.lost_at = None
        self.watch = self.hire()
        opened = story.opened(finding(worker(silent=40)), clock(), "crashed")
        self.incident = replace(opened, crashes=(crash().id,), node=None, pid=None)

    def hire(self):
        store = self.store
        archives = Archives(store.history(CLUSTER), store.tasks(CLUSTER), self.broker, store.casebook(), self.results)
        return CasualtyWatch(CLUSTER, archives, self.clock)

    def task(self, uuid, state="STARTED", *, node=NODE, pid=7, ago=15.0):
        at = self.clock() - ago
        return Task(uuid, state, "work", node, None, at, None, at, at, state_at=at, pid=pid)

    def stored(self, *tasks):
        heard = stream(now=self.clock(), lost_at=self.lost_at)
        self.recorder.record(Batch(heard, tasks, (self.dead, worker(1, now=self.clock()))))

    def look(self, *tasks, after=6.0, incidents=None, **fields):
        """Let time pass, the observer store, and the watch look."""
        self.clock.pass_(after)
        self.stored(*tasks)
        look = seen(self.dead, now=self.clock(), crashes=[crash(now=self.clock())], **fields)
        self.watch.consider(look, [self.incident] if incidents is None else incidents)
        if self.watch._looking:
            self.watch._looking.result(10)
        return self.fates

    @property
    def records(self):
        return self.store.casebook().casualties(self.incident.id)

    @property
    def fates(self):
        return {one.uuid: one.fate for record in self.records for one in record.tasks}


@pytest.fixture
def desk(store, clock):
    one = Desk(store, clock)
    yield one
    one.watch.close()


def test_a_crash_has_its_tasks_named_and_followed_until_they_are_known(desk):
    desk.broker.held = Whereabouts(frozenset(["late"]), {"back": "orders"})
    fates = desk.look(
        desk.task("early"), desk.task("late"), desk.task("back", "RECEIVED"), desk.task("done", "SUCCESS")
    )
    assert fates == {"early": Fate.AWAITED, "late": Fate.UNACKED, "back": Fate.QUEUED}
    assert desk.watch.news() == []

    assert desk.look() == {"early": Fate.LOST, "late": Fate.UNACKED, "back": Fate.QUEUED}
    told = f"3 tasks were in flight on {NODE}: 1 lost, 1 in unacked, 1 in a queue"
    assert desk.watch.news() == [(desk.incident.id, told)]
    assert desk.watch.news() == []


def test_what_is_received_elsewhere_or_ends_late_is_told_at_the_end(desk):
    desk.broker.held = Whereabouts(frozenset(["t1", "t2"]))
    desk.look(desk.task("t1", "RECEIVED"), desk.task("t2"))
    desk.look(after=5.0)
    desk.watch.news()
    desk.broker.held = Whereabouts()
    desk.look(desk.task("t1", "SUCCESS", node=worker(1).node, ago=1), desk.task("t2", "SUCCESS", ago=1), after=60.0)

    assert desk.fates == {"t1": Fate.REDELIVERED, "t2": Fate.FINISHED}
    assert [text for _, text in desk.watch.news()] == [
        f"2 tasks were in flight on {NODE}: 1 redelivered, 1 finished after all"
    ]
    assert desk.records[0].closed


def test_the_last_words_are_waited_for(desk):
    desk.dead = worker(silent=0, now=desk.clock())

    assert not desk.look(desk.task("t1"), after=1.0)
    assert desk.look(desk.task("t2"), after=6.0).keys() == {"t1", "t2"}


def test_what_is_stored_late_is_named_too(desk):
    desk.look(desk.task("t1"))

    assert desk.look(desk.task("t2")).keys() == {"t1", "t2"}


def test_a_worker_with_nothing_in_flight_is_told_as_well(desk):
    desk.look()

    assert desk.watch.news() == [(desk.incident.id, f"no task was in flight on {NODE}")]


def test_a_broker_that_is_away_makes_nothing_lost(desk):
    desk.broker.away = "Redis: gone"
    for _ in range(4):
        desk.look(desk.task("t1"))

    assert desk.fates == {"t1": Fate.AWAITED}
    assert "Redis: gone" in desk.records[0].tasks[0].why


def test_what_has_a_result_had_ended(desk):
    desk.results.stored = {"t1"}
    for _ in range(2):
        desk.look(desk.task("t1"), desk.task("t2"))

    assert desk.fates == {"t1": Fate.FINISHED, "t2": Fate.LOST}
    assert desk.results.asked == [frozenset(["t1", "t2"]), frozenset(["t2"])]


def test_a_result_backend_that_is_away_holds_nothing_up_and_is_said(desk):
    desk.results.away = UnreachableError("the result backend cannot be read: ConnectionError")
    for _ in range(2):
        desk.look(desk.task("t1"))

    assert desk.fates == {"t1": Fate.LOST}
    assert "the result backend cannot be read: ConnectionError" in desk.watch.news()[0][1]


def test_what_a_frozen_workers_open_read_took_along_is_named(desk):
    acted = story.told(replace(desk.incident, crashes=(), verdict=Verdict.HUNG), desk.clock(), "acted", "stopped")
    desk.incident = replace(acted, guid=guid(life=1))
    swallowed = Task("s1", "PENDING", "work", None, "celery", desk.dead.last_seen_at + 1, desk.dead.last_seen_at + 1)
    for _ in range(2):
        desk.look(swallowed, instances=[instance(life=2)])

    assert desk.fates == {"s1": Fate.LOST}
    assert ("holding", frozenset(["s1"])) in desk.broker.asked


def test_lost_events_make_nothing_lost_and_are_said(desk):
    desk.lost_at = desk.clock() - 1
    for _ in range(4):
        desk.look(desk.task("t1", ago=30))

    assert desk.fates == {"t1": Fate.UNSURE}
    assert desk.records[0].doubts == ("events were lost within its life: not every task in flight may be known",)


def test_another_keeper_goes_on_where_the_first_one_stopped(desk):
    desk.broker.held = Whereabouts(frozenset(["t1"]))
    desk.look(desk.task("t1"))
    desk.watch.close()
    desk.watch = desk.hire()
    desk.broker.held = Whereabouts()

    desk.look(incidents=())
    desk.look(incidents=())
    assert desk.fates == {"t1": Fate.UNSURE}  # it was there to be taken, and the first keeper knew
    desk.look()
    assert len(desk.records) == 1


def test_a_closed_record_is_not_opened_again(desk):
    desk.look(desk.task("t1"))
    desk.look(desk.task("t1", "SUCCESS", ago=1), after=61.0)
    assert desk.records[0].closed
    desk.watch.close()
    desk.watch = desk.hire()

    desk.look()
    assert desk.records[0].closed


def test_no_more_than_a_thousand_are_named(desk):
    desk.look(*(desk.task(f"t{number}") for number in range(NAMED_AT_MOST + 20)))

    assert (len(desk.records[0].tasks), desk.records[0].more) == (NAMED_AT_MOST, 20)


def test_a_store_that_fails_is_tried_again_later_and_stops_nobody(desk, monkeypatch):
    def away(*_):
        raise UnreachableError("the store is away")

    with monkeypatch.context() as broken:
        broken.setattr(type(desk.store.tasks(CLUSTER)), "left_by", away)
        desk.look(desk.task("t1"))
    assert desk.fates == {}

    desk.look(after=1.0)
    assert desk.fates == {}, "it pauses"
    assert desk.look(after=20.0).keys() == {"t1"}


def test_while_it_looks_a_cycle_is_not_held_up(desk, clock):
    import threading

    asked, go_on = threading.Event(), threading.Event()

    def holding(*_):
        asked.set()
        go_on.wait(10)
        return Whereabouts()

    desk.broker.holding = holding
    clock.pass_(6)
    desk.stored(desk.task("t1"))
    look = seen(desk.dead, now=clock(), crashes=[crash(now=clock())])
    desk.watch.consider(look, [desk.incident])
    assert asked.wait(10)
    desk.watch.consider(look, [desk.incident])
    go_on.set()
    desk.watch._looking.result(10)

    assert desk.fates == {"t1": Fate.AWAITED}
