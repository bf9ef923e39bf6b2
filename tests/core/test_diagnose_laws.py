"""The laws of the verdicts, over anything that could be seen: what no combination of readings may ever bring about."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.core.blindness import blindness
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.model import (
    App,
    Clients,
    Consumer,
    Inspection,
    Instance,
    InstanceState,
    Nameless,
    Pool,
    Process,
    Taking,
    Verdict,
)
from celeriac.core.places import MISSING, sites
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Crowd, Lived, Seen, Stream
from celeriac.core.work import Share, Waiting
from core.builders import CLUSTER, LIMITS, NOW, PLATFORM, app, guid, instance, place, worker

law = settings(suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

FAILS = Unknown("it does not answer", NOW)
AGES = st.sampled_from(
    [0.0, 0.5, 4.9, 5.1, 12.0, 29.9, 30.0, 31.0, 39.0, 40.0, 41.0, 90.0, 599.0, 601.0, 1801.0, 9000.0]
)
NODES = [
    f"celery@{guid(0)}",
    f"celery@{guid(1)}",
    f"w1@{guid(0)}",
    f"w2@{guid(0)}",
    f"celery@{guid(0, 2)}",
    "celery@far",
]


def maybe(strategy):
    return st.none() | strategy


def known_or_not(strategy):
    return strategy.map(lambda value: Known(value, NOW)) | st.just(FAILS) | st.just(Unknown("not asked"))


def ago(ages=AGES):
    return ages.map(lambda age: NOW - age)


def often(value, otherwise):
    """Draw this value as often as anything else."""
    return st.booleans().flatmap(lambda so: st.just(value) if so else otherwise)


FROZEN = st.builds(worker, node=st.sampled_from(NODES[:4]), silent=st.sampled_from([31.0, 41.0, 601.0]))
ANY_LIFE = st.builds(
    worker,
    node=st.sampled_from(NODES),
    pid=st.sampled_from([7, 8]),
    silent=AGES,
    born=AGES,
    freq=st.sampled_from([0.5, 2.0, 10.0]),
    beats=st.sampled_from([0, 2, 100]),
    active=maybe(st.sampled_from([0, 2, 4])),
    last_start_at=maybe(ago()),
    sent=ago().map(lambda at: (1, at)),
    goodbye=maybe(ago().map(lambda at: (1, at))),
    offline_at=maybe(ago()),
)
INCARNATIONS = FROZEN | ANY_LIFE
INSTANCES = st.builds(
    Instance,
    platform=st.just(PLATFORM),
    app=st.just("orders-worker"),
    app_guid=st.just("app-guid"),
    process=st.sampled_from(["worker", "beat"]),
    index=st.integers(0, 3),
    state=st.sampled_from(InstanceState),
    guid=maybe(st.sampled_from([guid(0), guid(1), guid(0, 2), guid(3)])),
    uptime_s=maybe(AGES),
    details=maybe(st.just("no room")),
)
APPS = st.builds(
    App,
    platform=st.just(PLATFORM),
    guid=st.just("app-guid"),
    name=st.just("orders-worker"),
    state=st.sampled_from(["STARTED", "STOPPED", MISSING]),
    processes=st.just((Process("worker", 2),)) | st.just(()),
    instances=st.lists(INSTANCES, max_size=3, unique_by=lambda one: (one.process, one.index)).map(tuple),
)
STREAMS = st.builds(
    Stream,
    observed_at=st.just(NOW),
    echo_at=maybe(ago()),
    flowing_since=maybe(ago()),
    error=maybe(st.just("Connection refused")),
)
FLOWING = st.just(Known(Stream(observed_at=NOW, echo_at=NOW - 1, flowing_since=NOW - 9000), NOW))
NAMELESS = st.builds(Nameless, st.integers(0, 12), maybe(st.integers(0, 6)))
INSPECTIONS = st.builds(
    Inspection,
    queues=st.sampled_from([(), ("celery",), ("other",)]),
    reserved=st.integers(0, 2),
    processes=maybe(st.integers(0, 4)),
    limited=st.booleans(),
)
TAKINGS = st.builds(
    Taking,
    queues=st.sampled_from([(), ("celery",), ("other",)]),
    lasting_s=st.sampled_from([0.0, 14.0, 15.0, 60.0]),
    held=st.sampled_from([{}, {"celery": "its prefetch is used up"}]),
)
TAKERS = st.dictionaries(st.just("celery"), st.integers(0, 2))
WAITING = st.builds(Waiting, st.integers(1, 9), maybe(ago()), maybe(st.integers(0, 2)), maybe(st.integers(0, 2)))
SHARES = st.builds(Share, st.sampled_from([0, 3, 200]), st.integers(1, 4))
ANY_STREAM = FLOWING | known_or_not(STREAMS)


@st.composite
def looks(draw, streams=ANY_STREAM) -> Seen:
    """Draw anything that a keeper could have gathered of one cluster; each source is as often against the workers."""
    lives = draw(st.lists(INCARNATIONS, min_size=1, max_size=4, unique_by=lambda one: one.key))
    nodes = sorted({one.node for one in lives})
    some = st.lists(st.sampled_from(nodes), unique=True)
    consumer = st.builds(
        Consumer,
        connections=st.just(4),
        fetching=st.booleans(),
        idle_s=AGES,
        listening=st.booleans(),
        taking=maybe(TAKINGS),
    )
    pools = st.builds(
        Pool, kind=st.sampled_from(["prefork", "solo", "threads"]), queues=st.just(("celery",)), named=st.booleans()
    )
    apps = Known((app(instance(0), instance(1)),), NOW)
    silent = dict.fromkeys(nodes, Known(value=False, at=NOW))
    by_node = some.flatmap(lambda held: st.fixed_dictionaries(dict.fromkeys(held, consumer)))
    idle = Known(Clients(dict.fromkeys(nodes, Consumer(4, fetching=False, idle_s=40.0))), NOW)
    prefork = {one.key: Pool("prefork", 4, ("celery",), named=True) for one in lives}
    return Seen(
        cluster=CLUSTER,
        at=NOW,
        stream=draw(streams),
        incarnations=tuple(lives),
        platform=draw(often(apps, st.none() | known_or_not(st.lists(APPS, max_size=1).map(tuple)))),
        lived=tuple(draw(st.lists(st.builds(Lived, st.sampled_from([guid(0), guid(0, 2)]), st.just(place(0)), ago())))),
        pools=draw(often(prefork, st.dictionaries(st.sampled_from([*prefork]), pools))),
        pings=draw(often(silent, st.dictionaries(st.sampled_from(nodes), known_or_not(st.booleans())))),
        clients=draw(often(idle, known_or_not(st.builds(Clients, by_node, maybe(NAMELESS), maybe(TAKERS))))),
        crowds={one.key: Crowd(draw(NAMELESS), draw(st.integers(0, 4))) for one in lives if draw(st.booleans())},
        inspected=draw(st.dictionaries(st.sampled_from(nodes), known_or_not(INSPECTIONS))),
        answered=draw(st.dictionaries(st.sampled_from(nodes), ago())),
        waiting=draw(st.dictionaries(st.just("celery"), WAITING)),
        shares={one.key: draw(SHARES) for one in lives if draw(st.booleans())},
    )


def restarts(look: Seen):
    return [one for one in diagnose(look, LIMITS) if one.remedy is RemedyKind.RESTART_INSTANCE]


def by_silence(look: Seen):
    """Return the restarts that silence leads to; a drain past its deadline is another matter, and waits for a person."""
    draining = [one for one in restarts(look) if not one.suspect and one.verdict is not Verdict.DEAF]
    assert all(one.approval == "a draining worker may still run a task" for one in draining)
    return [one for one in restarts(look) if one.suspect]


@law
@given(looks())
def test_judging_never_fails_and_gives_every_place_one_finding(look):
    """Every place has exactly one finding; only what is stopped, unmapped and long silent is forgotten."""
    found = [one.place for one in diagnose(look, LIMITS)]
    places = {site.place: site for site in sites(look)}

    assert len(found) == len(set(found))
    assert set(found) <= set(places)
    forgotten = [places[one] for one in set(places) - set(found)]
    assert all(not one.place.mapped and NOW - one.incarnation.last_seen_at > LIMITS.forget_s for one in forgotten)


@law
@given(looks(streams=FLOWING))
def test_silence_alone_convicts_nobody(look):
    """Without an unanswered ping, or without the broker's word, no silence is long enough to restart or to alert."""
    mute = replace(look, pings={}, clients=Unknown("not asked"))

    assert by_silence(mute) == []
    assert all(one.verdict is not Verdict.CRASHED or one.site.instance is not None for one in diagnose(mute, LIMITS))


@law
@given(looks(streams=FLOWING))
def test_whatever_is_unknown_restarts_nobody(look):
    """A restart for silence needs a ping that was not answered, connections that were seen, and an instance that runs."""
    for one in by_silence(look):
        assert look.pings[one.node] == Known(value=False, at=NOW)
        assert isinstance(look.clients, Known)
        assert not getattr(look.clients.value.by_node.get(one.node), "fetching", False)
        assert isinstance(look.platform, Known)
        assert one.site.instance is not None
        assert one.silence_s >= max(LIMITS.silent_s, LIMITS.silent_beats * one.site.incarnation.freq)


@law
@given(looks())
def test_a_restart_is_always_bound_to_an_instance(look):
    """What cannot be addressed by its guid is for people."""
    assert all(one.site.instance is not None for one in restarts(look))


@law
@given(looks())
def test_a_blind_cluster_has_no_remedy(look):
    """Broker down, echo late, observer stale: nobody is restarted and nobody is called at night for a worker."""
    if blindness(look, LIMITS):
        assert [one for one in diagnose(look, LIMITS) if one.remedy is not RemedyKind.NONE] == []


@law
@given(looks(streams=FLOWING))
def test_only_a_beating_prefork_worker_is_restarted_without_asking(look):
    """Every other pool may be silent because of a task; a worker without heartbeats is silent by habit."""
    for one in restarts(look):
        life = one.site.incarnation
        pool = look.pools.get(life.key)
        there = look.clients.value.by_node if isinstance(look.clients, Known) else {}
        unheard = life.last_seen_at < look.stream.value.flowing_since and life.node not in there
        named = life.node in there or (pool is not None and pool.named)
        asks = pool is None or pool.kind != "prefork" or life.beats == 0 or not one.suspect or unheard or not named
        assert one.verdict is Verdict.DEAF or bool(one.approval) == asks


@law
@given(looks(streams=FLOWING))
def test_nobody_is_deaf_who_has_nothing_to_do(look):
    """It has room, has begun nothing for a minute, and work waits so long or its siblings took all of it."""
    for one in (one for one in diagnose(look, LIMITS) if one.verdict is Verdict.DEAF):
        life, pool = one.site.incarnation, look.pools[one.site.incarnation.key]
        assert one.silence_s < LIMITS.suspect_beats * life.freq
        assert life.active is not None
        assert life.active < pool.concurrency or not life.active
        assert NOW - max(life.last_start_at or 0, life.first_seen_at) >= LIMITS.deaf_s
        owed = [look.waiting[name].since for name in pool.queues if name in look.waiting]
        share = look.shares.get(life.key, Share(0, 1))
        assert any(since and NOW - since >= LIMITS.deaf_s for since in owed) or share.chance < LIMITS.deaf_chance


@law
@given(looks(streams=FLOWING))
def test_a_deaf_worker_is_restarted_on_a_second_proof_and_never_while_it_works(look):
    """Waiting work is one; the other is a missed ping, its own word that it holds nothing, or RabbitMQ's that it consumes none."""
    for one in (one for one in restarts(look) if one.verdict is Verdict.DEAF and not one.approval):
        said = look.inspected.get(one.node)
        mute = look.pings.get(one.node) == Known(value=False, at=NOW)
        assert (
            mute
            or (isinstance(said, Known) and not said.value.reserved and not said.value.limited)
            or _not_given(look, one.node)
        )
        assert not one.site.incarnation.active


def _not_given(look, node):
    """Tell whether RabbitMQ has shown for long that it has no consumer of this worker's, and lists all there are."""
    clients, waiting = look.clients.value, look.waiting["celery"]
    taking = clients.by_node[node].taking
    return (
        "celery" not in taking.queues
        and taking.lasting_s >= LIMITS.broker_lasting_s
        and clients.takers.get("celery", 0) == waiting.consumers
    )


@law
@given(looks(streams=FLOWING))
def test_a_list_of_consumers_that_may_lag_or_lack_some_convicts_nobody(look):
    """It may spare a worker that is held back; but nobody is deaf by it who would not be without it."""
    assume(isinstance(look.clients, Known))
    clients = look.clients.value

    def listed(lasting_s, takers):
        shown = {
            node: replace(one, taking=one.taking and replace(one.taking, lasting_s=lasting_s))
            for node, one in clients.by_node.items()
        }
        these = replace(look, clients=Known(replace(clients, by_node=shown, takers=takers), NOW))
        return {one.place for one in diagnose(these, LIMITS) if one.verdict is Verdict.DEAF}

    bare = {node: replace(one, taking=None) for node, one in clients.by_node.items()}
    without = replace(look, clients=Known(replace(clients, by_node=bare, takers=None), NOW))
    deaf = {one.place for one in diagnose(without, LIMITS) if one.verdict is Verdict.DEAF}
    assert listed(14.0, clients.takers) <= deaf
    assert listed(60.0, None) <= deaf
    assert listed(60.0, {"celery": 9}) <= deaf


@law
@given(looks(streams=FLOWING))
def test_no_restart_takes_a_healthy_neighbour_along(look):
    """A restart stops the whole container, so no node of several is restarted for its own sake."""
    for one in restarts(look):
        assert one.site.neighbours == ()


@law
@given(looks(streams=FLOWING))
def test_more_evidence_of_life_never_convicts(look):
    """If every suspect answers its ping, nobody is restarted for silence."""
    alive = replace(look, pings={one.node: Known(value=True, at=NOW) for one in look.incarnations})

    assert by_silence(alive) == []
