"""Against the stand-in of PingFederate: what an honest provider does."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from celeriac.bootstrap.relying_party import relying_party
from celeriac.core.access import Grant, Role, Rule, granted
from celeriac.core.errors import NotTakenError, UnreachableError
from celeriac.core.signon import SignedOn
from celeriac.oidc import RelyingParty
from celeriac.settings.access import OidcSettings
from standin.provider import API, SECRET, Provider

CALLBACK = "http://127.0.0.1:1/login/callback"
HOME = "http://127.0.0.1:1/"
TABLE = [
    Rule(Grant(Role.ADMIN), group="celeriac-admins"),
    Rule(Grant(Role.RESPONDER), group="celeriac-responders"),
    Rule(Grant(Role.OPERATOR), group="celeriac-operators"),
    Rule(Grant(Role.VIEWER), group="celeriac-viewers"),
]


@pytest.fixture
def party(provider: Provider) -> RelyingParty:
    provider.config(redirectUris=[CALLBACK], backUris=[HOME])
    return make(provider)


def make(provider: Provider, **changed: object) -> RelyingParty:
    told = {"issuer": provider.issuer, "client_id": "celeriac", "client_secret": SECRET, "api_audience": API}
    return relying_party(OidcSettings.model_validate(told | changed))


def sign_on(party: RelyingParty, provider: Provider, name: str, browser: httpx2.Client | None = None) -> SignedOn:
    begun = party.begin(CALLBACK)
    return party.finish(begun, CALLBACK, provider.sign_on(begun.url, name, until=CALLBACK, browser=browser))


@pytest.mark.parametrize(
    ("name", "role", "told"),
    [
        ("ada", Role.ADMIN, "2 groups in memberOf of the ID token"),
        ("rob", Role.RESPONDER, "2 groups in memberOf of the ID token"),
        ("olga", Role.OPERATOR, "2 groups in memberOf of the ID token"),
        ("vera", Role.VIEWER, "1 group in memberOf of the ID token"),
        ("many", Role.VIEWER, "301 groups in memberOf of the ID token"),
        ("nob", None, "no groups in groups, memberOf, roles of ID token, userinfo or token"),
    ],
)
def test_each_person_has_the_role_of_their_groups(party, provider, name, role, told):
    who = sign_on(party, provider, name)

    grants = granted(TABLE, who.identity)
    assert (who.identity.subject, who.name, who.groups_from) == (name, name, told)
    assert [one.role for one in grants] == ([role] if role else [])
    assert who.refresh_in_s == 7200
    assert who.provider_session is not None


def test_groups_that_only_userinfo_tells_are_asked_there(party, provider):
    provider.config(claimsInIdToken=False)

    who = sign_on(party, provider, "many")

    assert who.groups_from == "301 groups in memberOf of the userinfo"
    assert [one.role for one in granted(TABLE, who.identity)] == [Role.VIEWER]
    assert who.name == "many"


def test_userinfo_is_not_asked_where_the_id_token_tells_groups(party, provider):
    sign_on(party, provider, "ada")

    assert "GET /idp/userinfo.openid" not in provider.asked()


@pytest.mark.parametrize(("client", "auth"), [("celeriac-post", "post"), ("celeriac-key", "private_key_jwt")])
def test_each_way_to_show_who_we_are_works_again_and_again(party, provider, tmp_path, client, auth):
    key = tmp_path / "key.pem"
    key.write_text(provider.client_key)
    other = make(provider, client_id=client, client_auth=auth, client_key=key)

    who = sign_on(other, provider, "ada")

    assert who.identity.subject == "ada"
    assert other.refresh(who.refresh_token or "", "ada").identity.subject == "ada"


def test_two_tabs_sign_on_at_once(party, provider):
    first, second = party.begin(CALLBACK), party.begin(CALLBACK)

    later = provider.sign_on(second.url, "ada", until=CALLBACK)
    sooner = provider.sign_on(first.url, "vera", until=CALLBACK)

    assert party.finish(first, CALLBACK, sooner).identity.subject == "vera"
    assert party.finish(second, CALLBACK, later).identity.subject == "ada"


def test_a_code_is_taken_once(party, provider):
    begun = party.begin(CALLBACK)
    answer = provider.sign_on(begun.url, "ada", until=CALLBACK)
    party.finish(begun, CALLBACK, answer)

    with pytest.raises(NotTakenError, match="was used before"):
        party.finish(begun, CALLBACK, answer)


def test_a_code_is_worth_nothing_without_its_verifier(party, provider):
    mine, theirs = party.begin(CALLBACK), party.begin(CALLBACK)
    answer = provider.sign_on(theirs.url, "ada", until=CALLBACK)

    with pytest.raises(NotTakenError, match="does not take it"):
        party.finish(mine, CALLBACK, answer | {"state": mine.state})


def test_who_stops_at_the_page_of_the_provider_is_told_so_in_words(party, provider):
    begun = party.begin(CALLBACK)
    answer = provider.sign_on(begun.url, "", until=CALLBACK)

    with pytest.raises(NotTakenError, match=r"does not let you sign on here, or you have stopped it \(access_denied\)"):
        party.finish(begun, CALLBACK, answer)


@pytest.mark.parametrize("with_id_token", [True, False])
def test_a_refresh_reads_groups_anew_and_rolls_the_token(party, provider, with_id_token):
    provider.config(idTokenOnRefresh=with_id_token)
    before = sign_on(party, provider, "ada")
    provider.person("ada", "CN=celeriac-viewers,OU=Groups,DC=corp,DC=example")

    after = party.refresh(before.refresh_token or "", "ada")

    assert [one.role for one in granted(TABLE, after.identity)] == [Role.VIEWER]
    assert (after.id_token is not None) is with_id_token
    assert after.refresh_token not in {None, before.refresh_token}
    with pytest.raises(NotTakenError, match="used before"):
        party.refresh(before.refresh_token or "", "ada")


def test_a_refresh_token_that_is_not_rolled_is_kept(party, provider):
    provider.config(rollRefresh=False)
    before = sign_on(party, provider, "ada")

    assert party.refresh(before.refresh_token or "", "ada").refresh_token == before.refresh_token


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_new_key_of_the_provider_is_found_at_once(party, provider, keep_old):
    sign_on(party, provider, "ada")

    provider.rotate_keys(keep_old=keep_old)

    assert sign_on(party, provider, "vera").identity.subject == "vera"
    assert provider.asked().count("GET /pf/JWKS") == 2


def test_signing_off_ends_the_session_at_the_provider(party, provider):
    with httpx2.Client(timeout=20) as browser:
        who = sign_on(party, provider, "ada", browser)
        url = party.leave(who.id_token, HOME)
        assert url is not None

        assert provider.sign_off(url, browser).startswith(HOME)
        assert sign_on(party, provider, "vera", browser).identity.subject == "vera"


def test_an_old_pingfederate_is_signed_off_from_in_its_own_way(party, provider):
    provider.config(oldLogout=True)

    url = party.leave("an-id-token", HOME) or ""

    assert urlsplit(url).path == "/idp/startSLO.ping"
    assert parse_qs(urlsplit(url).query) == {"TargetResource": [HOME]}
    assert httpx2.get(url).headers["location"] == HOME


def test_the_provider_tells_who_has_signed_off_elsewhere(party, provider, logout_tokens):
    url, taken = logout_tokens
    provider.config(backchannel={"celeriac": url})
    with httpx2.Client(timeout=20) as browser:
        who = sign_on(party, provider, "ada", browser)
        provider.sign_off(party.leave(who.id_token, HOME) or "", browser)

    said = party.logged_out(taken.get(timeout=10))

    assert said.provider_session == who.provider_session
    assert said.subject in {None, "ada"}


def test_a_program_comes_with_a_jwt(party, provider):
    who = party.bearer(provider.robot_token("celeriac:read celeriac:operate")).identity

    assert who.client == "celeriac-robot"
    assert set(who.scopes) == {"celeriac:read", "celeriac:operate"}
    assert [one.role for one in granted(TABLE, who)] == [Role.OPERATOR]


def test_a_program_comes_with_a_token_that_only_the_provider_can_read(provider):
    party = make(provider, introspect=True)
    token = provider.robot_token(resource=None)

    who = party.bearer(token).identity
    party.bearer(token)

    assert (who.client, who.scopes, who.groups) == ("celeriac-robot", ("celeriac:read",), ())
    assert provider.asked().count("POST /as/introspect.oauth2") == 1
    with pytest.raises(NotTakenError, match="does not hold"):
        party.bearer("made-up")


def test_while_the_provider_is_down_nobody_signs_on_and_nobody_is_refused(party, provider):
    who = sign_on(party, provider, "ada")
    begun = party.begin(CALLBACK)
    answer = provider.sign_on(begun.url, "ada", until=CALLBACK)
    provider.config(outage=True)

    with pytest.raises(UnreachableError, match="503"):
        party.refresh(who.refresh_token or "", "ada")
    with pytest.raises(UnreachableError, match="503"):
        party.finish(begun, CALLBACK, answer)
    assert party.leave(None, HOME) is not None


def test_a_slow_provider_is_not_waited_for(provider):
    provider.config(delayMs=5000)
    party = make(provider, timeout=0.3)

    with pytest.raises(UnreachableError, match=r"does not answer within 0\.3 s"):
        party.begin(CALLBACK)
    assert party.available() is False
