"""What becomes of a finding: acted on, or held with a reason; and how an open incident goes on."""

import pytest

from celeriac.core import story
from celeriac.core.desk import Past
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import HeldReason, IncidentState, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode, Place
from celeriac.core.readings import Known, Unknown
from celeriac.core.sentence import sentence
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    LIMITS,
    NOW,
    after,
    app,
    but,
    finding,
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
    stream,
    unmapped,
    worker,
)

OPEN, HELD, REMEDYING = IncidentState.OPEN, IncidentState.HELD, IncidentState.REMEDYING
VERIFYING, RESOLVED, ESCALATED = IncidentState.VERIFYING, IncidentState.RESOLVED, IncidentState.ESCALATED
PAUSED = Policy(mode=Mode.AUTO, paused="ana is looking")
FROZEN = worker(silent=35)
DEAF = Unknown("the observer has said nothing for 9 s", NOW)


# Acting --------------------------------------------------------------------------------------------------------------


def test_a_frozen_worker_is_restarted_in_auto():
    """The intent names instance, node and pid, and is journalled with the incident that it belongs to."""
    plan = plan_for(seen(FROZEN))

    (act,) = plan.acts
    assert plan.incidents == (act.incident,)
    assert plan.remedies == (act.remedy,)
    assert (act.remedy.state, act.remedy.actor, act.remedy.attempts) == (RemedyState.INTENDED, "keeper", 1)
    assert (act.remedy.guid, act.remedy.node, act.remedy.pid) == (guid(), f"celery@{guid()}", 7)
    assert (act.incident.state, act.incident.remedy_id) == (REMEDYING, act.remedy.id)
    assert act.instance == instance()
    assert steps(act.incident) == ["opened", "intended"]


def test_what_is_journalled_is_not_planned_again():
    """The next cycle over the same world adds nothing: the intent waits for the platform's next word."""
    look = seen(FROZEN)
    first = plan_for(look)
    second = plan_for(look, after(Past(), first))

    assert (second.acts, second.incidents, second.remedies) == ((), (), ())


def test_a_healthy_cluster_changes_nothing():
    """Nothing is journalled while all is well."""
    plan = plan_for(seen(worker(), worker(1)))

    assert (plan.incidents, plan.remedies, plan.acts) == ((), (), ())


def test_each_look_has_one_act():
    """A look grows old while its first act is done: the next worker is judged by a look of its own."""
    mail = but(instance(0), app="mail", guid=guid(9))
    calm = [worker(index) for index in range(1, 8)]
    apps = app(*map(instance, range(8))), app(mail, name="mail")
    plan = plan_for(seen(worker(0, silent=35), worker(9, silent=55), *calm, platform=Known(apps, NOW)))

    assert [act.instance.app for act in plan.acts] == [APP]
    waiting = next(one for one in plan.incidents if one.place.app == "mail")
    assert (waiting.state, steps(waiting)) == (OPEN, ["opened"])


def test_the_time_for_proof_follows_the_health_check():
    """Convergence, the process's own health-check time and a minute more; never less than three minutes."""
    assert story.patience(finding(FROZEN), LIMITS) == 180
    process = but(app().processes[0], wanted=1, health_timeout_s=300.0)
    slow = Known((but(app(instance()), processes=(process,)),), NOW)
    assert story.patience(finding(FROZEN, platform=slow), LIMITS) == 30 + 300 + 60
    other = Known((but(app(instance()), processes=()),), NOW)
    assert story.patience(finding(FROZEN, platform=other), LIMITS) == 180


# Holding -------------------------------------------------------------------------------------------------------------

SHARED = seen(worker(node=f"w1@{guid()}", silent=35), worker(node=f"w2@{guid()}"), instances=[instance()])


HOLDS = {
    "mode observe": (
        seen(FROZEN),
        Policy(mode=Mode.OBSERVE),
        HeldReason.MODE,
        "would have restarted it (mode observe)",
    ),
    "mode approve": (seen(FROZEN), Policy(mode=Mode.APPROVE), HeldReason.MODE, "person's approval (mode approve)"),
    "solo": (seen(worker(silent=601), pool="solo"), AUTO, HeldReason.MODE, "approval: pool solo may be silent"),
    "a long drain": (seen(said_goodbye(1801)), AUTO, HeldReason.MODE, "a draining worker may still run a task"),
    "no heartbeats": (seen(worker(silent=35, beats=0)), AUTO, HeldReason.MODE, "has sent no heartbeat yet"),
    "paused": (seen(FROZEN), PAUSED, HeldReason.PAUSED, "ana is looking"),
    "unmapped and hung": (unmapped(FROZEN), AUTO, HeldReason.UNMAPPED, "no platform instance is known for this node"),
    "unmapped and gone": (unmapped(FROZEN, consumer=None), AUTO, HeldReason.UNMAPPED, "no platform instance is known"),
    "a shared container": (SHARED, AUTO, HeldReason.UNMAPPED, "shares its container"),
    "a shared container, paused": (SHARED, PAUSED, HeldReason.PAUSED, "ana is looking"),
}


@pytest.mark.parametrize(("look", "policy", "reason", "text"), HOLDS.values(), ids=HOLDS)
def test_what_is_not_acted_on_is_held_with_its_reason(look, policy, reason, text):
    """Every finding that asks for something, and gets nothing now, says why."""
    plan = plan_for(look, policy=policy)
    held = plan.incidents[0]

    assert plan.acts == ()
    assert (held.state, held.held_reason) == (HELD, reason)
    assert text in held.steps[-1].text


def test_the_same_reason_again_adds_nothing_to_the_story():
    """An incident that waits does not grow with each cycle."""
    approve = Policy(mode=Mode.APPROVE)
    held = plan_for(seen(FROZEN), policy=approve)
    later = plan_for(seen(FROZEN), after(Past(), held), approve)

    assert later.incidents == ()


def test_other_numbers_are_no_other_reason():
    """That it is silent for a second more is no news."""
    look, later = seen(FROZEN, worker(1, silent=35)), seen(FROZEN, worker(1, silent=35), worker(2))
    past = after(Past(), plan_for(look))
    told = after(past, plan_for(later, past)).incidents

    assert [steps(one) for one in told] == [["opened", "held"]] * 2


def test_what_was_held_by_the_quorum_waits_for_a_person():
    """That fewer are silent by now does not tell what had silenced them all."""
    past = after(Past(), plan_for(seen(FROZEN, worker(1, silent=35))))
    plan = plan_for(seen(FROZEN, worker(1)), past)

    assert plan.acts == ()
    mine = next(one for one in after(past, plan).incidents if one.place == place(0))
    assert (mine.held_reason, mine.steps[-1].text) == (
        HeldReason.QUORUM,
        "quorum: it fell silent together with others: restarts only by approval",
    )


def test_a_moment_of_blindness_does_not_undo_the_quorum():
    """The broker stumbles once more while many wait: what it says of them then does not free them."""
    many = (FROZEN, worker(1, silent=35))
    past = after(Past(), plan_for(seen(*many)))
    past = after(past, plan_for(seen(*many, heard=stream(echo=9)), past))
    assert {one.held_reason for one in past.incidents} == {HeldReason.BROKER_OUTAGE}

    assert plan_for(seen(FROZEN, worker(1)), past).acts == ()


def test_another_reason_is_told():
    """Whoever waits for an approval learns that all is paused now."""
    held = plan_for(seen(FROZEN), policy=Policy(mode=Mode.APPROVE))
    paused = only(plan_for(seen(FROZEN), after(Past(), held), PAUSED))

    assert (paused.held_reason, steps(paused)) == (HeldReason.PAUSED, ["opened", "held", "held"])


def test_a_held_incident_is_acted_on_when_its_reason_is_gone():
    """The mode was changed to auto: the same incident goes on."""
    held = plan_for(seen(FROZEN), policy=Policy(mode=Mode.APPROVE))
    (act,) = plan_for(seen(FROZEN), after(Past(), held)).acts

    assert act.incident.id == only(held).id


def test_an_instance_that_never_joined_is_told_to_people():
    """A restart would not mend it: the incident is held with its reason, until a person has looked."""
    plan = plan_for(seen(instances=[instance(uptime=181)]))

    assert (only(plan).state, only(plan).held_reason, plan.acts) == (HELD, HeldReason.UNMAPPED, ())
    assert only(plan).steps[-1].text.startswith("unmapped: never joined")
    assert only(plan).awaits_person, "so it has the platform read no sooner"
    assert plan_for(seen(instances=[instance(uptime=181)]), after(Past(), plan)).incidents == ()


@pytest.mark.parametrize(
    ("heard", "reason"),
    [(stream(error="Connection refused"), HeldReason.BROKER_OUTAGE), (DEAF, HeldReason.STALE)],
    ids=["the broker is down", "the observer is stale"],
)
def test_while_nothing_is_heard_a_held_incident_says_so(heard, reason):
    """What was held for an approval is now held for want of sight."""
    held = incident(held_reason=HeldReason.MODE)
    told = only(plan_for(seen(FROZEN, heard=heard), Past((held,))))

    assert (told.state, told.held_reason) == (HELD, reason)


def test_nothing_is_opened_while_nothing_is_heard():
    """Blindness is the cluster's, and no worker's."""
    plan = plan_for(seen(FROZEN, heard=DEAF))

    assert (plan.incidents, plan.acts) == ((), ())


def test_a_held_incident_is_bound_to_the_instance_that_it_is_about_now():
    """The platform moved the worker, and it froze again: an approval is for the instance that is there."""
    held = incident(life=1, held_reason=HeldReason.MODE)
    look = seen(worker(life=2, silent=35), instances=[instance(life=2)])

    told = only(plan_for(look, Past((held,)), Policy(mode=Mode.APPROVE)))

    assert (told.guid, told.node) == (guid(0, 2), f"celery@{guid(0, 2)}")


# The end of an incident without us -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [OPEN, HELD, ESCALATED])
def test_a_worker_that_is_well_for_a_minute_has_recovered_alone(state):
    """Held, open or escalated: health since a minute ends the incident."""
    one = incident(state=state, held_reason=HeldReason.MODE if state is HELD else None)
    noticed = only(plan_for(seen(worker()), Past((one,))))
    assert (noticed.state, noticed.healthy_since) == (state, NOW)

    just_before = seen(worker(now=NOW + 59.9), now=NOW + 59.9)
    assert plan_for(just_before, Past((noticed,))).incidents == ()

    done = only(plan_for(seen(worker(now=NOW + 60), now=NOW + 60), Past((noticed,))))
    assert (done.state, done.held_reason, done.resolved_at) == (RESOLVED, None, NOW + 60)
    assert "recovered alone" in done.steps[-1].text


@pytest.mark.parametrize(
    "look",
    [seen(worker(silent=13)), seen(worker(silent=13), ping=True), seen(FROZEN)],
    ids=["suspect", "answers a ping", "hung"],
)
def test_a_minute_of_health_is_counted_anew_after_any_doubt(look):
    """A suspect worker is not well."""
    one = incident(state=ESCALATED, healthy_since=NOW - 59)

    assert only(plan_for(look, Past((one,)))).healthy_since is None


def test_an_escalated_incident_is_not_acted_on_again():
    """What a restart did not mend is for a person: Celeriac does not try the same again and again."""
    past = Past((incident(state=ESCALATED),), (remedy(state=RemedyState.UNVERIFIED, ago=3000),))

    assert plan_for(seen(FROZEN), past).acts == ()


@pytest.mark.parametrize(
    "look",
    [
        seen(FROZEN, platform=Known((app(instance(), state="STOPPED"),), NOW)),
        seen(FROZEN, platform=Known((app(instance(), wanted=0),), NOW)),
        seen(platform=Known((app(wanted=0),), NOW)),
        seen(platform=Known((), NOW)),
        seen(worker(node=f"w1@{guid()}"), worker(node=f"w2@{guid()}", pid=8, silent=0.7), instances=[instance()]),
    ],
    ids=["app stopped", "scaled below, index still shown", "scaled below", "watched no more", "container now shared"],
)
@pytest.mark.parametrize("state", [HELD, REMEDYING, VERIFYING, ESCALATED])
def test_an_incident_ends_with_its_place(look, state):
    """What nobody wants any more, or what is no place any more, needs no healing; its remedy fills no budget."""
    one = incident(state=state, remedy_id="remedy-0", held_reason=HeldReason.MODE, deadline_at=NOW + 60)
    running = remedy(state=RemedyState.INTENDED if state is REMEDYING else RemedyState.ACTED)

    plan = plan_for(look, Past((one,), (running,)))

    assert (plan.incidents[0].id, plan.incidents[0].state) == (one.id, RESOLVED)
    assert [(ended.id, ended.state) for ended in plan.remedies] == [("remedy-0", RemedyState.UNVERIFIED)]
    assert plan.acts == ()


def test_a_remedy_that_has_ended_stays_as_it_ended():
    """A person stops the app after the escalation."""
    past = Past((incident(state=ESCALATED, remedy_id="remedy-0"),), (remedy(state=RemedyState.UNVERIFIED),))

    assert plan_for(seen(platform=Known((app(wanted=0),), NOW)), past).remedies == ()


@pytest.mark.parametrize(
    "platform",
    [Unknown("it does not answer", NOW), None, Known((app(state="MISSING"),), NOW)],
    ids=["platform unknown", "no platform", "app not to be seen"],
)
def test_an_incident_does_not_end_because_nothing_is_seen(platform):
    """We may have lost our role, or the platform its voice: nothing is closed."""
    one = incident(held_reason=HeldReason.MODE)

    assert plan_for(seen(platform=platform, crashes=()), Past((one,))).incidents == ()


def test_the_incident_of_an_unmapped_worker_ends_when_it_is_forgotten():
    """Nothing was heard of the node for so long that the store lists it no more; unless nothing is heard of anybody."""
    one = incident(place=Place(CLUSTER, node="celery@far"), held_reason=HeldReason.UNMAPPED)

    assert only(plan_for(unmapped(), Past((one,)))).state is RESOLVED
    assert only(plan_for(unmapped(heard=DEAF), Past((one,)))).state is HELD


def test_an_incident_that_ended_makes_room_for_the_next():
    """The same place may fail again: that is a new incident."""
    past = Past((incident(state=RESOLVED),))
    plan = plan_for(seen(FROZEN), past, Policy(mode=Mode.APPROVE))

    assert only(plan).id != past.incidents[0].id


# The sentence --------------------------------------------------------------------------------------------------------


def said(look, past=Past(), policy=AUTO, why=None) -> str:  # noqa: B008 (a value that never changes)
    return sentence(diagnose(look, LIMITS), plan_for(look, past, policy), past, why)


def test_a_cycle_is_one_sentence():
    """What people read in the log and on the page."""
    assert said(seen(worker(), worker(1))) == "2 healthy"
    assert said(seen()) == "no worker seen yet"
    assert said(seen(FROZEN)) == f"1 hung; restarting {APP}/0"
    assert said(seen(FROZEN), policy=Policy(mode=Mode.APPROVE)) == f"1 hung; {APP}/0 held (mode)"
    assert said(seen(worker(), heard=DEAF), why="deaf") == "blind: deaf"
    assert said(seen(worker()), Past((incident(state=RESOLVED),))) == "1 healthy"
