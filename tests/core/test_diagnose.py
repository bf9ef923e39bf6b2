"""The verdicts, as a table of scenarios: what was seen, and what the rules make of it."""

import pytest

from celeriac.core.blindness import blindness
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits
from celeriac.core.model import Consumer, InstanceState, Status, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from core.builders import (
    LIMITS,
    NOW,
    app,
    but,
    finding,
    guid,
    instance,
    place,
    said_goodbye,
    seen,
    stream,
    unmapped,
    worker,
)

BLIND, BUSY, CRASHED, DRAINING = Verdict.BLIND, Verdict.BUSY, Verdict.CRASHED, Verdict.DRAINING
HEALTHY, HUNG, STARTING, STOPPED = Verdict.HEALTHY, Verdict.HUNG, Verdict.STARTING, Verdict.STOPPED
NOTHING, ALERT, RESTART = RemedyKind.NONE, RemedyKind.ALERT, RemedyKind.RESTART_INSTANCE
ASK = "restart by approval"

FAILS = Unknown("it does not answer", NOW)
FETCHING = Consumer(10, fetching=True, idle_s=0.0)
LEAVING = Consumer(4, fetching=False, idle_s=40.0, listening=False)
CLIENT_NAME = "its broker connections carry no name (set client_name in broker_transport_options)"
UNKNOWN_STATE = InstanceState.UNKNOWN


def in_state(state, **fields):
    return [instance(state=state, **fields)]


def silent_in(state):
    """Return a look at a worker with every proof against it, but for what the platform says of its instance."""
    return seen(worker(silent=45), instances=in_state(state, guid=guid()))


# what was seen, then: verdict, whether it is suspect, the remedy, and a part of its notes
SILENCE = {
    "it speaks": (seen(worker()), HEALTHY, False, NOTHING, ""),
    "it missed five beats": (seen(worker(silent=11.9)), HEALTHY, False, NOTHING, ""),
    "it missed six beats": (seen(worker(silent=12)), HEALTHY, True, NOTHING, ""),
    "it is silent for 29 s": (seen(worker(silent=29.9)), HEALTHY, True, NOTHING, ""),
    "it is frozen": (seen(worker(silent=31)), HUNG, True, RESTART, ""),
    "no connection of it is left, and the platform runs it": (
        seen(worker(silent=31), consumer=None), HUNG, True, RESTART, "",
    ),
    "a ping is answered": (
        seen(worker(silent=31), ping=True), HEALTHY, True, NOTHING, "sends no heartbeats but answers a ping",
    ),
    "a ping is answered, and nothing else is known": (
        seen(worker(silent=900), ping=True, consumers=FAILS, platform=FAILS), HEALTHY, True, NOTHING, "answers a ping",
    ),
    "the broker sees it fetch": (
        seen(worker(silent=31), consumer=FETCHING), HEALTHY, True, NOTHING, "fetches from the broker",
    ),
    "it was not pinged yet": (
        seen(worker(silent=31), ping=None), BLIND, True, NOTHING, "cannot tell: ping: not asked yet",
    ),
    "the ping failed": (
        seen(worker(silent=31), ping=FAILS), BLIND, True, NOTHING, "cannot tell: ping: it does not answer",
    ),
    "the broker's connections are unknown": (
        seen(worker(silent=31), consumers=FAILS), BLIND, True, NOTHING, "cannot tell: broker: it does not answer",
    ),
    "the broker was not asked": (
        seen(worker(silent=31), consumers=Unknown("not asked")), BLIND, True, NOTHING, "cannot tell: broker: not asked",
    ),
    "the platform is unknown": (
        seen(worker(silent=31), platform=FAILS), BLIND, True, NOTHING, "cannot tell: platform: it does not answer",
    ),
    "its connections never had a name": (
        seen(worker(silent=31), consumer=None, named=False), BLIND, True, NOTHING, f"cannot tell: {CLIENT_NAME}",
    ),
    "its neighbour's connections have names": (
        seen(worker(silent=31), consumers=Known({"celery@other": FETCHING}, NOW), named=False),
        BLIND, True, NOTHING, CLIENT_NAME,
    ),
    "it has spoken to the broker a moment ago": (
        seen(worker(silent=31), consumer=Consumer(10, fetching=False, idle_s=4.9)), HEALTHY, True, NOTHING, "speaks to",
    ),
    "it answers a ping, and never sent a heartbeat": (
        seen(worker(silent=31, beats=0), ping=True), HEALTHY, False, NOTHING, "answers a ping",
    ),
    "it never sent a heartbeat": (
        seen(worker(silent=31, beats=0)), HUNG, True, ASK, "",
    ),
}  # fmt: skip

POOLS = {
    "solo, busy for 40 s": (seen(worker(silent=40), pool="solo"), BUSY, True, NOTHING, "pool solo may be silent"),
    "solo, just before ten minutes": (seen(worker(silent=599), pool="solo"), BUSY, True, NOTHING, "while a task runs"),
    "solo, silent for ten minutes": (seen(worker(silent=600), pool="solo"), HUNG, True, ASK, ""),
    "threads, busy for 40 s": (seen(worker(silent=40), pool="threads"), BUSY, True, NOTHING, "pool threads"),
    "threads, silent for ten minutes": (seen(worker(silent=601), pool="threads"), HUNG, True, ASK, ""),
    "gevent, silent for ten minutes": (seen(worker(silent=601), pool="gevent"), HUNG, True, ASK, ""),
    "a pool that we never learned": (
        seen(worker(silent=40), pool=None), BUSY, True, NOTHING, "a pool that we do not know may be silent",
    ),
    "a pool that we never learned, for ten minutes": (seen(worker(silent=601), pool=None), HUNG, True, ASK, ""),
    "solo, and a ping is answered": (seen(worker(silent=601), pool="solo", ping=True), HEALTHY, True, NOTHING, ""),
}  # fmt: skip

BLINDNESS = {
    "our echo is late": (seen(worker(silent=31), heard=stream(echo=5.1)), BLIND, False, NOTHING, "5 s late"),
    "our echo is just in time": (seen(worker(silent=31), heard=stream(echo=5)), HUNG, True, RESTART, ""),
    "our echo never came": (seen(worker(silent=31), heard=stream(echo_at=None)), BLIND, False, NOTHING, "not come back"),
    "our flow has not begun": (seen(worker(silent=31), heard=stream(flowing=None)), BLIND, False, NOTHING, "not come back"),
    "the observer is stale": (
        seen(worker(silent=31), heard=Unknown("the observer has said nothing for 9 s", NOW)),
        BLIND, False, NOTHING, "said nothing for 9 s",
    ),
    "the broker is down": (
        seen(worker(silent=31), heard=stream(error="Connection refused")),
        BLIND, False, NOTHING, "the broker cannot be read: Connection refused",
    ),
    "and a worker that speaks is not judged either": (
        seen(worker(), heard=stream(error="Connection refused")), BLIND, False, NOTHING, "cannot be read",
    ),
}  # fmt: skip

GAP = {
    "not heard since the gap, 39 s ago": (
        seen(worker(silent=60), heard=stream(flowing=39)), BLIND, False, NOTHING, "flows again since a moment",
    ),
    "not heard since the gap, 40 s ago": (seen(worker(silent=60), heard=stream(flowing=40)), HUNG, True, RESTART, ""),
    "silence counts from the gap's end": (
        seen(worker(silent=600), heard=stream(flowing=40), pool="solo"), BUSY, True, NOTHING, "",
    ),
    "silent since before the gap, and no connection is left": (
        seen(worker(silent=60), heard=stream(flowing=50), consumer=None), HUNG, True, ASK, "",
    ),
    "heard since the gap": (seen(worker(silent=5), heard=stream(flowing=20)), HEALTHY, False, NOTHING, ""),
    "heard since the gap, then suspect": (
        seen(worker(silent=15), heard=stream(flowing=20)), HEALTHY, True, NOTHING, "",
    ),
    "heard since the gap, then silent for 31 s of 35": (
        seen(worker(silent=31), heard=stream(flowing=35)), HEALTHY, True, NOTHING, "",
    ),
    "a slow beat, not heard since the gap": (
        seen(worker(silent=60, freq=5.0), heard=stream(flowing=45)), HEALTHY, True, NOTHING, "",
    ),
}  # fmt: skip

SLOW_BEATS = {
    "every 10 s: silent for 59 s": (seen(worker(silent=59, freq=10.0)), HEALTHY, False, NOTHING, ""),
    "every 10 s: silent for 60 s": (seen(worker(silent=60, freq=10.0)), HEALTHY, True, NOTHING, ""),
    "every 10 s: silent for 149 s": (seen(worker(silent=149, freq=10.0)), HEALTHY, True, NOTHING, ""),
    "every 10 s: silent for 150 s": (seen(worker(silent=150, freq=10.0)), HUNG, True, RESTART, ""),
    "twice a second: never convicted before 30 s": (
        seen(worker(silent=29, freq=0.5)), HEALTHY, True, NOTHING, "",
    ),
}  # fmt: skip

PLATFORM = {
    "the app is stopped": (
        seen(worker(silent=90), platform=Known((app(instance(), state="STOPPED"),), NOW)),
        STOPPED, False, NOTHING, "the app is stopped",
    ),
    "the app is scaled below it": (
        seen(worker(silent=90), platform=Known((app(instance(), wanted=0),), NOW)),
        STOPPED, False, NOTHING, "scaled below this index",
    ),
    "the platform stops it": (
        seen(worker(), instances=in_state(InstanceState.STOPPING)), STOPPED, False, NOTHING, "the platform is stopping it",
    ),
    "it is CRASHED": (
        seen(instances=in_state(InstanceState.CRASHED)), CRASHED, False, NOTHING, "the platform restarts it",
    ),
    "it is CRASHED, and we are deaf": (
        seen(instances=in_state(InstanceState.CRASHED), heard=FAILS), CRASHED, False, NOTHING, "",
    ),
    "it is STARTING": (
        seen(instances=in_state(InstanceState.STARTING, uptime=20, details="no room")), STARTING, False, NOTHING, "no room",
    ),
    "it is STARTING for 181 s": (
        seen(instances=in_state(InstanceState.STARTING, uptime=181)), HUNG, False, ALERT, "never joined",
    ),
    "it is DOWN": (seen(instances=in_state(InstanceState.DOWN, uptime=None)), STARTING, False, NOTHING, ""),
    "its state is unknown": (
        seen(instances=in_state(UNKNOWN_STATE)), BLIND, False, NOTHING, "does not know the state of this index",
    ),
    "it runs, and the platform is too old to name its guid": (
        seen(instances=[instance(guid=None)]), BLIND, False, NOTHING, "gives no instance guid",
    ),
    "it runs for 180 s and was not heard": (seen(instances=[instance(uptime=180)]), STARTING, False, NOTHING, ""),
    "it runs for 181 s and was not heard": (
        seen(instances=[instance(uptime=181)]), HUNG, False, ALERT, "never joined: no event since its start",
    ),
    "it runs for long, and we listen since a moment": (
        seen(instances=[instance(uptime=9000)], heard=stream(flowing=179)), STARTING, False, NOTHING, "",
    ),
    "a worker of it lived before, and the new one has not joined": (
        seen(worker(life=1, silent=500), instances=[instance(life=2, uptime=20)]), STARTING, False, NOTHING, "",
    ),
    "it is silent, and its state is unknown": (silent_in(UNKNOWN_STATE), BLIND, True, NOTHING, "the platform says UNKNOWN of its"),
    "it is silent and STARTING": (silent_in(InstanceState.STARTING), BLIND, True, NOTHING, "the platform says STARTING of its"),
    "it is silent and DOWN": (silent_in(InstanceState.DOWN), BLIND, True, NOTHING, "the platform says DOWN of its instance"),
    "it is silent and CRASHED": (silent_in(InstanceState.CRASHED), CRASHED, False, NOTHING, "the platform restarts it"),
    "it is silent, and RUNNING is said again": (silent_in(InstanceState.RUNNING), HUNG, True, RESTART, ""),
    "its app has gone from sight": (
        but(seen(worker(silent=60), platform=Known((app(state="MISSING"),), NOW)), lived=()),
        HUNG, False, ALERT, "no platform instance is known",
    ),
    "its app has gone from sight, and its guid is known": (
        but(seen(worker(silent=60), platform=Known((app(state="MISSING"),), NOW)), lived=(Lived(guid(), place(), NOW),)),
        BLIND, True, NOTHING, "cannot tell: the platform does not show its app",
    ),
}  # fmt: skip

GOODBYES = {
    "a warm shutdown began": (seen(said_goodbye(20)), DRAINING, False, NOTHING, "warm shutdown began 20 s ago"),
    "it drains for 30 min": (seen(said_goodbye(1800)), DRAINING, False, NOTHING, ""),
    "it drains for longer": (seen(said_goodbye(1801)), HUNG, False, ASK, "still draining after 1801 s"),
    "it drains, unmapped, and its connections are there": (unmapped(said_goodbye(20)), DRAINING, False, NOTHING, ""),
    "it has gone, unmapped": (
        unmapped(said_goodbye(20), consumer=None), STOPPED, False, NOTHING, "its connections are gone",
    ),
    "it drains, unmapped, for longer": (
        unmapped(said_goodbye(1801), consumers=FAILS), STOPPED, False, NOTHING, "whether the process is gone",
    ),
    "it drains, unmapped, for longer, and its connections are there": (
        unmapped(said_goodbye(1801), consumer=LEAVING), HUNG, False, ALERT, "still draining after 1801 s",
    ),
    "it drains, unmapped, for longer, and its connections were there when they were last looked at": (
        unmapped(said_goodbye(1801), consumers=FAILS, lingering=frozenset({f"celery@{guid()}#7"})),
        HUNG, False, ALERT, "still draining after 1801 s",
    ),
    "it has gone, unmapped, after a long drain": (
        unmapped(said_goodbye(1801), consumer=None, lingering=frozenset({f"celery@{guid()}#7"})),
        STOPPED, False, NOTHING, "its connections are gone",
    ),
    "it ended its own subscriptions": (
        seen(worker(silent=31), consumer=LEAVING), DRAINING, False, NOTHING, "a warm shutdown began unheard",
    ),
    "it ended its own subscriptions long ago": (
        seen(worker(silent=1801), consumer=LEAVING), HUNG, False, ASK, "still draining after 1801 s",
    ),
    "it ended its own subscriptions long ago, unmapped": (
        unmapped(worker(silent=1801), consumer=LEAVING), HUNG, False, ALERT, "no platform instance is known",
    ),
    "it was back after the goodbye": (
        seen(worker(goodbye=(1, NOW - 20), offline_at=NOW - 20)), HEALTHY, False, NOTHING, "",
    ),
}  # fmt: skip

UNMAPPED = {
    "it is frozen": (unmapped(worker(silent=31)), HUNG, False, ALERT, "no platform instance is known for this node"),
    "its connections are gone": (unmapped(worker(silent=31), consumer=None), CRASHED, False, ALERT, "no platform instance"),
    "its connections are gone, and its pool is solo": (
        unmapped(worker(silent=31), consumer=None, pool="solo"), BUSY, True, NOTHING, "",
    ),
    "it never had a name": (unmapped(worker(silent=31), consumer=None, named=False), BLIND, True, NOTHING, CLIENT_NAME),
    "it is elsewhere than the platform": (
        seen(worker(node="w@elsewhere", silent=31), instances=[]), HUNG, False, ALERT, "no platform instance",
    ),
}  # fmt: skip

SHARED = {
    "its neighbour beats": (
        seen(worker(node=f"w1@{guid()}", silent=31), worker(node=f"w2@{guid()}"), instances=[instance()]),
        HUNG, True, ALERT, f"shares its container with w2@{guid()}",
    ),
    "its neighbour is as silent": (
        seen(worker(node=f"w1@{guid()}", silent=31), worker(node=f"w2@{guid()}", silent=32), instances=[instance()]),
        HUNG, True, ALERT, "shares its container",
    ),
    "it drains for too long beside one that beats": (
        seen(said_goodbye(1801, node=f"w1@{guid()}"), worker(node=f"w2@{guid()}"), instances=[instance()]),
        HUNG, False, ALERT, "shares its container with w2",
    ),
    "its name is used twice": (
        seen(worker(pid=7, born=900), worker(pid=8, born=50), instances=[instance()]),
        HEALTHY, False, NOTHING, "2 processes use the node name",
    ),
}  # fmt: skip


def of(**tables):
    return [pytest.param(*row, id=f"{name}: {what}") for name, table in tables.items() for what, row in table.items()]


@pytest.mark.parametrize(
    ("look", "verdict", "suspect", "remedy", "note"),
    of(
        silence=SILENCE,
        pools=POOLS,
        blind=BLINDNESS,
        gap=GAP,
        slow=SLOW_BEATS,
        platform=PLATFORM,
        goodbye=GOODBYES,
        unmapped=UNMAPPED,
        shared=SHARED,
    ),
)
def test_the_verdict(look, verdict, suspect, remedy, note):
    """What was seen of a worker gives its verdict, its remedy, and the reason in words."""
    found = diagnose(look, LIMITS)[0]

    assert (found.verdict, found.suspect) == (verdict, suspect), found.notes
    assert note in "; ".join(found.notes)
    assert found.remedy is (RESTART if remedy == ASK else remedy)
    assert bool(found.approval) == (remedy == ASK)


def test_a_verdict_says_only_what_was_seen():
    """A healthy worker's verdict has no notes."""
    assert finding(worker()).notes == ()


def test_the_evidence_names_every_signal_in_the_order_of_the_proof():
    """Whoever reads the incident sees what the verdict rests on, and what it rules out."""
    found = finding(worker(silent=35))

    assert [(one.signal, one.reading, one.rules_out) for one in found.evidence] == [
        ("heartbeat", "last event 35.0 s ago, one every 2 s is usual; pid 7", None),
        ("ping", "no answer", None),
        ("broker", "10 connections, none fetching, idle 40 s", None),
        ("platform", f"RUNNING for 3600 s, guid {guid()}", "a crash"),
        ("echo", "our own echo 1.0 s ago; 0 of 1 heart-beating", "broker outage"),
        ("pool", "prefork: its main process never runs tasks", "busy"),
    ]


@pytest.mark.parametrize(
    ("look", "signal", "reading"),
    [
        (seen(worker(silent=35), ping=True), "ping", "answered"),
        (seen(worker(silent=35), ping=FAILS), "ping", "it does not answer"),
        (seen(worker(silent=35), consumer=None), "broker", "no connection of its own"),
        (seen(worker(silent=35), consumers=FAILS), "broker", "it does not answer"),
        (seen(worker(), worker(1)), "broker", "10 connections, fetching"),
        (seen(worker(silent=35), platform=FAILS), "platform", "it does not answer"),
        (seen(instances=[instance(uptime=None)]), "platform", f"RUNNING, guid {guid()}"),
        (seen(worker(), worker(1, silent=90)), "echo", "our own echo 1.0 s ago; 1 of 2 heart-beating"),
    ],
    ids=str,
)
def test_the_evidence_tells_a_signal_as_it_was_read(look, signal, reading):
    """A signal that failed shows why; one that was read shows what it said."""
    found = diagnose(look, LIMITS)[0]

    assert [one.reading for one in found.evidence if one.signal == signal] == [reading]


def test_signals_that_nobody_read_leave_no_evidence():
    """What was not asked is not shown as if it had failed."""
    look = unmapped(worker(silent=35), ping=None, consumers=Unknown("not asked"), heard=stream(echo_at=None))

    assert [one.signal for one in diagnose(look, LIMITS)[0].evidence] == ["heartbeat"]


def test_connections_without_a_name_leave_no_evidence():
    """Where the broker cannot tell workers apart it proves nothing about one of them."""
    found = finding(worker(), consumers=Known({}, NOW), named=False)

    assert "broker" not in {one.signal for one in found.evidence}


def test_a_deaf_observer_leaves_only_the_platforms_word():
    """While we hear nothing a worker's last heartbeat says nothing."""
    found = finding(worker(), heard=FAILS, consumers=Unknown("not asked"))

    assert [one.signal for one in found.evidence] == ["platform"]


@pytest.mark.parametrize(
    ("look", "status"),
    [
        (seen(worker()), Status.ONLINE),
        (seen(worker(silent=40), pool="solo"), Status.ONLINE),
        (seen(said_goodbye(20)), Status.ONLINE),
        (seen(worker(silent=40)), Status.OFFLINE),
        (seen(worker(), heard=FAILS), Status.OFFLINE),
    ],
    ids=["healthy", "busy", "draining", "hung", "blind"],
)
def test_the_status_that_flowers_users_know(look, status):
    """A draining or a busy worker is ONLINE."""
    assert diagnose(look, LIMITS)[0].status is status


def test_a_finding_names_instance_and_process():
    """The restart is bound to the guid, the node and the pid of the verdict."""
    found = finding(worker(silent=35))

    assert (found.place, found.guid, found.node, found.pid) == (place(), guid(), f"celery@{guid()}", 7)


def test_a_finding_on_an_empty_place_names_nothing():
    """Where nothing runs there is no guid, no node and no pid."""
    found = finding(instances=in_state(InstanceState.DOWN))

    assert (found.guid, found.node, found.pid) == (None, None, None)


def test_a_stopped_worker_that_nothing_maps_is_forgotten_after_an_hour():
    """Flower keeps such ghosts for ever."""
    assert diagnose(unmapped(said_goodbye(3600), consumer=None), LIMITS)[0].verdict is STOPPED
    assert diagnose(unmapped(said_goodbye(3601), consumer=None), LIMITS) == ()


def test_a_stranger_beside_a_platform_is_forgotten():
    """A silent node that the platform does not map has lived and died between two looks."""
    look = seen(worker(node="w@elsewhere", silent=3601), instances=[])

    assert diagnose(look, LIMITS) == ()


def test_a_crashed_worker_where_no_platform_is_is_not_forgotten():
    """Only a goodbye lets it go."""
    assert diagnose(unmapped(worker(silent=4000), consumer=None), LIMITS)[0].verdict is CRASHED


def test_a_stopped_worker_on_the_platform_is_not_forgotten():
    """Its index is still there, and people look for it."""
    look = seen(worker(silent=9000), platform=Known((app(instance(), state="STOPPED"),), NOW))

    assert diagnose(look, LIMITS)[0].verdict is STOPPED


def test_the_thresholds_are_settings():
    """Tests and impatient people may shorten every wait."""
    quick = Limits(silent_s=3, silent_beats=1, suspect_beats=1, settle_s=1)

    assert finding(worker(silent=3.5), limits=quick).verdict is HEALTHY, "nobody is asked before twelve seconds"
    assert finding(worker(silent=12), limits=quick).verdict is HUNG


def test_no_reason_for_blindness_while_we_hear_our_echo():
    """The cluster is not blind while the echo flows."""
    assert blindness(seen(), LIMITS) is None
