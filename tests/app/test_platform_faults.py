"""No fault of the platform leads to a remedy: through the real adapter, on the emulated foundation, in mode auto.

Well workers stay as they are, people read one clear sentence, and once the fault is over a real crash is found.
"""

import pytest

from app.on_foundation import Foundation
from celeriac.app import change_watch, platform_watch
from celeriac.core.incident import HeldReason, IncidentState, RemedyState
from celeriac.emulator import Fault, FaultKind

MINUTE = 30
"""Cycles of two seconds."""

GATEWAY = "Cloud Foundry answered Bad Gateway (502)"
LIMIT = "platform: Rate Limit Exceeded (429)"
NOT_SEEN = (
    "platform: space 'dev' is not to be seen any more: our account has probably lost its role there, its apps may well run "
    "(cf set-space-role ada demo dev SpaceSupporter)"
)
PORTAL = "127.0.0.1 answered with text/html; charset=utf-8 where JSON is due; is a proxy or a login page in between?"
CUT = (
    "URL/v3/processes: peer closed connection without sending complete message body (received 887 bytes, expected 1775)"
)

UNREAD = {
    "slow": (Fault(FaultKind.SLOW, seconds=1.5), "platform: URL/v3/processes: timed out"),
    "bad gateway": (Fault(FaultKind.BAD_GATEWAY), f"platform: {GATEWAY}"),
    "not JSON": (Fault(FaultKind.NOT_JSON), f"platform: {PORTAL}"),
    "cut off": (Fault(FaultKind.CUT_OFF), f"platform: {CUT}"),
    "no requests": (Fault(FaultKind.RATE_LIMIT, reset_s=7), LIMIT),
    "few requests": (Fault(FaultKind.RATE_LIMIT, limit=9, reset_s=7), LIMIT),
    "Diego is down": (
        Fault(FaultKind.DIEGO_DOWN),
        "platform: Instances information unavailable: Unable to communicate with Diego (503)",
    ),
    "lost role": (Fault(FaultKind.LOST_ROLE), NOT_SEEN),
}
"""Faults that leave the instances unread, and what people are told."""

AHEAD, BEHIND = Fault(FaultKind.CLOCK_SKEW, seconds=300), Fault(FaultKind.CLOCK_SKEW, seconds=-300)

READ = {
    "slow, but in time": Fault(FaultKind.SLOW, seconds=0.05),
    "enough requests": Fault(FaultKind.RATE_LIMIT, limit=100_000),
    "tokens expired": Fault(FaultKind.TOKENS_EXPIRED),
    "no usage": Fault(FaultKind.NO_USAGE),
    "log cache down": Fault(FaultKind.LOG_CACHE_DOWN),
    "no capacity": Fault(FaultKind.NO_CAPACITY),
    "quota": Fault(FaultKind.QUOTA),
    "org suspended": Fault(FaultKind.ORG_SUSPENDED),
    "clock ahead": AHEAD,
    "clock behind": BEHIND,
}
"""Faults that leave all to be read that a verdict rests on: people are told nothing, as nothing is in doubt."""


@pytest.fixture
def begin(store, monkeypatch):
    """Begin a watch over two well workers; what is slow in real time is not waited for long."""
    monkeypatch.setattr(platform_watch, "WAIT_S", 0.2)
    monkeypatch.setattr(change_watch, "WAIT_S", 0.2)
    begun = []

    def watched(**settings):
        begun.append(Foundation(store, **settings).__enter__())
        begun[0].turns(5)
        return begun[0]

    yield watched
    for one in begun:
        one.__exit__()


@pytest.fixture
def foundation(begin):
    one = begin()
    assert one.verdicts() == ["healthy", "healthy"]
    return one


def crash_is_told(foundation, index=1):
    """Expect that the crash of this index is told, and proven to be over, without a remedy."""

    def over():
        return [one for one in foundation.incidents if one.state is IncidentState.RESOLVED and one.crashes]

    (story,) = foundation.until(over, 2 * MINUTE, "the crash is told, and over")
    assert story.place.index == index
    assert story.steps[0].text == "the platform reports: APP/PROC/WORKER: Exited with status 137"
    assert foundation.remedies == ()


def restarted(foundation, *indexes, within=2 * MINUTE):
    """Expect that the workers of these indexes are restarted, each once, and proven to work."""

    def proven():
        made = [one.state for one in foundation.remedies if one.state is not RemedyState.LAPSED]
        return made == [RemedyState.VERIFIED] * len(indexes)

    def turned():
        foundation.emulator.foundation.diego.converge()
        return proven()

    foundation.until(turned, within, "the restart is proven")
    assert {one.place.index for one in foundation.remedies} == set(indexes)
    assert foundation.restarts() == len(indexes)


# Well workers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNREAD)
def test_well_workers_stay_while_the_platform_is_not_read(foundation, name):
    """Their heartbeats say enough; one sentence tells what is wrong, and a crash is found when it is over."""
    fault, told = UNREAD[name]
    foundation.wrong(fault)
    foundation.turns(MINUTE)

    assert foundation.verdicts() == ["healthy", "healthy"]
    assert (foundation.incidents, foundation.remedies) == ([], ())
    assert foundation.told() == (told,)

    foundation.wrong()
    foundation.until(lambda: foundation.told() == (), MINUTE + 10, "all is read again")
    foundation.crash(1)
    crash_is_told(foundation)


@pytest.mark.parametrize("name", READ)
def test_well_workers_stay_whatever_else_is_wrong(foundation, name):
    """Nothing is told, for nothing that is needed is missing; and a crash is found at once."""
    fault = READ[name]
    foundation.wrong(fault)
    foundation.turns(MINUTE)

    assert foundation.verdicts() == ["healthy", "healthy"]
    assert (foundation.incidents, foundation.remedies, foundation.told()) == ([], (), ())
    if fault.kind is FaultKind.NO_CAPACITY:
        foundation.wrong()
    foundation.crash(1)
    crash_is_told(foundation)


def test_events_that_cannot_be_read_are_told_once(foundation):
    """Crashes and changes are in one list of the platform."""
    foundation.wrong(Fault(FaultKind.BAD_GATEWAY, paths=("/v3/audit_events",)))
    foundation.turns(2 * MINUTE)

    assert foundation.verdicts() == ["healthy", "healthy"]
    assert foundation.told() == (f"platform events: {GATEWAY}",)


@pytest.mark.parametrize("name", UNREAD)
def test_a_crash_meanwhile_is_found_when_the_fault_is_over(foundation, name):
    """Diego has healed it by then, and nobody needs to do anything."""
    foundation.wrong(UNREAD[name][0])
    foundation.turns(5)
    foundation.crash(1)
    foundation.turns(MINUTE)
    assert foundation.remedies == ()
    assert {one.state for one in foundation.incidents} <= {IncidentState.VERIFYING, IncidentState.RESOLVED}, (
        "by its event"
    )

    foundation.wrong()
    crash_is_told(foundation)


def test_an_older_api_maps_no_node(begin):
    """Before 3.191 stats have no guid: workers are watched by their names, and no index is restarted."""
    foundation = begin(api_version="3.190.0")
    foundation.freeze(0)
    foundation.turns(2 * MINUTE)
    why = "the platform's API gives no instance guid: no node can be mapped to it"

    assert foundation.finding(0).notes == foundation.finding(1).notes == (why,)
    assert sorted(foundation.verdicts()) == ["blind", "blind", "healthy", "hung"]
    assert (foundation.remedies, foundation.told()) == ((), ())

    foundation.crash(1)
    foundation.turns(10)
    assert [one.place.index for one in foundation.incidents if one.crashes] == [1]
    assert foundation.remedies == ()


# A silent worker -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNREAD)
def test_a_silent_worker_is_not_touched_while_the_platform_is_not_read(foundation, name):
    """All else convicts it; only when the platform shows its instance again it is restarted."""
    foundation.wrong(UNREAD[name][0])
    foundation.turns(5)
    foundation.freeze(0)
    foundation.turns(2 * MINUTE)
    (note,) = foundation.finding(0).notes

    assert foundation.finding(0).verdict == "blind"
    assert note.startswith("cannot tell: platform: ")
    assert (foundation.remedies, foundation.restarts()) == ((), 0)

    foundation.wrong()
    restarted(foundation, 0)


def test_a_silent_worker_waits_while_it_is_not_known_who_is_at_work(foundation):
    """Its instance is seen, and the events are not."""
    foundation.wrong(Fault(FaultKind.BAD_GATEWAY, paths=("/v3/audit_events",)))
    foundation.freeze(0)
    foundation.turns(2 * MINUTE)
    (story,) = foundation.incidents

    assert story.held_reason is HeldReason.DEPLOY
    assert story.steps[-1].text.startswith(f"deploy: whether somebody changes the app cannot be told: {GATEWAY[:-1]}")
    assert foundation.restarts() == 0

    foundation.wrong()
    restarted(foundation, 0)


@pytest.mark.parametrize("name", ["bad gateway", "Diego is down", "no requests", "lost role"])
def test_a_fault_between_the_decision_and_the_act_costs_no_second_restart(foundation, name):
    """The index is read once more right before: what is not known then is not done."""

    def fail_at(point):
        if point == "journalled":
            foundation.reached = lambda _: None
            foundation.wrong(UNREAD[name][0])

    foundation.reached = fail_at
    foundation.freeze(0)
    foundation.turns(2 * MINUTE)
    assert foundation.restarts() == 0

    foundation.wrong()
    restarted(foundation, 0, within=4 * MINUTE)


def test_a_restart_that_a_suspended_organization_refuses_is_told(foundation):
    """It was tried once; a person is to know why it cannot be done."""
    foundation.wrong(Fault(FaultKind.ORG_SUSPENDED))
    foundation.freeze(0)
    foundation.turns(3 * MINUTE)
    (story,) = foundation.incidents

    assert story.state is IncidentState.ESCALATED
    assert story.steps[-1].text == (
        "organization 'demo' is suspended: nothing is started or stopped there until it is active again"
    )
    assert foundation.restarts() == 0
    assert len(foundation.remedies) == 1


def test_an_instance_without_room_is_told(foundation):
    """It ended, and no cell has room for it: a restart would not mend that."""
    foundation.wrong(Fault(FaultKind.NO_CAPACITY))
    foundation.kill(1)
    foundation.turns(MINUTE)
    assert foundation.finding(1).verdict == "starting"
    assert foundation.finding(1).notes == ("insufficient resources: memory",)

    foundation.turns(3 * MINUTE)
    (story,) = foundation.incidents
    assert story.state is IncidentState.ESCALATED
    assert story.steps[-1].text.startswith(
        "not proven in time: no new instance runs yet (it is DOWN: insufficient resources: memory)"
    )
    assert foundation.remedies == ()

    foundation.wrong()
    foundation.runs(2)
    foundation.until(lambda: foundation.incidents[0].over, 2 * MINUTE, "it has recovered")


# Clocks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [400, -400])
def test_our_own_restart_is_ours_by_any_clock(foundation, seconds):
    """The second worker is restarted too, as nobody else was at work; the ledger allows for five minutes only."""
    foundation.wrong(Fault(FaultKind.CLOCK_SKEW, seconds=seconds))
    foundation.freeze(0)
    restarted(foundation, 0)
    foundation.freeze(1)
    restarted(foundation, 0, 1)


@pytest.mark.parametrize("fault", [AHEAD, BEHIND], ids=["ahead", "behind"])
def test_a_person_has_their_ten_minutes_by_any_clock(foundation, fault):
    """The guard counts from when the change was read first."""
    foundation.wrong(fault)
    foundation.turns(MINUTE)
    foundation.scale(2)
    foundation.turns(MINUTE + 5)
    foundation.freeze(0)
    foundation.turns(7 * MINUTE)
    assert foundation.incidents[0].held_reason is HeldReason.DEPLOY
    assert foundation.restarts() == 0

    restarted(foundation, 0, within=4 * MINUTE)


@pytest.mark.parametrize("seconds", [700, -700])
def test_a_crash_is_found_though_the_clock_is_off_by_more_than_the_time_it_is_told_for(foundation, seconds):
    """Ten minutes is what a crash may be old; the platform's clock is off by more."""
    foundation.wrong(Fault(FaultKind.CLOCK_SKEW, seconds=seconds))
    foundation.crash(1)
    crash_is_told(foundation)
    way = "ahead of" if seconds > 0 else "behind"
    (note,) = foundation.told()

    assert note.startswith("the platform's clock is at least ")
    assert note.endswith(f" s {way} ours: its events count from when they were first read")


def test_a_keeper_that_begins_under_a_wrong_clock_restarts_nobody(foundation):
    """There was no look before that could tell when a crash was."""
    foundation.wrong(AHEAD)
    foundation.crash(1)
    foundation.begin_anew()
    foundation.turns(2 * MINUTE)

    assert foundation.verdicts() == ["healthy", "healthy"]
    assert [one.state for one in foundation.incidents] == [IncidentState.RESOLVED]
    assert foundation.remedies == ()
