"""Deciding on crashes: the platform restarts what has crashed, so they are verified, told once, and escalated."""

import pytest

from celeriac.core.decide import decide
from celeriac.core.desk import Past
from celeriac.core.finding import Finding
from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.model import Inspection, InstanceState, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Lived
from core.builders import (
    AUTO,
    LIMITS,
    NOW,
    after,
    app,
    but,
    crash,
    guid,
    incident,
    instance,
    only,
    place,
    plan_for,
    remedy,
    said_goodbye,
    seen,
    steps,
    worker,
)

OPEN, HELD, REMEDYING = IncidentState.OPEN, IncidentState.HELD, IncidentState.REMEDYING
VERIFYING, RESOLVED, ESCALATED = IncidentState.VERIFYING, IncidentState.RESOLVED, IncidentState.ESCALATED


FORMER = (Lived(guid(), place(), NOW - 60),)


def test_a_crash_is_verified_and_not_restarted():
    """The platform restarts it by itself: the incident waits for proof of a new guid."""
    plan = plan_for(seen(worker(life=2), instances=[instance(life=2, uptime=3)], crashes=[crash()]))

    told = only(plan)
    assert plan.acts == ()
    assert (told.state, told.verdict, told.guid, told.remedy) == (VERIFYING, Verdict.CRASHED, guid(), RemedyKind.NONE)
    assert (told.crashes, told.node, told.deadline_at) == (("crash-0-1",), None, NOW + 180)


def test_a_crash_is_told_once():
    """The platform lists its events for long; each opens or moves an incident once."""
    look = seen(instances=[instance(state=InstanceState.STARTING, guid=None)], crashes=[crash()])
    past = after(Past(), plan_for(look))

    assert plan_for(look, past).incidents == ()


def test_two_crashes_of_one_place_are_one_story():
    """Each is told once, in the order in which they happened, and the later one's guid counts."""
    crashes = [crash(life=2, ago=10), crash(life=1, ago=60)]
    look = seen(instances=[instance(state=InstanceState.STARTING, guid=None)], crashes=crashes)

    first = plan_for(look)
    again = plan_for(look, after(Past(), first))

    assert (only(first).crashes, only(first).guid) == (("crash-0-1", "crash-0-2"), guid(0, 2))
    assert again.incidents == ()


def test_a_crash_that_ended_well_is_not_told_again():
    """Its incident is resolved and still remembered."""
    past = Past((incident(state=RESOLVED, crashes=("crash-0-1",)),))

    assert plan_for(seen(worker(life=2), instances=[instance(life=2)], crashes=[crash()]), past).incidents == ()


def test_a_worker_that_crashes_again_and_again_is_for_a_person():
    """In the platform's back-off crashes are far apart; what it does from the fourth on adds nothing to the story."""
    starting = [instance(state=InstanceState.STARTING, guid=None)]
    past = Past()
    for life in range(1, 7):
        past = after(past, plan_for(seen(instances=starting, crashes=[crash(life=life)]), past))

    (one,) = past.incidents
    assert (one.state, len(one.crashes)) == (ESCALATED, 6)
    assert one.held_reason is None
    assert [step.text for step in one.steps if step.kind == "escalated"] == [
        "crashed 4 times without being proven well in between"
    ]


def test_a_crash_of_a_shared_container_that_is_told_late_is_told_once():
    """Its nodes have joined again by then: one of them is to prove it, and the incident names the tasks of all."""
    nodes = [worker(node=f"{name}@{guid(0, 2)}", born=8, pid=pid) for name, pid in (("a", 7), ("b", 8))]
    look = seen(*nodes, instances=[instance(life=2, uptime=12)], crashes=[crash(ago=15)])

    first = plan_for(look)
    told = only(first)
    assert (told.state, told.verdict, told.guid, told.crashes) == (VERIFYING, Verdict.CRASHED, guid(), ("crash-0-1",))
    assert told.place.container == place().container
    again = plan_for(look, after(Past(), first))
    assert [one.crashes for one in again.incidents] in ([], [("crash-0-1",)])

    proven = but(look, pings={one.node: Known(value=True, at=NOW) for one in nodes})
    proven = but(proven, inspected={one.node: Known(Inspection(("celery",)), NOW) for one in nodes})
    assert only(plan_for(proven, after(Past(), first))).state is RESOLVED


def test_a_restart_ends_with_the_fourth_crash_of_what_it_brought():
    """Nobody awaits its proof any more, so it fills no budget and holds back no other worker."""
    made = remedy(state=RemedyState.ACTED, acted_at=NOW - 60)
    past = Past((incident(state=VERIFYING, remedy_id=made.id, deadline_at=NOW + 100),), (made,))
    starting = [instance(state=InstanceState.STARTING, guid=None)]
    for life in range(2, 6):
        past = after(past, plan_for(seen(instances=starting, crashes=[crash(life=life)]), past))

    assert [(one.state, len(one.crashes)) for one in past.incidents] == [(ESCALATED, 4)]
    assert [(one.state, one.ended_at, one.note) for one in past.remedies] == [
        (RemedyState.UNVERIFIED, NOW, "crashed 4 times without being proven well in between")
    ]


LOOP = [crash(life=1, ago=500), crash(life=2, ago=300), crash(life=3, ago=20)]


def test_a_crash_loop_is_for_a_person_though_each_life_was_proven_well():
    """It lives for minutes each time, so its earlier stories are over, and Diego's back-off never sees it."""
    past = Past((incident(state=RESOLVED, crashes=("crash-0-1", "crash-0-2")),))
    look = seen(worker(life=4, born=15), instances=[instance(life=4, uptime=15)], crashes=LOOP)

    plan = plan_for(look, past)

    told = only(plan)
    assert plan.acts == ()
    assert (told.state, told.verdict, told.remedy) == (ESCALATED, Verdict.CRASH_LOOPING, RemedyKind.ALERT)
    assert told.steps[-1].text == "crashed 3 times within 10 min"
    assert plan_for(look, after(past, plan)).incidents == ()


def test_a_crash_loop_ends_when_it_has_been_well_for_long():
    """Its crashes grow old; a minute later the incident is over."""
    look = seen(worker(life=4), instances=[instance(life=4)], crashes=LOOP)
    past = after(Past(), plan_for(look))
    calm = but(look, crashes=Known((but(LOOP[-1], at=NOW - 601),), NOW))

    past = after(past, plan_for(calm, past))
    later = seen(worker(life=4, now=NOW + 60), now=NOW + 60, instances=[instance(life=4)])

    assert only(plan_for(later, past)).state is RESOLVED


def test_a_persons_restart_in_a_loop_is_not_cut_short():
    """They may have mended it: what they ordered is verified, or not proven in time."""
    ours = remedy(state=RemedyState.ACTED, actor="ana", life=4, acted_at=NOW - 10)
    waiting = incident(state=VERIFYING, remedy_id="remedy-0", life=4, deadline_at=NOW + 100)
    look = seen(worker(life=5, born=5), instances=[instance(life=5, uptime=8)], crashes=LOOP)

    plan = plan_for(look, Past((waiting,), (ours,)))

    assert all(one.state is VERIFYING for one in plan.incidents)
    assert all(one.state is RemedyState.ACTED for one in plan.remedies)


def test_a_loop_is_not_restarted_though_its_newest_life_hangs():
    """Another restart would be one more turn."""
    look = seen(worker(life=4, silent=40), instances=[instance(life=4)], crashes=LOOP)

    assert plan_for(look).acts == ()


def test_a_crash_of_a_worker_that_was_held_as_hung_takes_its_incident_along():
    """It died before anybody approved: now the platform brings it back, and the same incident waits for proof."""
    held = incident(held_reason=HeldReason.MODE)
    look = seen(instances=[instance(state=InstanceState.STARTING, guid=None)], crashes=[crash()])

    told = only(plan_for(look, Past((held,))))

    assert (told.id, told.state, told.held_reason, told.verdict) == (held.id, VERIFYING, None, Verdict.CRASHED)


def test_the_end_of_what_we_restarted_is_no_crash():
    """Diego may report the exit of an instance that we stopped."""
    past = Past((incident(state=VERIFYING, deadline_at=NOW + 60),), (remedy(state=RemedyState.ACTED),))
    look = seen(instances=[instance(state=InstanceState.STARTING, guid=None)], crashes=[crash()])

    assert plan_for(look, past).incidents == ()


def test_a_crash_long_ago_is_history():
    """A keeper that was away for long does not tell old stories."""
    look = seen(instances=[instance(life=2, uptime=30)], crashes=[crash(ago=601)])

    assert plan_for(look).incidents == ()


@pytest.mark.parametrize("text", ["Codependent step exited", "APP/PROC/WORKER: Exited with status 0"])
def test_a_goodbye_with_exit_0_is_no_incident(text):
    """`celery control shutdown` ends the process as asked, and Diego reports it as a crash."""
    look = seen(said_goodbye(30), instances=[instance(life=2, uptime=3)], crashes=[crash(text=text)], lived=FORMER)

    assert plan_for(look).incidents == ()


@pytest.mark.parametrize(
    ("life", "text"),
    [(said_goodbye(30), "APP/PROC/WORKER: Exited with status 1"), (worker(silent=30), "Codependent step exited")],
    ids=["exit 1 after a goodbye", "exit 0 without a goodbye"],
)
def test_any_other_end_is_an_incident(life, text):
    """Celery 5.7 says goodbye and dies with exit 1 when Redis restarts under it; and nobody leaves without a word."""
    look = seen(life, instances=[instance(life=2, uptime=3)], crashes=[crash(text=text)], lived=FORMER)

    assert only(plan_for(look)).state is VERIFYING


@pytest.mark.parametrize(
    "crashes",
    [Unknown("it does not answer", NOW), [but(crash(), index=7)], [but(crash(), app="elsewhere")]],
    ids=["unknown", "an index that is gone", "another app"],
)
def test_what_is_not_ours_to_see_opens_nothing(crashes):
    """A crash needs a place; events that cannot be read are no crash."""
    assert plan_for(seen(worker(), crashes=crashes)).incidents == ()


def test_a_crash_of_a_stopped_app_opens_nothing():
    """A person stopped it."""
    look = seen(platform=Known((app(instance(), state="STOPPED"),), NOW), crashes=[crash()])

    assert plan_for(look).incidents == ()


def test_an_index_that_is_crashed_needs_no_event():
    """The platform's state is proof enough; the event that comes later moves the same incident."""
    look = seen(instances=[instance(state=InstanceState.CRASHED, guid=None, details="exited")])
    first = plan_for(look)
    told = only(first)

    assert (told.state, told.verdict, told.guid) == (VERIFYING, Verdict.CRASHED, "")
    later = only(plan_for(but(look, crashes=Known((crash(),), NOW)), after(Past(), first)))
    assert (later.id, later.guid) == (told.id, guid())


def test_an_index_that_stays_crashed_is_told_once():
    """Back-off may last long; its incident is one."""
    look = seen(instances=[instance(state=InstanceState.CRASHED, guid=None)])
    first = plan_for(look)
    again = plan_for(look, after(Past(), first))

    assert [steps(one) for one in again.incidents] in ([], [steps(only(first))])


def test_a_crash_without_an_instance_is_told_by_nobody():
    """A finding that has lost its site says too little to open an incident on."""
    bare = Finding(place(), Verdict.CRASHED)

    assert decide((bare,), seen(), Past(), AUTO, LIMITS).incidents == ()
