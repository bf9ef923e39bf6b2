"""How a story ends, and what it keeps for the report: whether it would have been restarted, and what came of it alone."""

import pytest

from celeriac.core.desk import Past
from celeriac.core.incident import Ending, HeldReason, IncidentState, Step
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from celeriac.core.readings import Known
from celeriac.core.work import Waiting
from core.builders import (
    NOTHING,
    NOW,
    after,
    app,
    but,
    change,
    incident,
    instance,
    only,
    plan_for,
    seen,
    worker,
)

OBSERVE, APPROVE = Policy(mode=Mode.OBSERVE), Policy(mode=Mode.APPROVE)
FROZEN = seen(worker(silent=35))
HELD = incident(held_reason=HeldReason.MODE, would_at=NOW - 60, healthy_since=NOW - 60)


@pytest.mark.parametrize("policy", [OBSERVE, APPROVE], ids=["observe", "approve"])
def test_what_only_the_mode_holds_is_kept_as_what_would_have_been(policy):
    """The first time counts, and stays."""
    plan = plan_for(FROZEN, policy=policy)
    assert only(plan).would_at == NOW

    later = seen(worker(silent=45, now=NOW + 10), now=NOW + 10)
    assert next((one.would_at for one in plan_for(later, after(NOTHING, plan), policy).incidents), NOW) == NOW


@pytest.mark.parametrize(
    ("look", "policy", "held"),
    [
        (seen(worker(silent=35), changes=[change()]), OBSERVE, HeldReason.DEPLOY),
        (seen(worker(silent=35), changes=[change()]), APPROVE, HeldReason.DEPLOY),
        (seen(worker(silent=35), worker(1, silent=35)), OBSERVE, HeldReason.QUORUM),
        (seen(worker(silent=700), pool="solo"), APPROVE, HeldReason.MODE),
        (seen(worker(silent=700), pool="solo"), OBSERVE, HeldReason.MODE),
    ],
    ids=["a deploy", "a deploy in approve", "many silent", "a person is asked in auto too", "and in observe"],
)
def test_what_would_have_been_held_anyway_is_not(look, policy, held):
    """Auto would not have restarted it either."""
    assert {(one.would_at, one.would_hold) for one in plan_for(look, policy=policy).incidents} == {(None, held)}


def test_what_would_have_been_held_for_a_while_would_have_been_restarted_then():
    """The deploy is over: from now on only the mode is in the way."""
    before = incident(held_reason=HeldReason.MODE, would_hold=HeldReason.DEPLOY)

    one = only(plan_for(FROZEN, Past((before,)), OBSERVE))
    assert (one.would_at, one.would_hold) == (NOW, None)


@pytest.mark.parametrize("policy", [OBSERVE, APPROVE], ids=["observe", "approve"])
def test_a_freeze_that_only_the_mode_hid_counts_as_one_for_good(policy):
    """The other is well again: in auto this one would still wait for approval."""
    plan = plan_for(seen(worker(silent=35), worker(1, silent=35)), policy=policy)
    later = seen(worker(silent=45, now=NOW + 10), worker(1, now=NOW + 10), now=NOW + 10)
    past = after(after(NOTHING, plan), plan_for(later, after(NOTHING, plan), policy))

    assert {(one.would_at, one.would_hold) for one in past.incidents if not one.healthy_since} == {
        (None, HeldReason.QUORUM)
    }


def test_what_was_silent_together_with_others_would_have_stayed_held():
    """That fewer are silent by now changes nothing."""
    together = incident(held_reason=HeldReason.QUORUM)
    together = but(together, steps=(Step(NOW - 9, "held", "quorum: 2 of 2 workers fell silent"),))

    assert only(plan_for(FROZEN, Past((together,)), OBSERVE)).would_at is None


def ended(look, one=HELD):
    (told,) = [each for each in plan_for(look, Past((one,)), OBSERVE).incidents if each.over]
    return told.state, told.ending, told.steps[-1].text


def test_the_same_process_recovered_alone():
    """Its restart would have been a false one."""
    assert ended(seen(worker())) == (IncidentState.RESOLVED, Ending.RECOVERED, "recovered alone: well for 60 s")


def test_one_in_doubt_has_not_recovered():
    """A zombie whose queue was purged owes nobody a task any more, and hears nothing all the same."""
    zombie = worker(active=0, last_start_at=NOW - 900)
    look = seen(zombie, worker(1), waiting={"celery": Waiting(0)})
    look = but(look, pings={zombie.node: Known(value=False, at=NOW)})

    assert only(plan_for(look, Past((HELD,)), OBSERVE)).healthy_since is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((), "well for 60 s in another process"),
        ((change("restarted the app", ago=100),), "well for 60 s in another process: bo restarted the app"),
        ((change("restarted instance 1", index=1),), "well for 60 s in another process"),
        ((change("restarted the app", ago=500),), "well for 60 s in another process"),
    ],
    ids=["nobody knows by whom", "the app was restarted", "another index was", "long before it"],
)
def test_another_process_was_started_by_somebody(changes, told):
    """The platform's events tell by whom, if they do."""
    look = seen(worker(life=2), instances=[instance(life=2)], changes=changes)

    assert ended(look) == (IncidentState.RESOLVED, Ending.REPLACED, told)


def test_another_pid_is_another_process():
    """In the same container, as after a restart by a supervisor in it."""
    assert ended(seen(worker(pid=8)))[1] is Ending.REPLACED


def test_what_is_not_wanted_any_more_is_gone():
    """Scaled away or stopped."""
    look = seen(platform=Known((app(wanted=0),), NOW))

    assert ended(look)[1] is Ending.GONE
