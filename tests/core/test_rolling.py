"""A rolling restart: one instance at a time, lowest index first, the next only after a proof, to the first without one."""

import pytest

from celeriac.core.incident import IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode, Place
from celeriac.core.readings import Known, Unknown
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    NOTHING,
    NOW,
    PLATFORM,
    after,
    but,
    change,
    incident,
    instance,
    order,
    place,
    plan_for,
    seen,
    steps,
    stream,
    worker,
)

WHOLE = Place(CLUSTER, PLATFORM, APP)
THREE = (worker(0), worker(1), worker(2))


def look(*lives, **fields):
    return seen(*(lives or THREE), **fields)


def asked(**fields):
    fields = {
        "kind": RemedyKind.RESTART_APP,
        "place": WHOLE,
        "incident": None,
        "guid": None,
        "node": None,
        "pid": None,
        **fields,
    }
    return but(NOTHING, remedies=(order(**fields),))


def begun(policy=AUTO):
    """Return the journal when the first instance has been ordered to restart."""
    past = after(asked(), plan_for(look(), asked(), policy))
    plan = plan_for(look(), past, policy)
    return after(past, plan), plan


def story_of(past):
    return next(one for one in past.incidents if one.place == WHOLE)


def fares(past, index, state, **fields):
    """Return the journal when the restart of this index has come so far, and its own incident is over."""
    mine = {one.id: but(one, state=state, ended_at=NOW, **fields) for one in past.remedies if one.place == place(index)}
    others = tuple(one for one in past.incidents if one.place != place(index))
    return but(past, incidents=others, remedies=tuple(mine.get(one.id, one) for one in past.remedies))


def test_the_name_of_an_app_as_a_place():
    assert (WHOLE.name, WHOLE.of_app, WHOLE.whole, place().of_app) == (APP, True, False, False)


@pytest.mark.parametrize("mode", Mode)
def test_the_lowest_index_is_first_and_a_restart_like_any_other(mode):
    past, plan = begun(Policy(mode=mode))
    (act,) = plan.acts

    assert (act.remedy.place, act.remedy.kind, act.remedy.guid) == (place(0), RemedyKind.RESTART_INSTANCE, "guid-0-1")
    assert (act.remedy.actor, act.remedy.state) == ("ana", RemedyState.INTENDED)
    assert steps(act.incident) == ["opened", "intended"]
    assert steps(story_of(past)) == ["opened", "turn"]


def test_the_next_waits_for_the_proof():
    past, _ = begun()
    assert plan_for(look(), fares(past, 0, RemedyState.ACTED)).acts == ()

    past = fares(past, 0, RemedyState.VERIFIED)
    heard = plan_for(look(), past)
    assert heard.acts == ()
    (act,) = plan_for(look(), after(past, heard)).acts
    assert act.remedy.place == place(1)


@pytest.mark.parametrize("state", [RemedyState.UNVERIFIED, RemedyState.LAPSED, RemedyState.REFUSED])
def test_it_stops_at_the_first_that_is_not_proven(state):
    past, _ = begun()
    past = fares(past, 0, state, note="no new instance runs")
    past = after(past, plan_for(look(), past))

    story = story_of(past)
    assert story.state is IncidentState.ESCALATED
    assert "0 of 3 done, not done: orders-worker/0, orders-worker/1, orders-worker/2" in story.steps[-1].text
    assert plan_for(look(), past).acts == ()
    assert next(one for one in past.remedies if one.id == "order").state is RemedyState.LAPSED


def test_one_whose_end_is_forgotten_is_not_restarted_again():
    past, _ = begun()
    past = but(past, remedies=tuple(one for one in past.remedies if one.id == "order"), incidents=(story_of(past),))
    plan = plan_for(look(), past)
    assert (plan.acts, plan.incidents[0].state) == ((), IncidentState.ESCALATED)


def between():
    past, _ = begun()
    past = fares(past, 0, RemedyState.VERIFIED)
    return after(past, plan_for(look(), past))


def test_it_ends_when_all_are_proven():
    past = between()
    for index in (1, 2):
        past = after(past, plan_for(look(), past))
        past = fares(past, index, RemedyState.VERIFIED)
        past = after(past, plan_for(look(), past))
    past = after(past, plan_for(look(), past))

    assert story_of(past).state is IncidentState.RESOLVED
    assert next(one for one in past.remedies if one.id == "order").state is RemedyState.VERIFIED


def test_what_makes_it_wait_between_two():
    past = between()
    for these, policy in (
        (look(), but(AUTO, paused="ana looks")),
        (look(heard=stream(echo=20)), AUTO),
        (look(platform=Unknown("502", NOW)), AUTO),
        (look(changes=Unknown("403", NOW)), AUTO),
    ):
        plan = plan_for(these, past, policy)
        assert (plan.acts, [one for one in plan.incidents if one.place == WHOLE]) == ((), [])


def test_what_stops_it_between_two():
    past = between()
    held = incident(1, held_by="bo", held_why="I look")
    for these, journal, why in (
        (look(changes=[change("updated the app", ago=-1)]), past, "bo updated the app meanwhile"),
        (look(), but(past, incidents=(*past.incidents, held)), "bo holds the incident of orders-worker/1"),
        (look(instances=[instance(0), instance(1, guid=None), instance(2)]), past, "orders-worker/1 has no running"),
        (look(platform=Known((), NOW)), past, "its app is not watched any more"),
    ):
        story = next(one for one in plan_for(these, journal).incidents if one.place == WHOLE)
        assert (story.state, why in story.steps[-1].text) == (IncidentState.ESCALATED, True)
        assert "1 of 3 done, not done: orders-worker/1, orders-worker/2" in story.steps[-1].text


def test_what_came_before_the_order_was_passed_by_it():
    assert plan_for(look(changes=[change("updated the app", ago=60)]), between()).acts


def test_an_index_that_is_scaled_away_is_left_out():
    past = between()
    fewer = look(worker(0), worker(2), instances=[instance(0), instance(2)])
    past = after(past, plan_for(fewer, past))
    (act,) = plan_for(fewer, past).acts
    assert act.remedy.place == place(2)


@pytest.mark.parametrize(
    ("these", "policy", "fields", "why"),
    [
        (look(), but(AUTO, paused="ana looks"), {}, "paused: ana looks"),
        (look(heard=stream(echo=20)), AUTO, {}, "blind: "),
        (look(), AUTO, {"ago": 901.0}, "it is older than 15 min"),
        (look(), AUTO, {"place": but(WHOLE, app="other")}, "the platform does not show it now"),
        (look(worker(0), worker(0, node="b@guid-0-1"), instances=[instance(0)]), AUTO, {}, "runs several nodes"),
    ],
    ids=["paused", "blind", "old", "another app", "several nodes"],
)
def test_an_order_that_cannot_be_carried_out(these, policy, fields, why):
    plan = plan_for(these, asked(**fields), policy)
    assert (plan.acts, plan.incidents) == ((), ())
    assert why in plan.remedies[0].note


def test_a_second_order_lapses_while_the_first_is_under_way():
    past, _ = begun()
    second = asked(id="second").remedies
    plan = plan_for(look(), but(past, remedies=(*past.remedies, *second)))
    assert "another order for it is under way" in next(one.note for one in plan.remedies if one.id == "second")


def test_one_that_was_stopped_ends_when_all_are_well():
    stopped = incident(place=WHOLE, state=IncidentState.ESCALATED, members=(place(0), place(1)), healthy_since=NOW - 61)
    (ended,) = plan_for(look(), but(NOTHING, incidents=(stopped,))).incidents
    assert ended.state is IncidentState.RESOLVED

    ill = plan_for(look(worker(0, silent=13), worker(1)), but(NOTHING, incidents=(stopped,)))
    assert next(one for one in ill.incidents if one.place == WHOLE).healthy_since is None
