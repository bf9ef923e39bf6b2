"""Looking at how busy apps are: a keeper's word counts once, an old one not at all, and minutes are summed up."""

import threading

import pytest
from structlog.testing import capture_logs

import harness
from app.virtual import Clock
from celeriac.app import load_watch
from celeriac.app.load_watch import LoadWatch
from celeriac.core.errors import UnreachableError
from celeriac.core.finding import Finding
from celeriac.core.memory import Board
from celeriac.core.model import Pool, Verdict
from celeriac.core.places import Site
from core.builders import instance, place, worker


class Desk:
    """A keeper's board that the test writes, and a watch on it."""

    def __init__(self):
        self.clock, self.board, self.away, self.reads = Clock(), None, None, 0
        self.clock.now = self.clock() // 60 * 60
        self.watch = LoadWatch("orders", self.read, lambda: {"orders": 5}, self.clock, every_s=0.01)

    def read(self):
        self.reads += 1
        if self.away:
            raise self.away
        return self.board

    def judge(self, active, *, ago=0.0, **fields):
        life = worker(0, active=active)
        finding = Finding(place(0), Verdict.HEALTHY, site=Site(place(0), None, instance(0), life))
        pools = {life.key: Pool("prefork", 4, ("orders",))}
        self.board = Board("orders", self.clock() - ago, "well", "auto", findings=(finding,), pools=pools, **fields)

    def look(self, active=1, *, after=5.0, **fields):
        self.clock.now += after
        self.judge(active, **fields)
        self.watch.look()
        return self.watch.take()


@pytest.fixture
def desk():
    return Desk()


def test_looks_are_summed_up_by_the_minute(desk):
    (first,) = desk.look(4)
    (second,) = desk.look(2)
    assert (first.looks, first.busy, first.waiting) == (1, 4, 5)
    assert (second.looks, second.busy, second.slots, second.most, second.at) == (2, 6, 8, 4, first.at)
    (third,) = desk.look(1, after=60)
    assert (third.looks, third.busy, third.at) == (1, 1, first.at + 60)


def test_the_same_word_counts_once(desk):
    assert desk.look(4)
    desk.watch.look()
    assert desk.watch.take() == []


def test_an_old_word_a_blind_one_and_none_at_all_are_gaps(desk):
    desk.watch.look()
    assert desk.watch.take() == []
    assert desk.look(4, ago=20.0) == []
    assert desk.look(4, blind="the broker is away") == []
    assert len(desk.look(4)) == 1


def test_minutes_that_were_not_taken_yet_are_kept(desk):
    desk.look(1)
    desk.clock.now += 60
    desk.judge(2)
    desk.watch.look()
    desk.clock.now += 60
    desk.judge(3)
    desk.watch.look()
    assert [one.busy for one in desk.watch.take()] == [2, 3]


def test_while_flushes_are_stuck_the_oldest_minutes_are_left_out(desk, monkeypatch):
    monkeypatch.setattr(load_watch, "MOST_MINUTES", 3)
    for number in range(1, 6):
        desk.clock.now += 60
        desk.judge(number % 4)
        desk.watch.look()
    assert [one.busy for one in desk.watch.take()] == [3, 0, 1]


@pytest.mark.parametrize("trouble", [UnreachableError("the store is away"), KeyError("slots")])
def test_whatever_goes_wrong_is_told_once_and_ends_no_look(desk, trouble):
    desk.away, stopping = trouble, threading.Event()
    with capture_logs() as told:
        thread = threading.Thread(target=desk.watch.run, args=(stopping,))
        thread.start()
        try:
            harness.wait_until(lambda: told and desk.reads > 3, 5, "it is looked again and again")
            desk.judge(2)
            desk.away = None
            harness.wait_until(desk.watch.take, 5, "a look is made")
        finally:
            stopping.set()
            thread.join()
    said = [one for one in told if one["event"] == "how busy apps are cannot be seen"]
    assert [(one["cluster"], trouble.args[0] in one["why"]) for one in said] == [("orders", True)]


def test_a_store_that_is_away_delays_the_look_alone(desk):
    desk.away, stopping = UnreachableError("the store is away"), threading.Event()
    thread = threading.Thread(target=desk.watch.run, args=(stopping,))
    thread.start()
    try:
        desk.judge(2)
        desk.away = None
        (found,) = harness.wait_until(desk.watch.take, 5, "a look is made")
    finally:
        stopping.set()
        thread.join()
    assert found.busy == 2
