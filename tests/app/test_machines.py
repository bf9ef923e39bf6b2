"""Programs with a token of the provider: the table of roles decides, and each refusal is kept."""

import pytest

from celeriac.app.access.machines import REFUSED_OF_ONE, Machines
from celeriac.core.access import Grant, Identity, Means, Role
from celeriac.core.errors import DeniedError, SignOnError, ThrottledError, UnreachableError
from web import samples
from web.signed_on import Team


@pytest.fixture
def team():
    return Team(samples.night_world())


def test_a_program_has_what_its_rows_grant(team):
    actor = team.machines.actor("eyJ.batch", "10.1.2.3")

    assert (actor.subject, actor.grants, actor.means) == ("batch", (Grant(Role.OPERATOR),), Means.MACHINE)


def test_a_person_behind_a_program_is_named_with_it(team):
    team.bearers.kept["both"] = Identity("vera", client="batch")

    assert team.machines.actor("both", "").called == "vera by batch"


def test_a_program_that_no_row_fits_is_denied(team):
    team.bearers.kept["other"] = Identity("other", client="other", scopes=("read",))

    with pytest.raises(DeniedError, match="No row of the table of roles fits other"):
        team.machines.actor("other", "10.1.2.3")
    assert len(team.denials()) == 1


def test_a_token_that_is_not_taken_is_refused_and_told_once_a_minute(team):
    for _ in range(3):
        with pytest.raises(SignOnError, match="signature does not fit"):
            team.machines.actor("forged", "10.1.2.3")

    assert len(team.denials()) == 1


def test_while_the_provider_is_gone_nobody_can_tell(team):
    team.bearers.gone = True

    with pytest.raises(UnreachableError, match="cannot be checked now"):
        team.machines.actor("eyJ.batch", "10.1.2.3")


def test_one_address_brings_so_many_made_up_tokens_and_harms_no_other(team):
    clock = [0.0]
    machines = Machines(team.bearers, team.roles.grants, team.world.service.register, lambda: clock[0])
    team.bearers.kept |= {"opaque": Identity("batch", client="batch"), "new": Identity("batch", client="batch")}
    machines.actor("opaque", "2001:db8::1")
    for number in range(REFUSED_OF_ONE):
        with pytest.raises(SignOnError):
            machines.actor(f"made-up-{number}", f"2001:db8::{number}")

    for token in ("made-up", "new"):
        with pytest.raises(ThrottledError):
            machines.actor(token, "2001:db8::1")
    assert machines.actor("opaque", "2001:db8::1")
    assert machines.actor("new", "10.1.2.3")
    with pytest.raises(SignOnError):
        machines.actor("a.b.c", "2001:db8::1")  # read here: the provider is not asked
    clock[0] += 60
    assert machines.actor("new", "2001:db8::1")


def test_tokens_that_hold_are_not_counted(team):
    team.bearers.kept |= {f"token-{number}": Identity("batch", client="batch") for number in range(60)}

    assert {team.machines.actor(f"token-{number}", "10.1.2.3").subject for number in range(60)} == {"batch"}
