"""Deciding on an intent whose answer was unclear: done, repeated, ended, or waited on."""

import pytest

from celeriac.core.desk import Past
from celeriac.core.incident import IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import InstanceState, Mode, Verdict
from celeriac.core.readings import Known, Unknown
from core.builders import (
    NOW,
    after,
    app,
    but,
    guid,
    incident,
    instance,
    only,
    plan_for,
    remedy,
    seen,
    stream,
    worker,
)

OPEN, HELD, REMEDYING = IncidentState.OPEN, IncidentState.HELD, IncidentState.REMEDYING
VERIFYING, RESOLVED, ESCALATED = IncidentState.VERIFYING, IncidentState.RESOLVED, IncidentState.ESCALATED
PAUSED = Policy(mode=Mode.AUTO, paused="ana is looking")
FROZEN = worker(silent=35)
DEAF = Unknown("the observer has said nothing for 9 s", NOW)


INTENT = incident(state=REMEDYING, remedy_id="remedy-0")


def unclear(ago=10.0, **fields):
    return Past((INTENT,), (remedy(ago=ago, **fields),))


def test_an_intent_whose_instance_is_gone_was_done():
    """The guid has changed: the restart took effect, and from now on proof counts."""
    plan = plan_for(seen(instances=[instance(life=2)]), unclear())

    assert plan.acts == ()
    assert (only(plan).state, plan.remedies[0].state) == (VERIFYING, RemedyState.ACTED)
    assert only(plan).deadline_at == NOW + 180


def test_an_intent_whose_index_runs_nothing_was_done():
    """Between two lives the index has no guid."""
    plan = plan_for(seen(instances=[instance(state=InstanceState.STARTING, guid=None)]), unclear())

    assert only(plan).state is VERIFYING


def test_an_intent_waits_while_the_same_instance_is_there():
    """The platform may take its time: for forty seconds nothing is repeated."""
    plan = plan_for(seen(FROZEN), unclear(ago=39.9))

    assert (plan.acts, plan.incidents, plan.remedies) == ((), (), ())


def test_an_intent_is_repeated_once_under_its_id_after_forty_seconds():
    """The same guid is still there: the same restart, the second attempt of one remedy."""
    plan = plan_for(seen(FROZEN), unclear(ago=40))

    (act,) = plan.acts
    assert (act.remedy.id, act.remedy.attempts, act.remedy.acted_at) == ("remedy-0", 2, NOW)
    assert plan.remedies == (act.remedy,)
    assert act.instance.guid == guid()
    again = plan_for(seen(FROZEN, now=NOW), after(unclear(ago=40), plan))
    assert again.acts == ()


def test_a_repeated_intent_waits_forty_seconds_more():
    """Each attempt has its own time."""
    at = {"attempts": 2, "acted_at": NOW - 39.0}

    assert plan_for(seen(FROZEN), unclear(ago=90, **at)).acts == ()
    assert len(plan_for(seen(FROZEN), unclear(ago=90, **{**at, "acted_at": NOW - 40.0})).acts) == 1


@pytest.mark.parametrize(
    "look",
    [
        seen(FROZEN, platform=Unknown("it does not answer", NOW)),
        seen(FROZEN, platform=Known((app(instance()),), NOW - 41)),
        seen(FROZEN, heard=DEAF),
        seen(FROZEN, heard=stream(echo=6)),
    ],
    ids=["platform unknown", "platform last read before the intent", "observer stale", "echo late"],
)
def test_an_intent_is_not_repeated_while_something_is_not_seen(look):
    """Without a fresh word of the platform, and without our echo, nothing is done again."""
    assert plan_for(look, unclear(ago=41)).acts == ()


def test_an_intent_is_not_repeated_while_all_is_paused():
    """A pause holds what has not taken effect."""
    assert plan_for(seen(FROZEN), unclear(ago=90), PAUSED).acts == ()


def test_an_intent_is_not_repeated_on_a_worker_that_is_well_again():
    """It thawed meanwhile: what was never done is not done now."""
    plan = plan_for(seen(worker()), unclear(ago=90))

    assert plan.acts == ()
    assert (only(plan).state, only(plan).remedy_id) == (OPEN, None)
    assert (plan.remedies[0].state, plan.remedies[0].note) == (
        RemedyState.LAPSED,
        "not repeated: the worker is now healthy",
    )


def test_an_intent_is_not_repeated_for_ever():
    """Three attempts without a clear answer, and the guid is still there: a person must look."""
    plan = plan_for(seen(FROZEN), unclear(ago=90, attempts=3, acted_at=NOW - 41))

    assert plan.acts == ()
    assert (only(plan).state, plan.remedies[0].state) == (ESCALATED, RemedyState.REFUSED)


def test_an_intent_is_not_repeated_when_the_keeper_would_not_begin_it_now():
    """The mode was changed to approve, or many fell silent meanwhile: a person decides."""
    plan = plan_for(seen(FROZEN), unclear(ago=90), Policy(mode=Mode.APPROVE))

    assert plan.acts == ()
    assert plan.remedies[0].note == "not repeated: waits for a person's approval (mode approve)"


def test_a_persons_intent_is_repeated_in_any_mode():
    """Its own order does not wait for another approval."""
    assert len(plan_for(seen(FROZEN), unclear(ago=41, actor="ana"), Policy(mode=Mode.APPROVE)).acts) == 1


def test_a_second_intent_waits_for_the_next_look():
    """One act for each look, also where two are repeated."""
    other = incident(1, state=REMEDYING, remedy_id="remedy-1")
    past = Past((INTENT, other), (remedy(ago=41, actor="ana"), remedy(1, ago=41, actor="ana")))

    plan = plan_for(seen(FROZEN, worker(1, silent=60)), past)

    assert [act.remedy.id for act in plan.acts] == ["remedy-0"]


def test_a_persons_own_restart_of_a_healthy_worker_is_repeated():
    """It was ordered for a worker that is as it was when it was ordered."""
    ordered = but(INTENT, verdict=Verdict.HEALTHY, remedy=RemedyKind.NONE)
    past = Past((ordered,), (remedy(ago=41, actor="ana"),))

    assert len(plan_for(seen(worker()), past).acts) == 1


def test_an_intent_waits_while_its_place_is_not_in_sight():
    """The platform does not answer and the worker was never heard: the intent stands."""
    look = seen(platform=Unknown("it does not answer", NOW))

    assert plan_for(look, unclear(ago=90)).incidents == ()


def test_an_intent_on_a_worker_that_only_its_past_maps_waits():
    """A place that is remembered has no instance that could be restarted."""
    look = but(seen(FROZEN, platform=Known((app(state="MISSING"),), NOW)), lived=())

    assert plan_for(look, unclear(ago=90)).acts == ()


def test_a_remedy_that_is_no_intent_any_more_is_left_alone():
    """Only an intent can be picked up."""
    past = Past((INTENT,), (remedy(ago=90, state=RemedyState.ACTED),))

    assert plan_for(seen(FROZEN), past).acts == ()


def test_a_remedy_that_is_lost_leaves_its_incident_alone():
    """Without its remedy nothing is known of what was done: nothing is repeated."""
    plan = plan_for(seen(FROZEN), Past((INTENT,)))

    assert (plan.acts, plan.incidents) == ((), ())
