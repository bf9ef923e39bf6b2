"""The tasks of a hung worker's children get a while to end before it is restarted."""

import pytest

from celeriac.core.incident import HeldReason, IncidentState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode
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
