"""What people do with an incident by their word: hold, release and close it."""

import pytest

from celeriac.core.desk import Past
from celeriac.core.incident import Deed, Ending, HeldReason, IncidentState, RemedyState, WordState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from celeriac.core.readings import Unknown
from core.builders import AUTO, NOW, after, but, incident, only, order, plan_for, remedy, seen, steps, word, worker

FROZEN = seen(worker(silent=35))
HELD = incident(held_reason=HeldReason.MODE)
MINE = incident(held_reason=HeldReason.HELD_BY_USER, held_by="ana", held_why="I look into it")
UNDER_WAY = incident(state=IncidentState.VERIFYING, remedy_id="remedy-0", deadline_at=NOW + 60)
ESCALATED = incident(state=IncidentState.ESCALATED)


def said(deed, one=HELD, look=FROZEN, policy=AUTO, made=(), **fields):
    """Let a person say it, and return what becomes of it."""
    return plan_for(look, Past((one,), made, (word(deed, **fields),)), policy)


def test_a_held_incident_is_left_alone():
    """In auto, with every proof there: nothing is done, and the story names who holds it and why."""
    plan = said(Deed.HOLD)

    assert (plan.acts, [one.state for one in plan.words]) == ((), [WordState.DONE])
    one = only(plan)
    assert (one.state, one.held_reason, one.held_by) == (IncidentState.HELD, HeldReason.HELD_BY_USER, "ana")
    assert one.steps[-1].text == "held_by_user: ana holds it: I look into it"


def test_it_stays_held_as_long_as_nobody_releases_it():
    """Look after look nothing changes; blindness in between neither."""
    past = after(Past((HELD,), (), (word(Deed.HOLD),)), said(Deed.HOLD))
    for look in (FROZEN, seen(worker(silent=40), heard=Unknown("stale", NOW)), FROZEN):
        plan = plan_for(look, past)
        assert (plan.acts, plan.incidents) == ((), ())


def test_a_released_incident_is_judged_again():
    """At once: in auto it is restarted with the same look."""
    plan = said(Deed.RELEASE, MINE, why="done")

    (act,) = plan.acts
    assert steps(act.incident) == ["released", "intended"]
    assert act.incident.steps[0].text == "ana lets it go: done"
    assert act.incident.held_by is None


def test_an_approval_does_not_pass_a_hold():
    """Whoever holds it has a reason; it is released first."""
    plan = plan_for(FROZEN, Past((MINE,), (order(),)))

    assert plan.acts == ()
    (ended,) = plan.remedies
    assert (ended.state, ended.note) == (
        RemedyState.LAPSED,
        "ana holds the incident (I look into it): release it first",
    )


def test_a_hold_ends_with_its_incident():
    """The worker is well again by itself."""
    well = but(MINE, healthy_since=NOW - 60)

    assert only(plan_for(seen(worker()), Past((well,)))).state is IncidentState.RESOLVED


@pytest.mark.parametrize("one", [HELD, MINE, ESCALATED], ids=["held", "held by a person", "escalated"])
def test_a_closed_incident_is_over(one):
    """Its story ends with the person's word."""
    ended = only(said(Deed.CLOSE, one, why="known"))

    assert (ended.state, ended.ending, ended.resolved_at) == (IncidentState.CLOSED, Ending.CLOSED, NOW)
    assert ended.steps[-1].text == "ana closed it: known"


def test_what_is_closed_is_not_opened_again_for_the_same():
    """The same process with the same verdict is what the person has closed; another one is another story."""
    past = after(Past((HELD,), (), (word(Deed.CLOSE),)), said(Deed.CLOSE))

    assert plan_for(FROZEN, past).incidents == ()
    assert only(plan_for(seen(worker(silent=35, pid=8)), past)).state is IncidentState.REMEDYING


REFUSED = {
    "over": (Deed.HOLD, but(HELD, id="another"), "the incident is over"),
    "nobody holds it": (Deed.RELEASE, HELD, "nobody holds it"),
    "hold under way": (Deed.HOLD, UNDER_WAY, "a restart is under way, and its proof is awaited"),
    "close under way": (Deed.CLOSE, UNDER_WAY, "a restart is under way, and its proof is awaited"),
    "hold escalated": (Deed.HOLD, ESCALATED, "it is escalated: nothing is done for it anyway"),
}


@pytest.mark.parametrize(("deed", "one", "why"), REFUSED.values(), ids=REFUSED)
def test_a_word_that_does_not_fit_lapses_and_says_why(deed, one, why):
    """Nothing of the incident changes."""
    plan = said(deed, one, policy=Policy(mode=Mode.OBSERVE), made=(remedy(state=RemedyState.ACTED, ago=9),))

    assert [(one.state, one.note) for one in plan.words] == [(WordState.LAPSED, why)]


def test_a_word_is_taken_up_once():
    """What was done is not done again."""
    done = but(word(Deed.CLOSE), state=WordState.DONE)

    assert plan_for(FROZEN, Past((HELD,), (), (done,)), Policy(mode=Mode.OBSERVE)).words == ()
