"""The rows that the keeper's changes are in the audit trail: each change once, and none for a cycle that changes nothing."""

import pytest

from celeriac.core.access import KEEPER
from celeriac.core.audit import Outcome
from celeriac.core.incident import Deed, IncidentState, Recycling, RemedyKind, RemedyState, Scale, Step, WordState
from celeriac.core.keeper_trail import Known, rows
from celeriac.core.memory import Board, Changes
from celeriac.core.readings import Evidence
from celeriac.core.repair import Repair, RepairKind
from core import builders
from core.builders import APP, CLUSTER, NOW, but, guid, incident, order, place, remedy

EVIDENCE = (Evidence("ping", "no answer", NOW), Evidence("heartbeat", "31 s ago", NOW))


def told(*changed, known=(), board=None):
    """Return the rows of a commit of these, where the journal held those."""
    here = [one for one in known if hasattr(one, "kind")]
    before = Known({one.id: one for one in known if one not in here}, {one.id: one for one in here})
    remedies = tuple(one for one in changed if hasattr(one, "kind"))
    words = tuple(one for one in changed if hasattr(one, "deed"))
    incidents = tuple(one for one in changed if one not in remedies and one not in words)
    return rows(before, Changes(incidents, remedies, words=words, board=board), NOW)


@pytest.mark.parametrize(
    ("before", "state", "action", "outcome"),
    [
        (None, RemedyState.INTENDED, "decide remedy", Outcome.ORDERED),
        (RemedyState.REQUESTED, RemedyState.INTENDED, "decide remedy", Outcome.ORDERED),
        (RemedyState.REQUESTED, RemedyState.LAPSED, "let remedy lapse", Outcome.FAILED),
        (RemedyState.REQUESTED, RemedyState.REFUSED, "remedy refused", Outcome.FAILED),
        (RemedyState.INTENDED, RemedyState.ACTED, "send remedy", Outcome.DONE),
        (RemedyState.INTENDED, RemedyState.REFUSED, "remedy refused", Outcome.FAILED),
        (RemedyState.INTENDED, RemedyState.LAPSED, "let remedy lapse", Outcome.FAILED),
        (RemedyState.ACTED, RemedyState.VERIFIED, "verify remedy", Outcome.DONE),
        (RemedyState.ACTED, RemedyState.UNVERIFIED, "give up remedy", Outcome.FAILED),
        (RemedyState.LAPSED, RemedyState.INTENDED, "decide remedy", Outcome.ORDERED),
    ],
)
def test_each_change_of_a_remedy_is_a_row(before, state, action, outcome):
    there = [remedy(state=before)] if before else []
    (row,) = told(remedy(state=state), known=there)

    assert (row.action, row.outcome) == (action, outcome)
    assert (row.at, row.actor, row.token) == (NOW, KEEPER.called, "Celeriac itself")
    assert (row.target, row.cluster) == (f"{APP}/0", CLUSTER)


def test_what_is_as_it_was_is_no_row():
    """Neither a remedy whose notes change, nor an order that its orderer has a row of."""
    was = remedy(state=RemedyState.ACTED)

    assert told(but(was, note="x", left=(place(1),)), incident(), known=[was, incident()]) == ()
    assert told(order()) == ()
    assert told() == ()


def test_a_decision_tells_verdict_guid_and_proof():
    (row,) = told(remedy(), incident(evidence=EVIDENCE, state=IncidentState.REMEDYING))

    assert row.before == "hung; guid guid-0-1"
    assert row.after == "intended"
    assert row.why == "ping: no answer; heartbeat: 31 s ago"
    assert row.detail == "restart_instance, remedy remedy-0, incident incident-0"


def test_what_somebody_ordered_names_the_order_and_who_gave_it():
    asked = order()
    (row,) = told(but(asked, state=RemedyState.INTENDED, attempts=1), incident(evidence=EVIDENCE), known=[asked])

    assert row.actor == KEEPER.called
    assert row.before == "requested; guid guid-0-1"
    assert row.why == "order order given by ana; ping: no answer; heartbeat: 31 s ago"


def test_what_is_proven_tells_the_guid_before_and_after():
    (finding,) = [builders.finding(builders.worker(life=2), instances=(builders.instance(life=2),))]
    board = Board(CLUSTER, NOW, "", "auto", findings=(finding,))
    story = incident(state=IncidentState.RESOLVED, steps=(Step(NOW, "resolved", "3 heartbeats"),))
    (row,) = told(remedy(state=RemedyState.VERIFIED), story, known=[remedy(state=RemedyState.ACTED)], board=board)

    assert row.before == f"acted; guid {guid()}"
    assert row.after == f"verified; guid {guid(life=2)}"
    assert row.why == "3 heartbeats"


def test_the_same_order_again_and_the_next_order_are_rows():
    was = remedy()
    (again,) = told(but(was, attempts=2), known=[was])
    (goes_on,) = told(but(was, kind=RemedyKind.RECYCLE, step=Recycling.DRAIN), known=[was])

    assert (again.action, again.detail) == (
        "repeat remedy",
        "restart_instance, attempt 2, remedy remedy-0",
    )
    assert (goes_on.action, goes_on.detail) == ("go on with remedy", "recycle, drain, remedy remedy-0")


def test_what_a_remedy_does_is_told():
    repair = Repair(RepairKind.ADD_CONSUMER, "mail")
    scale = Scale("worker", 2, 5)
    (mended,) = told(remedy(kind=RemedyKind.LIVE_REPAIR, repair=repair))
    (scaled,) = told(remedy(kind=RemedyKind.SCALE, scale=scale, guid=None, part_of="whole"))

    assert repair.text in mended.detail
    assert scaled.after == "intended; process worker from 2 to 5 instances"
    assert "part of order whole" in scaled.detail


def test_an_escalation_is_a_row_once():
    story = incident(state=IncidentState.ESCALATED, steps=(Step(NOW, "escalated", "not proven in time"),))
    (row,) = told(story, known=[incident(state=IncidentState.VERIFYING)])

    assert (row.action, row.before, row.after) == ("escalate incident", "verifying", "escalated")
    assert (row.why, row.target) == ("not proven in time", f"{APP}/0")
    assert told(story, known=[story]) == ()


@pytest.mark.parametrize(
    ("state", "action", "outcome"),
    [
        (WordState.DONE, "carry out word", Outcome.DONE),
        (WordState.LAPSED, "let word lapse", Outcome.FAILED),
    ],
)
def test_what_becomes_of_a_persons_word_is_a_row(state, action, outcome):
    said = but(builders.word(Deed.HOLD), state=state, note="the incident is over")
    (row,) = told(said, known=[incident()])

    assert (row.action, row.outcome, row.target) == (action, outcome, f"{APP}/0")
    assert row.why == "hold ordered by ana; I look into it; the incident is over"
    assert told(builders.word(Deed.HOLD)) == ()
