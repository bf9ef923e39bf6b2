"""The report: what `auto` would have restarted, and what became of it without, from stories as the keeper keeps them."""

import pytest

from celeriac.core.incident import Ending, HeldReason, IncidentState, Step
from celeriac.core.report import FALSE, RIGHT, Outcome, report
from core.builders import NOTHING, NOW, after, incident, instance, plan_for, seen, worker
from core.test_decide_endings import OBSERVE

AT = NOW - 600


def would(*steps, ending=None, resolved=None, **fields):
    """Return an incident that would have been restarted ten minutes ago."""
    state = IncidentState.RESOLVED if ending else IncidentState.HELD
    told = tuple(Step(at, kind, kind) for kind, at in steps)
    return incident(state=state, would_at=AT, ending=ending, resolved_at=resolved, steps=told, **fields)


CASES = {
    "recovered": (would(ending=Ending.RECOVERED, resolved=NOW - 100, healthy_since=NOW - 160), Outcome.RECOVERED, 440),
    "replaced": (would(ending=Ending.REPLACED, resolved=NOW - 100, healthy_since=NOW - 160), Outcome.RESTARTED, 440),
    "approved": (would(("intended", NOW - 500), ending=Ending.PROVEN, resolved=NOW - 400), Outcome.RESTARTED, 100),
    "approved, not proven yet": (would(("intended", NOW - 500)), Outcome.RESTARTED, 100),
    "crashed": (would(("crashed", NOW - 300), ending=Ending.PROVEN, resolved=NOW - 200), Outcome.CRASHED, 300),
    "crashed, then restarted": (would(("crashed", NOW - 300), ("intended", NOW - 200)), Outcome.CRASHED, 300),
    "crashed before": (would(("crashed", AT - 50)), Outcome.ILL, 600),
    "still ill": (would(), Outcome.ILL, 600),
    "gone": (would(ending=Ending.GONE, resolved=NOW - 100), Outcome.GONE, 500),
    "closed": (would(ending=Ending.CLOSED, resolved=NOW - 100), Outcome.CLOSED, 500),
}


@pytest.mark.parametrize(("one", "outcome", "ill_s"), CASES.values(), ids=CASES)
def test_what_happened_next(one, outcome, ill_s):
    """And for how long the worker was ill from the decision on."""
    (decision,) = report([one], NOW).decisions

    assert (decision.outcome, decision.ill_s, decision.at) == (outcome, ill_s, AT)


def test_what_would_not_have_been_restarted_is_no_decision():
    """Neither what auto would have held, nor what was never a question of the mode."""
    held = [
        incident(would_hold=HeldReason.DEPLOY),
        incident(1, would_hold=HeldReason.DEPLOY),
        incident(2, would_hold=HeldReason.MODE),
    ]
    made = report([*held, incident(3)], NOW)

    assert (made.decisions, made.held) == ((), {"deploy": 2, "approval": 1})


def test_totals_tell_right_from_false():
    """A team decides by them."""
    made = report([one for one, _, _ in CASES.values()], NOW)

    assert (made.count(RIGHT), made.count(FALSE), len(made.decisions)) == (7, 1, 10)
    assert made.saved_s == 440 + 100 + 100 + 300 + 300 + 600 + 600


def test_every_outcome_is_right_false_or_says_nothing():
    """A new one must be thought about."""
    assert set(Outcome) - RIGHT - FALSE == {Outcome.GONE, Outcome.CLOSED}


def test_decisions_come_in_the_order_of_time():
    """Whatever order the store gives them in."""
    late, early = incident(would_at=NOW - 1), incident(1, would_at=NOW - 9)

    assert [one.at for one in report([late, early], NOW).decisions] == [NOW - 9, NOW - 1]


def lived(*looks):
    """Let the keeper observe, look after look, and return the report of it."""
    past = NOTHING
    for look in looks:
        past = after(past, plan_for(look, past, OBSERVE))
    return report(past.incidents, looks[-1].at)


def look(at, *, life=1, silent=0.5):
    now = NOW + at
    return seen(worker(life=life, silent=silent, now=now), instances=[instance(life=life)], now=now)


def test_a_worker_that_thaws_would_have_been_restarted_for_nothing():
    """Frozen for a while, then the same process is well."""
    (one,) = lived(look(0, silent=35), look(60, silent=95), look(70), look(131)).decisions

    assert (one.outcome, one.ill_s) == (Outcome.RECOVERED, 70)


def test_a_worker_that_somebody_restarts_needed_it():
    """Another process is well in its place."""
    (one,) = lived(look(0, silent=35), look(70, life=2), look(131, life=2)).decisions

    assert (one.outcome, one.ill_s) == (Outcome.RESTARTED, 70)
