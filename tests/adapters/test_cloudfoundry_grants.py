"""The grants beside password and client: another provider, a refresh token, a one-time passcode, and the login of `cf`."""

import base64
import json
import time

import pytest

from adapters.faulty_foundation import TOKEN, TOKENS, Answer
from celeriac.adapters.cloudfoundry import Credentials, cf_config, read_cf_login
from celeriac.core.errors import RefusedError, UnreachableError

APPS = "/v3/apps"
EMPTY = {"resources": [], "pagination": {"next": None}}
REFUSED = Answer(401, {"error": "invalid_token", "error_description": "The token expired"})
BAD_CODE = Answer(401, {"error": "unauthorized", "error_description": "Invalid passcode"})


def forms(foundation):
    return [one.form for one in foundation.asked(TOKEN)]


def jwt(**claims):
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{part}.sig"


@pytest.fixture
def foundation(foundation):
    foundation.script(APPS, EMPTY)
    return foundation


def test_a_user_of_another_provider_is_asked_for_there(foundation, connect):
    """`origin` goes along as the login hint that UAA wants."""
    connect(foundation.url, Credentials("platform.cf", username="ada", password="secret", origin="ldap")).log_in()

    assert forms(foundation)[0]["login_hint"] == '{"origin": "ldap"}'


def test_a_refresh_token_logs_in_and_the_newest_is_used(foundation, connect, clock):
    """The settings' token serves first, then the one that UAA gave."""
    session = connect(foundation.url, Credentials("platform.cf", refresh_token="from-settings"), monotonic=clock)

    session.get(APPS)
    clock.now += 1200
    session.get(APPS)

    assert [one["refresh_token"] for one in forms(foundation)] == ["from-settings", "refresh-1"]


def test_a_refresh_token_that_has_ended_is_one_sentence(foundation, connect):
    """What to do is said; the token is not."""
    foundation.script(TOKEN, REFUSED)

    with pytest.raises(RefusedError) as caught:
        connect(foundation.url, Credentials("platform.cf", refresh_token="r3fr3sh")).log_in()
    assert str(caught.value) == (
        "the refresh token has expired or was revoked (The token expired); give a new one in platform.cf.refresh_token"
    )


@pytest.fixture
def once(tmp_path):
    return Credentials("platform.cf", passcode="pa55code", keep=tmp_path / "logins" / "cf.json")


def test_a_passcode_is_used_once_and_its_refresh_token_lives(foundation, connect, once, clock):
    """Renewals, a restart and a second process use what it left, in a file for its owner alone that does not hold the code."""
    first = connect(foundation.url, once, monotonic=clock)
    first.get(APPS)
    clock.now += 1200
    first.get(APPS)
    connect(foundation.url, once).get(APPS)

    assert [one["grant_type"] for one in forms(foundation)] == ["password", "refresh_token", "refresh_token"]
    assert forms(foundation)[0] == {"grant_type": "password", "passcode": "pa55code"}
    assert once.keep.stat().st_mode & 0o777 == 0o600
    assert "pa55code" not in once.keep.read_text()


def test_a_passcode_whose_login_has_ended_wants_a_new_one(foundation, connect, once, clock):
    """The refresh token is refused, the code is spent: one sentence. A new code begins anew."""
    session = connect(foundation.url, once, monotonic=clock)
    session.get(APPS)
    foundation.script(TOKEN, REFUSED, BAD_CODE, TOKENS)
    clock.now += 1200

    with pytest.raises(RefusedError) as caught:
        session.get(APPS)
    assert str(caught.value) == (
        "the login by one-time passcode has ended or the passcode was used (Invalid passcode); "
        "give a new one in platform.cf.passcode"
    )
    connect(foundation.url, Credentials("platform.cf", passcode="another", keep=once.keep)).get(APPS)
    assert forms(foundation)[-1] == {"grant_type": "password", "passcode": "another"}


@pytest.mark.parametrize("again", [True, False], ids=["the same process", "after a restart"])
def test_an_outage_of_uaa_does_not_cost_the_login_of_a_passcode(foundation, connect, once, clock, again):
    """Only a refusal ends a refresh token; until then the passcode, which is spent, is not sent again."""
    session = connect(foundation.url, once, monotonic=clock)
    session.get(APPS)
    foundation.script(TOKEN, Answer(503, "<html>"))
    clock.now += 1200
    session = session if again else connect(foundation.url, once, monotonic=clock)

    with pytest.raises(UnreachableError, match="UAA answered 503"):
        session.get(APPS)
    foundation.script(TOKEN, TOKENS | {"access_token": "access-2"})
    session.get(APPS)
    assert {one["grant_type"] for one in forms(foundation)[1:]} == {"refresh_token"}


def test_an_outage_of_uaa_is_no_end_of_the_login_of_cf(foundation, connect, home):
    """Nobody is told to log in again while UAA only does not answer."""
    foundation.script(TOKEN, Answer(502, "<html>"))
    who = Credentials("platform.cf", cf_config=home(AccessToken=f"bearer {jwt(exp=1)}"))

    with pytest.raises(UnreachableError, match="UAA answered 502"):
        connect(foundation.url, who).log_in()


@pytest.fixture
def home(tmp_path, foundation):
    """Give a home in which `cf` is logged in to the foundation for another ten minutes."""

    def written(**other):
        path = cf_config(tmp_path)
        path.parent.mkdir(exist_ok=True)
        fields = {
            "ConfigVersion": 4,
            "Target": foundation.url,
            "AccessToken": f"bearer {jwt(exp=time.time() + 600, user_id='u1', user_name='ada')}",
            "RefreshToken": "cf-refresh",
            "UAAOAuthClient": "cf",
            "UAAOAuthClientSecret": "",
            "OrganizationFields": {"GUID": "o", "Name": "demo"},
            "SpaceFields": {"GUID": "s", "Name": "dev"},
        }
        path.write_text(json.dumps(fields | other))
        return path

    return written


def test_the_login_of_cf_is_used_and_renewed_and_never_written(foundation, connect, home, clock):
    """Its access token until it ends, then its refresh token; the file stays as it is."""
    path = home()
    kept = path.read_bytes()
    session = connect(foundation.url, Credentials("platform.cf", cf_config=path), monotonic=clock)

    session.get(APPS)
    assert (forms(foundation), session.own_guid, session.account) == ([], "u1", "ada")
    home(AccessToken=f"bearer {jwt(exp=time.time() - 1)}")
    kept = path.read_bytes()
    clock.now += 1200
    session.get(APPS)

    assert forms(foundation) == [{"grant_type": "refresh_token", "refresh_token": "cf-refresh"}]
    assert path.read_bytes() == kept


def test_a_login_of_cf_that_has_ended_says_so(foundation, connect, home):
    """The way back is `cf login`; a login of a client cannot be renewed at all."""
    foundation.script(TOKEN, REFUSED)
    ended = f"bearer {jwt(exp=1)}"

    for other, why in (
        ({}, "The token expired"),
        ({"UAAGrantType": "client_credentials", "RefreshToken": ""}, "of a client"),
    ):
        path = home(AccessToken=ended, **other)
        with pytest.raises(RefusedError, match=why) as caught:
            connect(foundation.url, Credentials("platform.cf", cf_config=path)).log_in()
        assert str(caught.value).endswith("run `cf login` again")


def test_a_new_login_of_cf_is_taken_at_once(foundation, connect, home, clock):
    """A refused one rests; what `cf login` has written since is another."""
    foundation.script(TOKEN, REFUSED)
    who = Credentials("platform.cf", cf_config=home(AccessToken=f"bearer {jwt(exp=1)}"))
    session = connect(foundation.url, who, monotonic=clock)
    for _ in range(3):
        with pytest.raises(RefusedError):
            session.get(APPS)
    assert len(forms(foundation)) == 1

    home()
    assert session.get(APPS) == EMPTY


def test_the_target_of_cf_is_known(home, foundation):
    """API, organization and space are there for settings that leave them out; no token shows in a repr."""
    found = read_cf_login(home(), "platform.cf.cf_login")

    assert (found.target, found.org, found.space) == (foundation.url, "demo", "dev")
    assert repr(found) == f"CfLogin({found.path})"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"ConfigVersion": 3, "Target": "x", "AccessToken": "y"}', None])
def test_no_login_of_cf_is_one_sentence(tmp_path, text):
    """No file, another version, or logged out."""
    path = cf_config(tmp_path)
    if text is not None:
        path.parent.mkdir()
        path.write_text(text)

    with pytest.raises(RefusedError, match=r"run `cf login`, or leave out platform.cf.cf_login$"):
        read_cf_login(path, "platform.cf.cf_login")
