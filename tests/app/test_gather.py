"""The look: which sources are asked, of whom, and what a source that fails or is slow becomes."""

import threading

import pytest
from msgspec.structs import replace

from app.virtual import CALM, PREFORK, Cluster
from celeriac.app import asking, gather
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import IncidentState
from celeriac.core.model import Consumer, Pool
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from celeriac.ports import Batch, Book
from core.builders import NOW, crash, guid, incident, place, said_goodbye, stream, worker

NODE = f"celery@{guid()}"


@pytest.fixture
def cluster(clock, history):
    one = Cluster(clock, history)
    yield one
    one.gatherer.close()


def alive(clock, index=0, **fields):
    return worker(index, now=clock() + 4, **fields)


# Calm ----------------------------------------------------------------------------------------------------------------


def test_a_quiet_cluster_is_not_asked(cluster, clock):
    """Nobody is pinged while everybody speaks."""
    look = cluster.looked(alive(clock), alive(clock, 1))

    assert cluster.control.asked == []
    assert (look.pings, look.consuming, look.waiting) == ({}, {}, {})
    assert [one.node for one in look.incarnations] == [NODE, f"celery@{guid(1)}"]
    assert isinstance(look.stream, Known)


def test_names_of_connections_are_read_every_thirty_seconds(cluster, clock):
    """So that their absence later is a proof; in between the broker is left alone."""
    for _ in range(40):
        cluster.look(alive(clock))

    assert 3 <= cluster.broker.asked.count("consumers") <= 4


def test_a_pool_whose_connections_carry_its_name_is_remembered(cluster, clock):
    """The next look need not see them again."""
    cluster.broker.there = {NODE: Consumer(10, fetching=True, idle_s=0.0)}
    cluster.look(alive(clock))

    assert cluster.gatherer.learned[f"{NODE}#7"].named


def test_guids_are_remembered(cluster, clock):
    """Each guid of an index is kept, for the time when the platform shows another."""
    look = cluster.look(alive(clock))
    assert {one.guid for one in cluster.gatherer.lived} == {guid(index) for index in range(4)}

    cluster.platform.crashed = (crash(life=7, now=clock()),)
    book = Book(lived=(Lived("older", place(), NOW - 99),))
    for _ in range(6):
        look = cluster.look(alive(clock), book=book)
    assert guid(0, 7) in {one.guid for one in look.lived}, "one may have lived and died between two looks"
    look = cluster.look(alive(clock), book=book)
    assert {one.guid for one in look.lived} >= {"older", guid()}


# Newcomers -----------------------------------------------------------------------------------------------------------


def test_a_newcomer_is_asked_once(cluster, clock):
    """Its pool is learned at its birth."""
    cluster.control.alive, cluster.control.kinds = {NODE}, {f"{NODE}#7": PREFORK}
    look = cluster.looked(alive(clock), book=Book())
    learned = cluster.gatherer.learned or look.pools

    assert learned == {f"{NODE}#7": PREFORK}
    cluster.look(alive(clock), book=Book(pools=learned))
    assert cluster.control.nodes("pools") == [frozenset({NODE})]


def test_a_newcomer_that_consumed_nothing_yet_is_asked_again(cluster, clock):
    """At birth a worker may answer before it consumes: its queues are learned later, and its name is not forgotten."""
    early = Pool("prefork", 4, (), named=True)
    cluster.control.alive, cluster.control.kinds = {NODE}, {f"{NODE}#7": PREFORK}

    look = cluster.looked(alive(clock), book=Book(pools={f"{NODE}#7": early}))

    assert look.pools[f"{NODE}#7"] == replace(PREFORK, named=True)


def test_a_newcomer_that_does_not_answer_is_asked_again_after_ten_seconds(cluster, clock):
    """A busy one may answer later; it is not asked at every look."""
    for _ in range(13):
        cluster.look(alive(clock), book=Book())

    assert len(cluster.control.nodes("pools")) == 3


@pytest.mark.parametrize(
    "life",
    [lambda clock: worker(silent=20, now=clock()), lambda clock: said_goodbye(2, now=clock() + 4)],
    ids=["silent", "draining"],
)
def test_who_cannot_answer_is_no_newcomer(cluster, clock, life):
    """Who is silent or says goodbye is not asked for its pool."""
    cluster.looked(life(clock), book=Book())

    assert cluster.control.nodes("pools") == []


def test_many_newcomers_are_asked_in_turns(cluster, clock):
    """After a deploy of hundreds of workers fifty are asked at once."""
    many = [worker(index, now=clock() + 4) for index in range(70)]
    cluster.looked(*many, book=Book())
    cluster.look(*many, book=Book())

    first, second = cluster.control.nodes("pools")
    assert (len(first), len(second), first & second) == (50, 20, frozenset())


# Suspicion -----------------------------------------------------------------------------------------------------------


def test_suspects_are_pinged_with_well_ones_beside_them(cluster, clock):
    """A few well workers are witnesses that pings get through."""
    cluster.control.alive = {f"celery@{guid(index)}" for index in range(1, 4)}
    cluster.broker.there = {NODE: Consumer(10, fetching=False, idle_s=30.0)}
    look = cluster.looked(worker(silent=20, now=clock()), alive(clock, 1))

    assert cluster.control.nodes("ping") == [frozenset({NODE, f"celery@{guid(1)}"})]
    assert look.pings[f"celery@{guid(1)}"] == Known(value=True, at=clock())
    assert look.consumers.value[NODE].idle_s == 30.0


def test_if_no_witness_answers_the_pings_prove_nothing(cluster, clock):
    """Neither the suspect nor a well one answers: the way to them is at fault."""
    look = cluster.looked(worker(silent=20, now=clock()), alive(clock, 1))

    assert look.pings[NODE] == Unknown("no worker answers our pings, not even those that are well", clock())


def test_a_cluster_of_suspects_has_no_witness(cluster, clock):
    """Where nobody is well an unanswered ping stands for itself: quorum protects the rest."""
    look = pinged(cluster, worker(silent=20, now=clock()))[-1]

    assert look == Known(value=False, at=clock())


def pinged(cluster, *workers, times=3):
    """Return what is known of the first worker's answers, look by look."""
    cluster.look(*workers)
    return [cluster.look(*workers).pings[workers[0].node] for _ in range(times)]


def test_no_answer_takes_three_pings_in_a_row(cluster, clock):
    """A single answer that got lost is no silence."""
    first, second, third = pinged(cluster, worker(silent=20, now=clock()))

    assert (first.why, second.why) == ("no answer yet, asked 1 times", "no answer yet, asked 2 times")
    assert third == Known(value=False, at=clock())


@pytest.mark.parametrize("between", ["it answers once", "nobody can be asked once"])
def test_pings_are_counted_anew(cluster, clock, between):
    """One answer in between, or one look without any, and the misses begin again."""
    frozen = worker(silent=20, now=clock())
    pinged(cluster, frozen)
    if between == "it answers once":
        cluster.control.alive = {NODE}
    else:
        cluster.control.away = "Connection refused"
    cluster.look(frozen)
    cluster.control.alive, cluster.control.away = set(), None

    assert cluster.look(frozen).pings[NODE].why == "no answer yet, asked 1 times"


def test_who_answers_is_alive(cluster, clock):
    """A suspect that answers is known to."""
    cluster.control.alive = {NODE}
    look = cluster.looked(worker(silent=20, now=clock()))

    assert look.pings[NODE] == Known(value=True, at=clock())


def test_who_waits_for_proof_is_asked_for_all_of_it(cluster, clock):
    """Ping, queues, and how long each queue has not been empty."""
    cluster.control.alive, cluster.broker.lengths = {NODE}, {"celery": 3}
    book = Book(incidents=(incident(state=IncidentState.VERIFYING),), pools=CALM.pools)

    first = cluster.looked(alive(clock), book=book)
    later = cluster.look(alive(clock), book=book)

    assert first.consuming == {NODE: Known(("celery",), first.at)}
    assert first.pings == {NODE: Known(value=True, at=first.at)}
    assert (later.waiting["celery"].depth, later.at - later.waiting["celery"].since) == (3, 4.0)


def test_a_queue_that_was_empty_has_waited_for_nothing(cluster, clock):
    """Its time counts anew; one that cannot be read keeps its time."""
    cluster.control.alive, cluster.broker.lengths = {NODE}, {"celery": 3}
    book = Book(incidents=(incident(state=IncidentState.VERIFYING),), pools=CALM.pools)
    since = cluster.looked(alive(clock), book=book).waiting["celery"].since

    cluster.broker.away = "Connection refused"
    assert cluster.look(alive(clock), book=book).waiting["celery"].since == since
    cluster.broker.away, cluster.broker.lengths = None, {"celery": 0}
    assert cluster.look(alive(clock), book=book).waiting["celery"].since is None
    cluster.broker.lengths = {"celery": 1}
    assert cluster.look(alive(clock), book=book).waiting["celery"].since == clock()


def test_queues_are_forgotten_when_nobody_waits_for_proof(cluster, clock):
    """What a queue did long ago is no proof against the next worker."""
    cluster.control.alive, cluster.broker.lengths = {NODE}, {"celery": 3}
    book = Book(incidents=(incident(state=IncidentState.VERIFYING),), pools=CALM.pools)
    cluster.looked(alive(clock), book=book)
    cluster.look(alive(clock))

    assert cluster.look(alive(clock), book=book).waiting["celery"].since == clock()


# The platform --------------------------------------------------------------------------------------------------------


def asked(cluster, seconds, *workers, book=CALM):
    """Return how often the platform was read, once the keeper has its pace: a calm interval may have to end first."""
    for _ in range(6):
        cluster.look(*workers, book=book)
    before = cluster.platform.asked.count("apps")
    for _ in range(int(seconds / 2)):
        cluster.look(*workers, book=book)
    return cluster.platform.asked.count("apps") - before


def test_a_calm_platform_is_read_every_ten_seconds(cluster, clock):
    """A quiet cluster costs next to nothing."""
    fresh = [worker(index, now=clock() + 60, silent=0.1) for index in range(4)]

    assert 5 <= asked(cluster, 60, *fresh) <= 6


def test_under_suspicion_the_platform_is_read_every_two_seconds(cluster, clock):
    """A suspect, or an incident that is open, makes the keeper look closer."""
    assert asked(cluster, 20, worker(silent=20, now=clock())) == 10
    fresh = [worker(index, now=clock() + 60, silent=0.1) for index in range(4)]
    assert asked(cluster, 20, *fresh, book=Book(incidents=(incident(),), pools=CALM.pools)) == 10


def test_crashes_are_read_fifteen_minutes_back(cluster, clock):
    """A keeper that begins sees what happened just before."""
    cluster.platform.crashed = (crash(ago=800), crash(1, ago=1000))

    assert [one.index for one in cluster.looked(alive(clock)).crashes.value] == [0]


def test_no_platform_is_no_fault(cluster, clock):
    """A cluster that runs elsewhere has neither apps nor crashes, and that is not unknown."""
    bare = cluster.another(platform=None)
    cluster.observe(alive(clock))
    look = bare.look(CALM)
    bare.close()

    assert (look.platform, look.crashes, bare.lived) == (None, None, ())


# Sources that fail ---------------------------------------------------------------------------------------------------


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
    assert [one.why for one in look.consuming.values()] == ["remote control: Connection refused"]


def test_a_broker_that_fails_makes_the_connections_unknown(cluster, clock):
    """An empty list would prove that every worker is gone."""
    cluster.broker.away = "Redis: Connection refused"
    look = cluster.looked(worker(silent=20, now=clock()))

    assert look.consumers == Unknown("Redis: Connection refused", clock())


def test_a_source_that_is_slow_is_unknown(cluster, clock, monkeypatch):
    """Every source has its time; the others are read all the same."""
    monkeypatch.setattr(asking, "SOURCE_LIMIT_S", 0.05)
    release = threading.Event()
    cluster.broker.consumers = lambda _: release.wait(10)
    try:
        look = cluster.looked(worker(silent=20, now=clock()))
    finally:
        release.set()

    assert look.consumers.why == "no answer within 0 s"
    assert look.pings[NODE].why == "no answer yet, asked 1 times"


def test_a_slow_platform_keeps_its_last_answer_for_a_while(cluster, clock, monkeypatch):
    """Its next answer is under way, and no second question is sent after it; after half a minute it is unknown."""
    monkeypatch.setattr(gather, "PLATFORM_WAIT_S", 0.01)
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
    monkeypatch.setattr(gather, "SOURCE_LIMIT_S", 0.01)
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


def test_the_broker_is_asked_for_those_only_whose_connection_tells_something(cluster, clock):
    """RabbitMQ logs an error for each missing queue that it is asked for."""
    named = Book(pools={key: replace(pool, named=True) for key, pool in CALM.pools.items()})
    cluster.looked(worker(silent=20, now=clock()), book=named)

    assert cluster.broker.nodes == {NODE}


def test_a_defect_in_reading_a_source_is_unknown(cluster, clock):
    """An answer that we cannot read convicts nobody, and ends no cycle."""
    cluster.broker.consumers = lambda _: {}["nothing"]
    look = cluster.looked(worker(silent=20, now=clock()))

    assert look.consumers.why == "a defect in reading it: KeyError: 'nothing'"


class Broken:
    """A history of which one part cannot be read."""

    def __init__(self, real, part):
        self._real, self._part = real, part

    def stream(self):
        return self._read("stream")

    def incarnations(self):
        return self._read("incarnations")

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


# The observer, judged by the keeper's own clock ----------------------------------------------------------------------


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
