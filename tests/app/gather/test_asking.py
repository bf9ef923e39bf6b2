"""The look: which sources are asked, of whom, and how often."""

import pytest
from msgspec.structs import replace

from app.virtual import CALM, NODE, PREFORK, alive
from celeriac.core.diagnose import diagnose
from celeriac.core.errors import UnreachableError
from celeriac.core.incident import HeldReason, IncidentState
from celeriac.core.limits import Limits
from celeriac.core.memory import Book
from celeriac.core.model import Consumer, Inspection, Pool
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from core.builders import NOW, crash, guid, incident, place, said_goodbye, worker


def test_a_quiet_cluster_is_not_asked(cluster, clock):
    """Nobody is pinged while everybody speaks."""
    look = cluster.looked(alive(clock), alive(clock, 1))

    assert cluster.control.asked == []
    assert (look.pings, look.inspected, look.waiting) == ({}, {}, {})
    assert [one.node for one in look.incarnations] == [NODE, f"celery@{guid(1)}"]
    assert isinstance(look.stream, Known)


def test_names_of_connections_are_read_every_thirty_seconds(cluster, clock):
    """So that their absence later is a proof; in between the broker is left alone."""
    cluster.control.alive = {NODE}
    for _ in range(40):
        cluster.look(alive(clock))

    assert 3 <= cluster.broker.asked.count("clients") <= 4


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


def test_a_life_that_the_history_forgets_is_forgotten_here(cluster, clock):
    """Whoever restarts often has many lives, and the keeper may live longer than all of them."""
    cluster.looked(alive(clock), book=Book())
    cluster.looked(alive(clock, 1), book=Book())
    assert len(cluster.gatherer._pools_asked) == 2
    clock.pass_(3 * 86_400.0)
    cluster.looked(alive(clock, 2), book=Book())

    assert list(cluster.gatherer._pools_asked) == [f"celery@{guid(2)}#7"]


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


def test_suspects_are_pinged_with_well_ones_beside_them(cluster, clock):
    """A few well workers are witnesses that pings get through."""
    cluster.control.alive = {f"celery@{guid(index)}" for index in range(1, 4)}
    cluster.broker.there = {NODE: Consumer(10, fetching=False, idle_s=30.0)}
    look = cluster.looked(worker(silent=20, now=clock()), alive(clock, 1))

    assert cluster.control.nodes("ping") == [frozenset({NODE, f"celery@{guid(1)}"})]
    assert look.pings[f"celery@{guid(1)}"] == Known(value=True, at=clock())
    assert look.clients.value.by_node[NODE].idle_s == 30.0


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
    """Ping and queues."""
    cluster.control.alive = {NODE}
    book = Book(incidents=(incident(state=IncidentState.VERIFYING),), pools=CALM.pools)

    look = cluster.looked(alive(clock), book=book)

    assert look.inspected == {NODE: Known(Inspection(("celery",)), look.at)}
    assert look.pings == {NODE: Known(value=True, at=look.at)}


def test_since_when_a_queue_waits_is_known_of_the_samples(cluster, clock):
    """Its time counts anew once it was empty; a store that cannot be read for a moment leaves it."""
    cluster.broker.lengths = {"celery": 3}
    since = cluster.looked(alive(clock)).waiting["celery"].since
    assert since == clock()

    read, cluster.history.queues = cluster.history.queues, lambda: fails("the store is locked")
    assert cluster.look(alive(clock)).waiting["celery"].since == since
    cluster.history.queues = read
    cluster.broker.lengths = {"celery": 0}
    assert cluster.look(alive(clock)).waiting["celery"].since is None
    cluster.broker.lengths = {"celery": 1}
    assert cluster.look(alive(clock)).waiting["celery"].since == clock()


def test_samples_that_grow_old_tell_nothing(cluster, clock):
    """The broker does not answer the observer, or the store does not answer us: what waits now is not known."""
    cluster.broker.lengths = {"celery": 3}
    cluster.looked(alive(clock))
    cluster.broker.lengths = {}
    for _ in range(20):
        look = cluster.look(alive(clock))

    assert look.waiting == {}


def test_an_idle_worker_is_asked_when_work_waits_for_it(cluster, clock):
    """Half a minute of both; in time for a verdict after a minute."""
    cluster.broker.lengths, cluster.control.alive = {"celery": 3}, {NODE, f"celery@{guid(1)}"}
    for _ in range(20):
        look = cluster.look(alive(clock, active=0), alive(clock, 1, active=4))

    assert look.inspected == {NODE: Known(Inspection(("celery",)), look.at)}
    assert look.pings[NODE] == Known(value=True, at=look.at)
    assert len(cluster.control.nodes("inspect")) < 10
    assert diagnose(look, Limits())[0].doubt


def test_a_worker_whose_siblings_begin_everything_is_asked(cluster, clock):
    """No work waits, and yet none comes to it."""
    cluster.control.alive = {NODE, f"celery@{guid(1)}"}
    for tasks in range(40):
        look = cluster.look(alive(clock, active=0), alive(clock, 1, active=1, processed=tasks))

    assert NODE in look.inspected
    assert look.shares[f"{NODE}#7"].theirs > 20


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
    """A suspect, or an incident in which something moves, makes the keeper look closer."""
    assert asked(cluster, 20, worker(silent=20, now=clock())) == 10
    fresh = [worker(index, now=clock() + 60, silent=0.1) for index in range(4)]
    moving = Book(incidents=(incident(state=IncidentState.VERIFYING),), pools=CALM.pools)
    assert asked(cluster, 20, *fresh, book=moving) == 10


def test_an_incident_that_waits_for_a_person_needs_no_hurry(cluster, clock):
    """It may wait for hours, and a foundation counts our requests."""
    held = Book(incidents=(incident(held_reason=HeldReason.MODE),), pools=CALM.pools)
    frozen = [worker(0, now=clock(), silent=40), *(worker(index, now=clock() + 90, silent=0.1) for index in (1, 2, 3))]
    asked(cluster, 20, *frozen, book=held)

    assert asked(cluster, 20, *frozen, book=held) == 2


def test_crashes_are_read_half_an_hour_back(cluster, clock):
    """A keeper that begins sees what happened just before, also where the platform's clock is fifteen minutes behind."""
    cluster.platform.crashed = (crash(ago=1700), crash(1, ago=1900))

    assert [one.index for one in cluster.looked(alive(clock)).crashes.value] == [0]


def fails(why):
    raise UnreachableError(why)
