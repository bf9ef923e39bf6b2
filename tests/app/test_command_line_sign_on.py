"""The command line's code: given by a person in a browser, good once, for a minute, with its verifier."""

import pytest

from celeriac.access_ports import SessionKind
from celeriac.app.access.command_line import CODE_S, WRONG_CODES, Asked, challenge_of
from celeriac.app.access.sessions import Visitor
from celeriac.core.errors import NotTakenError, SignOnError, ThrottledError
from web import samples
from web.signed_on import HERE, VIEWERS, Team

VERIFIER = "v" * 43
ASKED = Asked(45_000, challenge_of(VERIFIER), "s" * 43, "laptop")


@pytest.fixture
def team():
    return Team(samples.night_world())


def code_for(team, asked=ASKED):
    opened = team.arrive("vera", VIEWERS)
    actor = team.desk.actor(opened.secret, HERE.address, active=True)
    address = team.command_line.allow(team.world.service.register.acting(actor), opened.secret, asked)
    begin, end = f"http://127.0.0.1:{asked.port}/?code=", f"&state={asked.state}"
    assert address.startswith(begin)
    assert address.endswith(end)
    return address.removeprefix(begin).removesuffix(end)


def test_the_challenge_is_that_of_the_standard():
    # RFC 7636, appendix B.
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_code_is_traded_for_a_session_of_the_command_line(team):
    opened = team.command_line.trade(code_for(team), VERIFIER, HERE)

    assert opened.secret.startswith("cls_")
    assert (opened.session.kind, opened.session.name) == (SessionKind.COMMAND_LINE, "Vera")
    assert opened.session.refresh_token is None


def test_a_code_is_good_once(team):
    code = code_for(team)
    team.command_line.trade(code, VERIFIER, HERE)

    with pytest.raises(NotTakenError, match="used already"):
        team.command_line.trade(code, VERIFIER, HERE)
    assert "used already" in team.denials()[0]


def test_a_code_is_worth_nothing_without_its_verifier_and_is_spent_by_a_wrong_one(team):
    code = code_for(team)

    with pytest.raises(NotTakenError, match="another command"):
        team.command_line.trade(code, "w" * 43, HERE)
    with pytest.raises(NotTakenError):
        team.command_line.trade(code, VERIFIER, HERE)


def test_a_verifier_that_is_too_short_to_be_secret_is_not_taken(team):
    code = code_for(team, Asked(45_000, challenge_of("short"), "s" * 43))

    with pytest.raises(NotTakenError):
        team.command_line.trade(code, "short", HERE)


def test_a_code_ends_after_a_minute(team):
    code = code_for(team)
    team.world.time += CODE_S

    with pytest.raises(NotTakenError, match="too old"):
        team.command_line.trade(code, VERIFIER, HERE)


def test_a_code_ends_with_the_session_of_its_person(team):
    code = code_for(team)
    team.sessions.kept.clear()

    with pytest.raises(SignOnError):
        team.command_line.trade(code, VERIFIER, HERE)


def test_an_address_with_too_many_wrong_codes_is_not_looked_at(team):
    for _ in range(WRONG_CODES):
        with pytest.raises(NotTakenError):
            team.command_line.trade("made-up", VERIFIER, HERE)
    code = code_for(team)

    with pytest.raises(ThrottledError):
        team.command_line.trade(code, VERIFIER, HERE)
    assert team.command_line.trade(code, VERIFIER, Visitor("10.9.9.9")).session.name == "Vera"


def test_right_codes_are_not_counted(team):
    for _ in range(WRONG_CODES + 1):
        assert team.command_line.trade(code_for(team), VERIFIER, HERE)


def test_wrong_codes_of_one_ipv6_network_are_of_one_address(team):
    for number in range(WRONG_CODES):
        with pytest.raises(NotTakenError):
            team.command_line.trade("made-up", VERIFIER, Visitor(f"2001:db8::{number}"))

    with pytest.raises(ThrottledError):
        team.command_line.trade("made-up", VERIFIER, Visitor("2001:db8::ffff"))


def test_a_command_line_lets_no_other_one_sign_on(team):
    secret = team.command_line.trade(code_for(team), VERIFIER, HERE).secret
    actor = team.desk.actor(secret, HERE.address, active=True)

    with pytest.raises(SignOnError, match="in a browser"):
        team.command_line.allow(team.world.service.register.acting(actor), secret, ASKED)


def test_a_token_beside_a_cookie_lets_nothing_sign_on(team):
    """The request acts by its token: the cookie of somebody else beside it must not count."""
    cookie = team.arrive("vera", VIEWERS).secret
    other = team.desk.actor(team.arrive("victor", VIEWERS).secret, HERE.address, active=True)

    with pytest.raises(SignOnError, match="in a browser"):
        team.command_line.allow(team.world.service.register.acting(other), cookie, ASKED)


def test_that_it_was_allowed_is_kept_without_the_code(team):
    code = code_for(team)

    said = [one for one in team.world.audit.trail if one.action == "let a command line sign on"]
    assert [(one.actor, one.target) for one in said] == [("Vera (vera)", "laptop")]
    assert code not in repr(team.world.audit.trail)
