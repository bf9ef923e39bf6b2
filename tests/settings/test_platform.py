"""How a platform is logged in to and where it is: exactly one way, and one clear sentence for any other."""

import json

import pytest
from pydantic import ValidationError

from adapters.faulty_foundation import ROOT, Answer, FaultyFoundation
from celeriac.adapters.cloudfoundry import cf_config
from celeriac.bootstrap.platforms import CONSOLE, KEEPER, Foundations, Target, check_logins, target_of
from celeriac.core.errors import SettingsError
from celeriac.settings import PlatformSettings, Settings

WHERE = {"name": "cf", "api": "https://api.example.com", "org": "demo", "space": "dev"}
USER = {"username": "ada", "password": "secret"}
CLIENT = {"client_id": "robot", "client_secret": "x"}


@pytest.mark.parametrize(
    "login",
    [USER, USER | {"origin": "ldap"}, CLIENT, {"refresh_token": "x"}, {"passcode": "x"}, {"cf_login": True}],
)
def test_each_login_alone_is_right(login):
    PlatformSettings(**WHERE, **login)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {},
            "give either username and password, or client_id and client_secret, or refresh_token, or passcode, or cf_login",
        ),
        ({"username": "ada"}, "give either username and password"),
        (USER | CLIENT, "there are: username and password; client_id and client_secret"),
        (USER | {"passcode": "x"}, "there are: username and password; passcode"),
        (CLIENT | {"origin": "ldap"}, "origin goes with username and password"),
        (USER | {"cf_home": "/x"}, "cf_home goes with cf_login = true"),
        (USER | {"org": None}, "org is missing; only with cf_login may it be left out"),
        (USER | {"requests_per_minute": 0}, "greater than or equal to 2"),
    ],
)
def test_any_other_is_one_sentence(given, said):
    with pytest.raises(ValidationError, match=said):
        PlatformSettings(**{**WHERE, **given})


@pytest.fixture
def logged_in(tmp_path):
    path = cf_config(tmp_path)
    path.parent.mkdir()
    fields = {"ConfigVersion": 4, "Target": "https://api.cf", "AccessToken": "bearer x"}
    names = {"OrganizationFields": {"Name": "their-org"}, "SpaceFields": {"Name": "their-space"}}
    path.write_text(json.dumps(fields | names))
    return {"name": "cf", "cf_login": True, "cf_home": tmp_path}


def test_what_is_left_out_comes_from_cf(logged_in):
    """And what is given stays."""
    assert target_of(PlatformSettings(**logged_in)) == Target("https://api.cf", "their-org", "their-space")
    assert target_of(PlatformSettings(**logged_in, space="mine")).space == "mine"


def test_a_login_of_cf_for_another_api_is_refused(logged_in):
    with pytest.raises(SettingsError, match=r"is for https://api.cf, and platform.cf.api is another"):
        target_of(PlatformSettings(**logged_in, api="https://api.other"))


def test_no_login_of_cf_is_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot be read .* run `cf login`, or leave out platform.cf.cf_login"):
        target_of(PlatformSettings(name="cf", cf_login=True, cf_home=tmp_path))


def settings(*places, platform="a", **cluster):
    one = {"name": "demo", "broker": "redis://b", "platform": platform, "apps": ["shop"], **cluster}
    return Settings(platform=places, cluster=[one])


def test_tables_of_one_foundation_and_account_share_a_connection_and_a_budget():
    """Another account has its own; the least of what the tables say counts, and keeper and console have shares of it."""
    a, b, other = (
        PlatformSettings(**WHERE | {"name": "a"}, **USER, requests_per_minute=60),
        PlatformSettings(**WHERE | {"name": "b", "space": "prod"}, **USER, requests_per_minute=20),
        PlatformSettings(**WHERE | {"name": "c"}, **CLIENT),
    )
    given = settings(a, b, other, platform=["a", "b"])
    foundations = Foundations(given)
    first, second, third = (foundations.session(one, target_of(one)) for one in (a, b, other))

    assert first is second
    assert first.budget is not third.budget
    assert first.budget._rate == pytest.approx(20 / 60 * KEEPER)
    assert Foundations(given, CONSOLE).session(a, target_of(a)).budget._rate == pytest.approx(20 / 60 * CONSOLE)
    assert KEEPER + CONSOLE == 1
    assert foundations.watched(given.cluster[0]).platform.name == "a, b"
    foundations.close()


def test_a_list_of_platforms_must_name_known_ones():
    with pytest.raises(ValidationError, match="names the platform 'b', and there is no such"):
        settings(PlatformSettings(**WHERE | {"name": "a"}, **USER), platform=["a", "b"])


def test_labels_alone_choose_apps():
    place = PlatformSettings(**WHERE | {"name": "a"}, **USER)

    assert settings(place, apps=[], app_labels="celery=worker").cluster[0].platforms == ("a",)
    with pytest.raises(ValidationError, match=r"both platform and apps \(or app_labels\)"):
        settings(place, apps=[])


def test_a_foundation_that_is_down_is_awaited_and_another_program_is_not():
    """The router's 404 in place of the API is an outage; an answer that no foundation gives is a wrong address."""
    foundation = FaultyFoundation()
    try:
        given = settings(PlatformSettings(**WHERE | {"name": "a", "api": foundation.url}, **USER))
        foundation.script(ROOT, Answer(404, "", {"X-Cf-RouterError": "unknown_route"}), {"hello": "world"})

        (absent,) = check_logins(given)
        assert absent.startswith("platform a is not there yet: no Cloud Foundry API answers at")
        with pytest.raises(SettingsError, match=r"check platform\.a\.api"):
            check_logins(given)
    finally:
        foundation.close()


@pytest.mark.parametrize("autoscaler", [None, "https://autoscaler.example.com"])
def test_the_token_goes_to_no_guessed_host(autoscaler):
    """App Autoscaler is asked only where `app_autoscaler` names it, whatever the API is called."""
    given = settings(PlatformSettings(**WHERE | {"name": "a"}, **USER, app_autoscaler=autoscaler))
    foundations = Foundations(given)

    assert foundations.watched(given.cluster[0]).orders._autoscaler == autoscaler
    foundations.close()
