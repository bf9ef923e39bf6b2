"""A proposed restart of an app as a keeper carries it out, with a real journal: nothing before an approval, the ill ones first."""

import pytest

from app.test_heal import Shift
from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode, Place
from core.builders import APP, CLUSTER, PLATFORM, guid, order

WHOLE = Place(CLUSTER, PLATFORM, APP)


@pytest.fixture
def shift(clock, history, journal):
    one = Shift(clock, history, journal)
    one.policy = Policy(mode=Mode.APPROVE)
    yield one
    one.close()


def of_app(shift):
    found = [one for one in shift.journal.incidents(CLUSTER, open_only=False, limit=99) if one.place == WHOLE]
    return found[0] if found else None


def until(shift, told):
    """Run until the app's incident is as wanted."""
    for _ in range(200):
        shift.turn()
        if (one := of_app(shift)) is not None and told(one):
            return one
    raise AssertionError(of_app(shift))


def test_most_of_an_app_hung(shift):
    shift.turns(3)
    for number, index in enumerate((1, 2, 3)):
        shift.freeze(index, ago=-15.0 * number)
    one = until(shift, lambda one: one.state is IncidentState.HELD)
    shift.turns(20)

    assert (of_app(shift).held_reason, shift.platform.restarted) == (HeldReason.MODE, [])
    assert one.members[-1].index == 0

    nothing = {"guid": None, "node": None, "pid": None}
    shift.journal.submit(order(kind=RemedyKind.RESTART_APP, place=WHOLE, incident=one.id, now=shift.clock(), **nothing))
    until(shift, lambda one: one.over)

    assert shift.platform.restarted == [guid(1), guid(2), guid(3), guid(0)]
    assert [step.kind for step in of_app(shift).steps] == [
        "opened",
        "held",
        "intended",
        *["turn", "proven"] * 4,
        "resolved",
    ]
    assert shift.journal.remedy("order").state is RemedyState.VERIFIED
    assert shift.journal.incidents(CLUSTER, open_only=True, limit=9) == []
