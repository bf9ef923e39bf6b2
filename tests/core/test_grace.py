"""The tasks of a hung worker's children get a while to end before it is restarted; it is over once all have ended."""

import pytest

from celeriac.core.grace import waiting
from celeriac.core.incident import HeldReason, IncidentState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
from celeriac.core.offline import Moment, dump, judge, load
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Outcomes
from core.builders import NOTHING, NOW, after, but, incident, only, order, plan_for, seen, steps, worker

BUSY = {"active": 2, "silent": 40.0}


def later(seconds, past, **fields):
    """Judge a look at the same frozen worker so many seconds later."""
    return plan_for(
        seen(worker(**{**BUSY, "silent": 40 + seconds, "now": NOW + seconds}), now=NOW + seconds), past, **fields
    )


def test_it_is_waited_for_them_once():
    opened = plan_for(seen(worker(**BUSY)))
    assert (opened.acts, only(opened).state, steps(only(opened))) == ((), IncidentState.OPEN, ["opened", "grace"])
    assert "2 tasks were under way by its last heartbeat" in only(opened).steps[-1].text

    past = after(NOTHING, opened)
    still = later(58, past)
    assert (still.acts, steps(only(still))) == ((), ["opened", "grace"])

    (act,) = later(60, past).acts
    assert steps(act.incident) == ["opened", "grace", "intended"]


@pytest.mark.parametrize("active", [0, None])
def test_without_a_known_task_there_is_nothing_to_wait_for(active):
    assert plan_for(seen(worker(silent=40, active=active))).acts


def test_it_can_be_switched_off():
    assert plan_for(seen(worker(**BUSY)), limits=Limits(finish_grace_s=0)).acts


def test_the_time_in_which_something_else_held_it_counts():
    held = plan_for(seen(worker(**BUSY)), policy=Policy(mode=Mode.APPROVE))
    assert only(held).held_reason is HeldReason.MODE

    assert later(61, after(NOTHING, held)).acts
    soon = only(later(30, after(NOTHING, held)))
    assert (soon.state, soon.held_reason, soon.steps[-1].kind) == (IncidentState.OPEN, None, "grace")


def test_another_process_has_its_own_while():
    before = incident(convicted_at=NOW - 100, pid=6, held_reason=HeldReason.BUDGET)
    assert only(plan_for(seen(worker(**BUSY)), but(NOTHING, incidents=(before,)))).convicted_at == NOW


def test_a_persons_order_passes_it():
    past = after(NOTHING, plan_for(seen(worker(**BUSY))))
    asked = but(past, remedies=(order(incident=None),))
    (act,) = plan_for(seen(worker(**BUSY)), asked).acts
    assert act.remedy.actor == "ana"


# The result backend -----------------------------------------------------------------------------------------------------


def told(reading, seconds=4.0, **worker_fields):
    """Return a look at the same frozen worker, with what the result backend says of its tasks."""
    one = worker(**{**BUSY, "silent": 40 + seconds, "now": NOW + seconds, **worker_fields})
    return seen(one, now=NOW + seconds, outcomes={one.key: reading})


def of(begun, ended):
    return Known(Outcomes(begun, ended), NOW)


def waited():
    return after(NOTHING, plan_for(seen(worker(**BUSY))))


def test_it_is_over_once_all_tasks_have_ended():
    (act,) = plan_for(told(of(2, 2)), waited()).acts

    assert steps(act.incident) == ["opened", "grace", "grace", "intended"]
    assert "all of them have ended, by the result backend" in act.incident.steps[-2].text


@pytest.mark.parametrize(
    ("reading", "fields"),
    [
        (of(2, 1), {}),
        (of(1, 1), {}),
        (of(0, 0), {}),
        (Unknown("away"), {}),
        (of(2, 2), {"missed": 1}),
        (of(2, 2), {"mute": True}),
    ],
    ids=["one runs", "one is not known", "none is known", "away", "events were lost", "events are off"],
)
def test_while_one_may_still_run_it_is_waited_for(reading, fields):
    plan = plan_for(told(reading, **fields), waited())

    assert (plan.acts, steps(only(plan))) == ((), ["opened", "grace"])


def test_a_task_that_began_after_the_last_heartbeat_counts_too():
    assert not plan_for(told(of(3, 2)), waited()).acts
    assert plan_for(told(of(3, 3)), waited()).acts


def test_what_the_backend_says_of_another_process_counts_for_nothing():
    another = worker(pid=6, **BUSY)
    look = but(told(of(2, 2)), outcomes={another.key: of(2, 2)})

    assert not plan_for(look, waited()).acts


def test_whose_tasks_are_waited_for_is_told_by_the_story():
    (incident_now,) = waited().incidents
    assert waiting(incident_now) == (worker().node, 7)

    assert waiting(only(plan_for(seen(worker(silent=40)), policy=Policy(mode=Mode.APPROVE)))) is None
    (act,) = plan_for(told(of(2, 2)), waited()).acts
    assert waiting(act.incident) is None


def test_a_moment_in_a_file_gives_the_same_plan():
    moment = Moment(told(of(2, 2)), waited(), policy=Policy(mode=Mode.AUTO))

    assert judge(load(dump(moment)))[1] == judge(moment)[1]
