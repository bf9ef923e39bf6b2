"""A person's order: what it passes, what it never passes, and when it lapses."""

import pytest

from celeriac.core.desk import Past
from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import InstanceState, Mode, Verdict
from celeriac.core.readings import Known, Unknown
from core.builders import (
    APP,
    AUTO,
    NOW,
    after,
    app,
    but,
    change,
    guid,
    incident,
    instance,
    order,
    plan_for,
    remedy,
    said_goodbye,
    seen,
    stream,
    worker,
)

FROZEN = worker(silent=35)
HELD = incident(held_reason=HeldReason.MODE)
APPROVE = Policy(mode=Mode.APPROVE)


def obeyed(look=None, *, one=HELD, approval=None, policy=APPROVE, made=(), incidents=None):
    """Let a person approve, and return what becomes of it."""
    incidents = (one,) if incidents is None else incidents
    past = Past(incidents, (*made, approval or order()))
    return plan_for(seen(FROZEN) if look is None else look, past, policy)


def lapse(plan) -> tuple[RemedyState, str]:
    """Return how the order ended, and why."""
    (ended,) = [one for one in plan.remedies if one.id == "order"]
    assert plan.acts == ()
    return ended.state, ended.note


# What an order passes ------------------------------------------------------------------------------------------------


def test_an_approval_restarts_what_it_was_given_for():
    """The order itself becomes the intent, under its own id and in the person's name."""
    plan = obeyed()

    (act,) = plan.acts
    assert (act.remedy.id, act.remedy.state, act.remedy.actor) == ("order", RemedyState.INTENDED, "ana")
    assert (act.remedy.guid, act.remedy.attempts) == (guid(), 1)
    assert (act.incident.id, act.incident.state) == (HELD.id, IncidentState.REMEDYING)
    assert act.incident.steps[-1].text.endswith("ordered by ana")


def test_an_approval_acts_once():
    """What is journalled is not obeyed again."""
    plan = obeyed()
    past = after(Past((HELD,), (order(),)), plan)

    assert plan_for(seen(FROZEN), past, APPROVE).acts == ()


COOLED = remedy(9, state=RemedyState.VERIFIED, place=HELD.place, ago=60)
SPENT = tuple(remedy(index, state=RemedyState.VERIFIED, ago=1000) for index in range(1, 6))
RUNNING = remedy(5, state=RemedyState.ACTED)
FAILED = remedy(5, state=RemedyState.UNVERIFIED, ended_at=NOW - 60)


@pytest.mark.parametrize(
    ("look", "policy", "made"),
    [
        (None, Policy(mode=Mode.OBSERVE), ()),
        (seen(FROZEN, worker(1, silent=35)), AUTO, ()),
        (None, AUTO, (COOLED,)),
        (None, AUTO, SPENT),
        (None, AUTO, (RUNNING,)),
        (seen(FROZEN, changes=[change(active=True)]), AUTO, ()),
        (seen(FROZEN, changes=Unknown("429", NOW)), AUTO, ()),
        (None, Policy(mode=Mode.AUTO, maintenance="backup"), ()),
        (None, Policy(mode=Mode.AUTO, breaker=1), (FAILED,)),
    ],
    ids=[
        "mode", "quorum", "cool-down", "budget per hour", "budget at once", "deploy", "whether somebody deploys is not known",
        "maintenance", "breaker",
    ],
)  # fmt: skip
def test_an_approval_passes_what_holds_the_keeper(look, policy, made):
    """All of that bounds the keeper, not a person."""
    assert plan_for(look or seen(FROZEN), Past((HELD,), made), policy).acts == ()
    plan = obeyed(look, policy=policy, made=made)

    assert [act.remedy.id for act in plan.acts] == ["order"]


def test_an_approval_passes_the_number_that_must_stay_well():
    """A worker that drains for too long is the last one that still does something."""
    last = seen(said_goodbye(2000), worker(1, silent=90))
    held = incident(held_reason=HeldReason.MODE, guid=guid(), node=f"celery@{guid()}")

    assert [act.remedy.id for act in obeyed(last, one=held).acts] == ["order"]


def test_an_approval_lets_a_solo_worker_be_restarted():
    """What asks for a person is done when a person says so."""
    assert len(obeyed(seen(worker(silent=700), pool="solo")).acts) == 1


def test_a_person_may_restart_a_healthy_worker():
    """Their own restart needs no incident; it opens one, which tells of it."""
    own = order(incident=None)
    plan = obeyed(seen(worker()), incidents=(), approval=own)

    (act,) = plan.acts
    assert act.incident.steps[0].text == f"ana ordered a restart of {APP}/0"
    assert (act.remedy.incident, act.incident.remedy) == (act.incident.id, RemedyKind.RESTART_INSTANCE)


def test_an_order_that_fits_the_moment_an_incident_ends_opens_a_new_one():
    """The incident is over, the order is not: its restart has a story of its own."""
    well = but(HELD, healthy_since=NOW - 60)
    plan = obeyed(seen(worker()), one=well, approval=order(incident=None))

    assert [one.state for one in plan.incidents] == [IncidentState.RESOLVED, IncidentState.REMEDYING]
    assert plan.acts[0].incident.id != HELD.id


# When it lapses ------------------------------------------------------------------------------------------------------


def test_an_approval_is_good_for_fifteen_minutes():
    """Whoever approved has seen the evidence of that time."""
    assert len(obeyed(approval=order(ago=900)).acts) == 1
    assert lapse(obeyed(approval=order(ago=901))) == (RemedyState.LAPSED, "it is older than 15 min")


def test_a_lapsed_order_is_told_in_its_incident():
    """The person reads there why nothing happened."""
    plan = obeyed(approval=order(ago=901))

    assert [one.steps[0].text for one in plan.incidents] == ["the order of ana lapsed: it is older than 15 min"]


GONE = Known((app(instance(state=InstanceState.DOWN)),), NOW)
LAPSES = {
    "the instance has another guid": (
        seen(worker(life=2, silent=35), instances=[instance(life=2)]), order(),
        f"the instance has changed: it was {guid()}, now it is {guid(0, 2)}",
    ),
    "the instance is gone": (
        seen(FROZEN, platform=GONE), order(), f"the instance has changed: it was {guid()}, now it is gone",
    ),
    "the process has another pid": (
        seen(worker(silent=35, pid=8)), order(), "the worker has changed: pid 7 became 8",
    ),
    "the worker is well again": (
        seen(worker()), order(), "the evidence has changed: the worker is now healthy",
    ),
    "the worker is blind": (
        seen(FROZEN, ping=Unknown("it does not answer")), order(), "blind: cannot tell: ping: it does not answer",
    ),
    "the verdict is another": (
        seen(FROZEN), order(verdict=Verdict.DRAINING), "the evidence has changed: the worker is now hung",
    ),
    "the incident is over": (seen(FROZEN), order(incident="another"), "the incident is over"),
    "the index is gone": (
        seen(platform=Known((app(wanted=0),), NOW)), order(), "there is no instance at this place any more",
    ),
    "the app is not to be seen": (
        seen(FROZEN, platform=Known((app(state="MISSING"),), NOW)), order(), "there is no instance at this place any more",
    ),
    "the broker is down": (
        seen(FROZEN, heard=stream(error="Connection refused")), order(),
        "blind: the broker cannot be read: Connection refused",
    ),
    "our echo is late": (
        seen(FROZEN, heard=stream(echo=9)), order(),
        "blind: our own echo is 9 s late: the broker or the observer is at fault",
    ),
    "the observer is stale": (seen(FROZEN, heard=Unknown("stale", NOW)), order(), "blind: stale"),
    "the platform cannot be read": (
        seen(FROZEN, platform=Unknown("it does not answer", NOW)), order(), "the platform cannot be read now",
    ),
    "no platform is configured": (seen(FROZEN, platform=None), order(), "the platform cannot be read now"),
}  # fmt: skip


@pytest.mark.parametrize(("look", "approval", "why"), LAPSES.values(), ids=LAPSES)
def test_an_order_lapses_when_what_it_was_given_for_has_changed(look, approval, why):
    """It is bound to instance, process and evidence, and blindness ends it."""
    assert lapse(obeyed(look, approval=approval)) == (RemedyState.LAPSED, why)


def test_an_order_for_an_incident_of_which_nothing_is_left_lapses():
    """The worker is well and its incident closed: there is nothing to approve."""
    assert lapse(obeyed(seen(worker()), incidents=())) == (RemedyState.LAPSED, "the incident is over")


@pytest.mark.parametrize("state", [IncidentState.REMEDYING, IncidentState.VERIFYING])
def test_an_order_lapses_while_a_remedy_is_under_way(state):
    """Two restarts of one worker at once help nobody."""
    busy = incident(state=state, remedy_id="remedy-0", deadline_at=NOW + 60)

    state, why = lapse(
        obeyed(one=busy, made=(remedy(state=RemedyState.INTENDED, ago=9),), approval=order(incident=None))
    )

    assert (state, why) == (RemedyState.LAPSED, f"a remedy is already under way (incident {busy.id})")


def test_of_two_approvals_one_is_obeyed():
    """Two people press the button: one restart."""
    past = Past((HELD,), (order(), order(id="second", actor="bo")))
    plan = plan_for(seen(FROZEN), past, APPROVE)
    assert [act.remedy.id for act in plan.acts] == ["order"]

    later = plan_for(seen(FROZEN), after(past, plan), APPROVE)
    assert later.acts == ()
    assert [one.state for one in later.remedies if one.id == "second"] == [RemedyState.LAPSED]


def test_an_order_waits_while_its_container_is_being_restarted():
    """Its neighbour was ordered a moment ago: the same container stops only once."""
    first, second = f"w1@{guid()}", f"w2@{guid()}"
    shared = seen(worker(node=first, silent=35), worker(node=second, pid=8), instances=[instance()])
    under_way = remedy(place=but(HELD.place, node=first), node=first, actor="ana", ago=5)
    asked = order(place=but(HELD.place, node=second), node=second, pid=8, incident=None)

    plan = obeyed(shared, incidents=(), approval=asked, made=(under_way,))

    assert lapse(plan) == (RemedyState.LAPSED, "a restart of its container is already under way")


def test_an_order_without_a_process_id_is_bound_to_the_instance_alone():
    """A worker that had not been heard when it was ordered is still the same instance."""
    assert len(obeyed(approval=order(node=None, pid=None)).acts) == 1


def test_an_order_for_a_worker_that_fell_silent_since_is_bound_to_the_instance():
    """Its process is not in sight any more, its instance is."""
    look = seen(instances=[instance(uptime=3600)])

    assert len(obeyed(look, incidents=(), approval=order(incident=None)).acts) == 1


# What it never passes ------------------------------------------------------------------------------------------------


def test_while_all_is_paused_an_order_is_refused():
    """A pause is for everybody."""
    plan = obeyed(policy=Policy(mode=Mode.AUTO, paused="deploy"))

    assert lapse(plan) == (RemedyState.REFUSED, "paused: deploy")


def test_a_shared_container_is_not_restarted_by_an_approval():
    """A healthy worker lives in it: the incident asks for no restart."""
    shared = seen(worker(node=f"w1@{guid()}", silent=35), worker(node=f"w2@{guid()}"), instances=[instance()])
    where = but(HELD.place, node=f"w1@{guid()}")

    plan = obeyed(shared, one=but(HELD, place=where), approval=order(place=where, node=f"w1@{guid()}"))

    assert lapse(plan) == (RemedyState.LAPSED, "the evidence has changed: the worker is now hung")


def test_an_index_that_runs_nothing_cannot_be_restarted_by_order():
    """Without a guid there is nothing to bind a restart to: the order waits until it lapses."""
    plan = obeyed(seen(platform=GONE), incidents=(), approval=order(guid=None, node=None, pid=None, incident=None))

    assert plan.acts == ()
