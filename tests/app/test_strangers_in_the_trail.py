"""What strangers do is in the trail, and does not fill it: what people and programs that are known do is never left out."""

import pytest

from celeriac.app.access import acting
from celeriac.app.access.acting import STRANGERS_ROWS, UNKNOWN, Register
from celeriac.core.access import Actor, Grant, Means, Role
from celeriac.core.errors import DeniedError
from celeriac.ports import AuditEntry, Outcome
from web import samples
from web.signed_on import VIEWERS, Team

REFUSED = AuditEntry(0.0, "", "sign on", "console", "made up", outcome=Outcome.DENIED)


@pytest.fixture
def world():
    return samples.night_world()


@pytest.fixture
def register(world):
    return Register(world.audit, lambda: world.time)


def flood(register, rows=1000, means=Means.PROVIDER):
    for number in range(rows):
        register.seldom(Actor(UNKNOWN, means=means, address=f"198.51.{number >> 8}.{number & 255}"), REFUSED)


def test_strangers_have_so_many_rows_a_minute_and_then_their_number(world, register):
    flood(register)
    assert len(world.audit.trail) == STRANGERS_ROWS

    world.time += 60
    flood(register, 1)
    left_out, newest = world.audit.trail[STRANGERS_ROWS:]
    assert left_out.detail == "and 940 more were left out, as they came within one minute"
    assert (left_out.actor, left_out.outcome, newest.detail) == (UNKNOWN, Outcome.DENIED, "made up")


def test_how_many_were_left_out_is_told_with_anybodys_next_row(world, register):
    flood(register)
    world.time += 60
    register.note(Actor("ada", (Grant(Role.ADMIN),)), REFUSED)

    assert [one.detail for one in world.audit.trail[STRANGERS_ROWS:]] == [
        "and 940 more were left out, as they came within one minute",
        "made up",
    ]


def test_who_is_known_is_never_left_out(world, register):
    way = Means.PROVIDER
    flood(register, means=way)
    register.seldom(Actor("vera", (Grant(Role.VIEWER),), way), REFUSED)
    register.seldom(Actor("batch", means=way), REFUSED, known=True)
    register.acting(Actor("nobody-yet", means=way)).deny("look", "here", "no role")
    register.note(Actor("ada", means=way), REFUSED)

    assert [one.actor for one in world.audit.trail[STRANGERS_ROWS:]] == ["vera", "batch", "nobody-yet", "ada"]


def test_one_way_of_signing_on_does_not_hide_another(world, register):
    flood(register)
    register.stranger(Actor("somebody as 'ada'", means=Means.PASSWORD), REFUSED)

    assert world.audit.trail[-1].actor == "somebody as 'ada'"


def test_what_is_remembered_of_strangers_has_a_bound(register, monkeypatch):
    monkeypatch.setattr(acting, "MOST_DENIALS", 10)
    flood(register, 100)

    assert len(register._denied) == 10


def test_names_of_ones_own_choice_make_no_rows(world):
    team = Team(world)
    vera = team.desk.actor(team.arrive("vera", VIEWERS).secret, "127.0.0.1", active=True)
    asking = world.service.register.acting(vera)
    before = len(world.audit.trail)
    for number in range(50):
        with pytest.raises(DeniedError):
            team.tokens.make(asking, f"name {number}", Grant(Role.ADMIN, (f"cluster-{number}",)))

    assert len(world.audit.trail) == before + 1
