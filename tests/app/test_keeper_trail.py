"""The keeper is an actor: what it decides, sends, verifies and gives up is in the audit trail, once each."""

import pytest
from structlog.testing import capture_logs

from app.test_heal import Killed, Shift
from celeriac.app.heal import Aides
from celeriac.app.keeper_trail import KeeperTrail
from celeriac.core.audit import AuditFilter
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import Deed, IncidentState, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Mode
from core.builders import APP, CLUSTER, guid, order, word

ALL = AuditFilter(100)


@pytest.fixture
def audit(store):
    return store.audit()


@pytest.fixture
def shift(clock, history, journal, audit):
    one = Shift(clock, history, journal)
    one.keeper = one.hire("first", aides=Aides(trail=KeeperTrail(audit)))
    yield one
    one.close()


def actions(audit, **which):
    return [one.action for one in reversed(audit.entries(AuditFilter(100, **which)))]


def test_a_restart_is_three_rows_however_many_cycles_it_takes(shift, audit):
    """Decided with its proof, sent, verified with the guid before and after."""
    shift.until_convicted()
    shift.turns(30)
    decided, sent, verified = reversed(audit.entries(ALL))

    assert shift.incident.state is IncidentState.RESOLVED
    assert [one.action for one in (decided, sent, verified)] == ["decide remedy", "send remedy", "verify remedy"]
    assert {(one.actor, one.target, one.cluster) for one in (decided, sent, verified)} == {
        ("the keeper", f"{APP}/0", CLUSTER)
    }
    assert decided.before == f"hung; guid {guid()}"
    assert "ping: " in decided.why
    assert sent.after == "acted"
    assert (verified.before, verified.after) == (f"acted; guid {guid()}", f"verified; guid {guid()}-next")


def test_the_intent_is_journalled_and_told_before_the_order_is_sent(shift, audit):
    found = []
    shift.platform.before_restart = lambda _: found.extend([shift.remedies[0].state, *actions(audit)])
    shift.until_convicted()

    assert found == [RemedyState.INTENDED, "decide remedy"]


def test_a_refusal_is_told_as_failed_and_as_an_escalation(shift, audit):
    shift.platform.takes_effect, shift.platform.answer = False, RefusedError("lacks space_developer")
    shift.until_convicted()
    shift.turns(10)

    assert actions(audit) == ["decide remedy", "remedy refused", "escalate incident"]
    assert audit.entries(AuditFilter(9, action="remedy refused"))[0].why == "lacks space_developer"


def test_what_is_never_proven_is_given_up(shift, audit):
    shift.platform.takes_effect = False
    shift.until_convicted()
    shift.turns(200)

    assert actions(audit) == ["decide remedy", "send remedy", "give up remedy", "escalate incident"]


def test_what_people_order_and_hold_is_told_with_who_wanted_it(shift, audit, journal, clock):
    """In mode approve the keeper does nothing by itself; then somebody lets it, and holds the next one."""
    shift.policy = Policy(mode=Mode.APPROVE)
    shift.turns(3)
    shift.freeze()
    shift.turns(20)
    assert actions(audit) == []

    journal.say(word(Deed.HOLD, incident=shift.incident.id, now=clock()))
    shift.turns(2)
    journal.say(word(Deed.RELEASE, incident=shift.incident.id, now=clock(), id="released"))
    shift.turns(2)
    journal.submit(order(incident=shift.incident.id, now=clock(), pid=7))
    shift.turns(20)

    assert actions(audit) == [
        "carry out word", "carry out word", "decide remedy", "send remedy", "verify remedy"
    ]  # fmt: skip
    assert audit.entries(AuditFilter(1, action="decide remedy"))[0].why.startswith("order order given by ana; ")


def test_the_keeper_that_comes_after_tells_nothing_twice(shift, audit):
    """Killed after the act was journalled: the next one finds it known."""
    shift.until_convicted()
    before = actions(audit)
    shift.clock.pass_(20)
    second = shift.hire("second", aides=Aides(trail=KeeperTrail(audit)))
    shift.turns(20, second)

    assert actions(audit) == [*before, "verify remedy"]
    assert audit.entries(AuditFilter(1))[0].before == f"acted; guid {guid()}"


def test_a_keeper_that_dies_before_the_act_has_told_its_intent(shift, audit):
    dying = shift.hire("first", kill_at="journalled", aides=Aides(trail=KeeperTrail(audit)))
    with pytest.raises(Killed):
        shift.until_convicted(dying)

    assert actions(audit) == ["decide remedy"]


def test_a_trail_that_takes_nothing_stops_no_remedy_and_is_logged(shift):
    class Full:
        def note(self, entry):
            message = "the disk is full"
            raise UnreachableError(message)

    keeper = shift.hire("first", aides=Aides(trail=KeeperTrail(Full())))
    with capture_logs() as said:
        shift.until_convicted(keeper)
        shift.turns(20, keeper)

    assert shift.platform.restarted == [guid()]
    assert shift.incident.state is IncidentState.RESOLVED
    logged = [one["event"] for one in said]
    assert "what the keeper did is not in the audit trail" in logged
    assert "the disk is full" in repr(said)
