"""What a source that fails, is slow or is not there becomes, and an observer that says nothing."""

import threading

import pytest
from msgspec.structs import replace

from app.virtual import CALM, NODE, alive
from celeriac.app import asking, platform_watch
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import IncidentState
from celeriac.core.limits import Limits
from celeriac.core.memory import Book
from celeriac.core.model import Consumer, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.ports import Batch
from core.builders import incident, said_goodbye, stream, worker

NAMED = Book(pools={key: replace(pool, named=True) for key, pool in CALM.pools.items()})
"""A journal in which every pool's connections were seen by name."""


def test_no_platform_is_no_fault(cluster, clock):
    """A cluster that runs elsewhere has neither apps nor crashes, and that is not unknown."""
    bare = cluster.another(platform=None)
    cluster.observe(alive(clock))
    look = bare.look(CALM)
    bare.close()

    assert (look.platform, look.crashes, bare.lived) == (None, None, ())


def test_a_platform_that_fails_is_unknown_with_its_reason(cluster, clock):
    """Neither an empty platform nor an old word: unknown."""
    cluster.platform.away = RefusedError("401: log in again")
    look = cluster.looked(alive(clock))

    assert isinstance(look.platform, Unknown)
    assert (look.platform.why, look.crashes.why) == ("401: log in again", "401: log in again")
    assert cluster.gatherer.lived == ()


def test_events_that_cannot_be_read_leave_the_apps_known(cluster, clock):
    """A role may see the apps and not their events: only the crashes are unknown then."""

    def refuse(since):
        message = "403: not authorized"
        raise RefusedError(message)

    cluster.platform.crashes = refuse
    look = cluster.looked(alive(clock))

    assert isinstance(look.platform, Known)
    assert look.crashes.why == "403: not authorized"
    assert len(cluster.gatherer.lived) == 4


def test_a_control_that_fails_makes_each_ping_unknown(cluster, clock):
    """No answer because nobody could be asked is no proof."""
    cluster.control.away = "remote control: Connection refused"
    book = Book(incidents=(incident(1, state=IncidentState.VERIFYING),), pools=CALM.pools)
    look = cluster.looked(worker(silent=20, now=clock()), alive(clock, 1), book=book)

    assert {one.why for one in look.pings.values()} == {"remote control: Connection refused"}
    assert [one.why for one in look.inspected.values()] == ["remote control: Connection refused"]


def test_a_broker_that_fails_makes_the_connections_unknown(cluster, clock):
    """An empty list would prove that every worker is gone."""
    cluster.broker.away = "Redis: Connection refused"
    look = cluster.looked(worker(silent=20, now=clock()))

    assert look.clients == Unknown("Redis: Connection refused", clock())


def test_a_source_that_is_slow_is_unknown(cluster, clock, monkeypatch):
    """Every source has its time; the others are read all the same."""
    monkeypatch.setattr(asking, "SOURCE_LIMIT_S", 0.05)
    release = threading.Event()
    cluster.broker.clients = lambda _: release.wait(10)
    try:
        look = cluster.looked(worker(silent=20, now=clock()))
    finally:
        release.set()

    assert look.clients.why == "no answer within 0 s"
    assert look.pings[NODE].why == "no answer yet, asked 1 times"


def test_a_slow_platform_keeps_its_last_answer_for_a_while(cluster, clock, monkeypatch):
    """Its next answer is under way, and no second question is sent after it; after half a minute it is unknown."""
    monkeypatch.setattr(platform_watch, "WAIT_S", 0.01)
    cluster.looked(alive(clock))
    before = cluster.platform.asked.count("crashes")
    release = threading.Event()
    real = cluster.platform.apps
    cluster.platform.apps = lambda: (release.wait(10), real())[1]
    try:
        kept = [cluster.look(alive(clock), after=11).platform for _ in range(5)]
    finally:
        release.set()
    asked_since = cluster.platform.asked.count("crashes") - before

    assert [isinstance(one, Known) for one in kept] == [True, True, True, False, False]
    assert kept[-1].why == "no answer for 44 s"
    assert asked_since == 1


def test_a_platform_that_never_answered_is_unknown(cluster, clock, monkeypatch):
    """There is no last answer to keep."""
    monkeypatch.setattr(platform_watch, "SOURCE_LIMIT_S", 0.01)
    release = threading.Event()
    cluster.platform.apps = lambda: release.wait(10)
    try:
        look = cluster.look(alive(clock))
    finally:
        release.set()

    assert look.platform == Unknown("no answer for 0 s", clock())


def test_a_connection_that_outlasts_the_heartbeats_is_remembered(cluster, clock):
    """RabbitMQ ends a frozen worker's connection itself, some time after the worker fell silent."""
    cluster.broker.there = {NODE: Consumer(1, fetching=True, idle_s=0.0)}
    silent = worker(silent=20, now=clock())
    cluster.looked(silent)
    cluster.broker.there = {}

    assert cluster.look(silent).lingering == {silent.key}
    assert cluster.look(alive(clock)).lingering == frozenset()


def test_a_connection_that_went_with_the_heartbeats_is_not(cluster, clock):
    cluster.broker.there = {}

    assert cluster.looked(worker(silent=20, now=clock())).lingering == frozenset()


def test_a_connection_that_outlasts_a_goodbye_is_remembered_until_it_is_seen_to_go(cluster, clock):
    """Between two questions to the broker its worker is judged by the last answer."""
    cluster.broker.there = {NODE: Consumer(4, fetching=False, idle_s=20.0, listening=False)}
    left, book = said_goodbye(Limits().drain_deadline_s - 20, now=clock()), NAMED
    looks = [cluster.looked(left, book=book), *(cluster.look(left, book=book) for _ in range(20))]
    times = cluster.broker.asked.count("clients")

    assert {one.lingering for one in looks} == {frozenset({left.key})}
    assert times < 4, "the broker is asked no oftener for it"
    assert cluster.broker.nodes == {NODE}, "it is past its deadline, and still there"
    assert diagnose(replace(looks[-1], platform=None, lived=()), Limits())[0].verdict is Verdict.HUNG

    cluster.broker.there = {}
    for _ in range(40):
        gone = cluster.look(left, book=book)
    assert gone.lingering == frozenset()
    assert cluster.broker.nodes == frozenset(), "nor is it asked for any more"


def test_the_broker_is_asked_for_those_only_whose_connection_tells_something(cluster, clock):
    """RabbitMQ logs an error for each missing queue that it is asked for."""
    cluster.looked(worker(silent=20, now=clock()), book=NAMED)

    assert cluster.broker.nodes == {NODE}


def test_a_defect_in_reading_a_source_is_unknown(cluster, clock):
    """An answer that we cannot read convicts nobody, and ends no cycle."""
    cluster.broker.clients = lambda _: {}["nothing"]
    look = cluster.looked(worker(silent=20, now=clock()))

    assert look.clients.why == "a defect in reading it: KeyError: 'nothing'"


class Broken:
    """A history of which one part cannot be read."""

    def __init__(self, real, part):
        self._real, self._part = real, part

    def stream(self):
        return self._read("stream")

    def incarnations(self):
        return self._read("incarnations")

    def queues(self):
        return self._read("queues")

    def _read(self, part):
        if part == self._part:
            message = "the store is locked"
            raise UnreachableError(message)
        return getattr(self._real, part)()


@pytest.mark.parametrize("part", ["stream", "incarnations"])
def test_a_store_that_cannot_be_read_makes_the_cluster_blind(cluster, clock, part):
    """Also if only the list of workers is missing: else everybody would seem never to have joined."""
    keeper = cluster.another(history=Broken(cluster.history, part))
    for _ in range(3):
        cluster.clock.pass_(2)
        cluster.observe(alive(clock))
        look = keeper.look(CALM)
    keeper.close()

    assert (look.stream.why, look.incarnations if part == "incarnations" else ()) == ("the store is locked", ())


def test_without_an_observer_the_cluster_is_blind(cluster):
    """Nothing was ever stored."""
    assert cluster.gatherer.look(CALM).stream.why == "the observer has not stored anything yet"


def test_the_observers_last_word_may_be_old(cluster, clock):
    """Only when its word has changed once is it known to work: it may have died days ago."""
    assert cluster.look(alive(clock)).stream.why == "the observer's next word is awaited"
    assert isinstance(cluster.look(alive(clock)).stream, Known)


def test_an_observer_that_says_nothing_for_five_seconds_is_stale(cluster, clock):
    """Its clock and ours need not agree: what counts is that its word changes."""
    cluster.looked(alive(clock))

    clock.pass_(5)
    assert isinstance(cluster.gatherer.look(CALM).stream, Known)
    clock.pass_(0.5)
    assert cluster.gatherer.look(CALM).stream.why == "the observer has said nothing for 6 s"
    assert isinstance(cluster.look(alive(clock)).stream, Known)


@pytest.mark.parametrize("skew", [-86400.0, 86400.0])
def test_the_observers_clock_may_be_wrong(cluster, clock, skew):
    """A day ahead or behind: silence is counted between its own times."""
    for _ in range(2):
        clock.pass_(2)
        cluster.recorder.record(Batch(stream(now=clock() + skew)))
        look = cluster.gatherer.look(CALM)

    assert isinstance(look.stream, Known)


def test_newcomers_are_not_asked_while_the_observer_is_stale(cluster, clock):
    """Who speaks now is not known."""
    cluster.observe(alive(clock))
    cluster.gatherer.look(Book())

    assert cluster.control.asked == []
