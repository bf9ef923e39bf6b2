"""What a forging provider, or a browser that brings something else, is refused for; one test for each check."""

import json
import threading
import time

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from celeriac.core.access import Identity
from celeriac.core.errors import NotTakenError, RefusedError, SettingsError, UnreachableError
from celeriac.oidc import RelyingParty
from celeriac.oidc.tokens import LOGOUT_EVENT, at_hash
from standin.forger import ANSWER, BEGUN, KEY, LEFT_OUT, NOW, OTHER_KEY, REDIRECT, logout_claims, signed


def finish(party, forger, token, **answer):
    forger.give(token)
    return party.finish(BEGUN, REDIRECT, ANSWER | answer)


def test_a_good_one_is_taken(party, forger):
    who = finish(party, forger, signed(forger.claims(sid="s1")))

    assert who.identity.groups == ("celeriac-admins",)
    assert who.provider_session == "s1"


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("made by another issuer", {"iss": "http://127.0.0.1/other"}),
        ("lacks iss", {"iss": LEFT_OUT}),
        ("made for somebody else", {"aud": "another"}),
        ("made for somebody else", {"aud": ["another", "celeria"]}),
        ("lacks aud", {"aud": LEFT_OUT}),
        ("for another client", {"aud": ["celeriac", "another"]}),
        ("for another client", {"aud": ["celeriac", "another"], "azp": "another"}),
        ("for another client", {"azp": "another"}),
        ("has expired", {"exp": NOW - 61}),
        ("lacks exp", {"exp": LEFT_OUT}),
        ("has a wrong exp", {"exp": "2099"}),
        ("in the future", {"iat": NOW + 61}),
        ("lacks iat", {"iat": LEFT_OUT}),
        ("does not hold yet", {"nbf": NOW + 61}),
        ("another sign-on", {"nonce": "another"}),
        ("another sign-on", {"nonce": LEFT_OUT}),
        ("another access token", {"at_hash": at_hash("RS256", "another")}),
        ("another access token", {"at_hash": None}),
        ("lacks sub", {"sub": LEFT_OUT}),
        ("wrong sub", {"sub": ""}),
        ("wrong sub", {"sub": 7}),
    ],
)
def test_an_id_token_with_a_wrong_claim_is_refused(party, forger, said, changed):
    with pytest.raises(NotTakenError, match=said):
        finish(party, forger, signed(forger.claims(**changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["celeriac"]},
        {"aud": ["celeriac", "another"], "azp": "celeriac"},
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"at_hash": LEFT_OUT},
    ],
)
def test_what_is_allowed_is_taken(party, forger, changed):
    assert finish(party, forger, signed(forger.claims(**changed))).identity.subject == "ada"


@pytest.mark.parametrize(
    ("said", "key", "header"),
    [
        ("does not accept", KEY, {"alg": "none"}),
        ("does not accept", KEY, {"alg": "none", "kid": None}),
        ("does not accept", KEY, {"alg": "HS256"}),
        ("does not accept", KEY, {"alg": "HS256", "kid": None}),
        ("does not accept", RSAKey.generate_key(2048), {"alg": "RS512"}),
        ("signature of the ID token is not the provider's", OTHER_KEY, {}),
        ("does not publish", KEY, {"kid": "two"}),
        ("brings a key of its own", KEY, {"jwk": OTHER_KEY.as_dict(private=False)}),
        ("brings a key of its own", KEY, {"jku": "http://127.0.0.1/keys"}),
        ("brings a key of its own", KEY, {"x5u": "http://127.0.0.1/keys"}),
        ("brings a key of its own", KEY, {"crit": ["exp"], "exp": 1}),
        ("another kind", KEY, {"typ": "logout+jwt"}),
        ("another kind", KEY, {"typ": "at+jwt"}),
        ("cannot be read", KEY, {"kid": 7}),
    ],
)
def test_an_id_token_that_is_signed_wrongly_is_refused(party, forger, said, key, header):
    with pytest.raises(NotTakenError, match=said):
        finish(party, forger, signed(forger.claims(), key, **header))


@pytest.mark.parametrize("token", ["", "one", "a.b", "a.b.c.d", "a.b.c", "a.!.c", "e30.e30.", "\0.\0.\0", "ü.ü.ü"])
def test_what_is_no_token_is_refused(party, forger, token):
    with pytest.raises(NotTakenError):
        finish(party, forger, token)


@pytest.mark.parametrize("more", ["=", "\n", " "])
def test_a_token_has_one_form_only(party, forger, more):
    with pytest.raises(NotTakenError, match="no signed token"):
        finish(party, forger, signed(forger.claims()) + more)


def test_a_payload_that_is_no_object_is_refused(party, forger):
    with pytest.raises(NotTakenError, match="cannot be read"):
        finish(party, forger, signed(["sub", "ada"]))


def test_without_an_id_token_nobody_is_signed_on(party, forger):
    with pytest.raises(NotTakenError, match="no ID token"):
        finish(party, forger, None)


def test_an_id_token_is_refused_for_its_size_alone(party, forger):
    groups = [f"CN=group-{number},OU=Groups,DC=corp,DC=example" for number in range(2500)]

    with pytest.raises(NotTakenError, match="longer than 128 kB"):
        finish(party, forger, signed(forger.claims(groups=groups)))


def test_an_id_token_with_a_thousand_groups_is_taken(party, forger):
    groups = [f"CN=group-{number},OU=Groups with a long name,DC=corp,DC=example" for number in range(1000)]

    assert len(finish(party, forger, signed(forger.claims(groups=groups))).identity.groups) == 1000


def test_keys_that_share_an_id_are_refused_where_both_fit(party, forger):
    forger.keys.append(OTHER_KEY.as_dict(private=False))

    with pytest.raises(NotTakenError, match="several keys"):
        finish(party, forger, signed(forger.claims(), OTHER_KEY))


def test_keys_that_share_an_id_are_told_apart_by_their_kind(party, forger):
    forger.keys.insert(0, ECKey.generate_key("P-256", {"kid": "one"}).as_dict(private=False))
    forger.keys.insert(0, RSAKey.generate_key(2048, {"kid": "one", "use": "enc"}).as_dict(private=False))

    assert finish(party, forger, signed(forger.claims())).identity.subject == "ada"


def test_a_token_that_names_no_key_is_taken_only_where_there_is_one(party, forger, make_party):
    assert finish(party, forger, signed(forger.claims(), kid=None)).identity.subject == "ada"
    forger.keys.append(RSAKey.generate_key(2048, {"kid": "two"}).as_dict(private=False))

    with pytest.raises(NotTakenError, match="several keys"):
        finish(make_party(), forger, signed(forger.claims(), kid=None))


def test_a_key_that_is_too_short_is_none(party, forger):
    short = KEY.as_dict(private=False) | {"n": KEY.as_dict(private=False)["n"][:-2]}
    forger.keys[:] = [short]

    with pytest.raises(NotTakenError, match="does not publish"):
        finish(party, forger, signed(forger.claims()))


def test_an_eddsa_signature_is_taken_where_it_is_accepted(make_party, party, forger):
    key = OKPKey.generate_key("Ed25519", {"kid": "ed"})
    forger.keys.append(key.as_dict(private=False))
    with pytest.warns(SecurityWarning):
        token = signed(forger.claims(at_hash=at_hash("EdDSA", "the-access-token")), key, alg="EdDSA", kid="ed")

    assert finish(make_party(algorithms=("EdDSA",)), forger, token).identity.subject == "ada"
    with pytest.raises(NotTakenError, match="does not accept"):
        finish(party, forger, token)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("another sign-on", {"state": "another"}),
        ("another sign-on", {"state": ""}),
        ("another sign-on", {"state": "the-stäte"}),
        ("another provider", {"iss": "http://127.0.0.1/other"}),
        ("brings no code", {"code": ""}),
        ("brings no code", {"code": "c" * 4001}),
        ("does not let you sign on here", {"error": "access_denied"}),
        ("sign on anew", {"error": "login_required"}),
        ("an error of its own", {"error": "<script>", "error_description": "click here"}),
    ],
)
def test_what_a_browser_brings_wrongly_is_refused_before_the_provider_is_asked(party, forger, said, answer):
    forger.give(signed(forger.claims()))

    with pytest.raises(NotTakenError, match=said) as refused:
        party.finish(BEGUN, REDIRECT, ANSWER | answer)

    assert forger.count("/token_endpoint") == 0
    assert "script" not in str(refused.value)
    assert "click" not in str(refused.value)


def test_an_answer_without_a_state_is_refused(party):
    with pytest.raises(NotTakenError, match="another sign-on"):
        party.finish(BEGUN, REDIRECT, {"code": "the-code"})


def test_the_issuer_must_be_in_the_answer_where_the_provider_says_so(party, forger):
    forger.discovery["authorization_response_iss_parameter_supported"] = True

    with pytest.raises(NotTakenError, match="does not say which provider"):
        finish(party, forger, signed(forger.claims()))
    assert finish(party, forger, signed(forger.claims()), iss=forger.issuer).identity.subject == "ada"


def test_the_userinfo_of_somebody_else_is_refused(party, forger):
    forger.userinfo.update(sub="rob", groups=["celeriac-admins"])

    with pytest.raises(NotTakenError, match="of somebody else"):
        finish(party, forger, signed(forger.claims(groups=LEFT_OUT)))
    del forger.userinfo["sub"]
    with pytest.raises(NotTakenError, match="of somebody else"):
        finish(party, forger, signed(forger.claims(groups=LEFT_OUT)))


def test_a_refresh_that_gives_somebody_else_is_refused(party, forger):
    forger.give(signed(forger.claims(sub="rob")))
    with pytest.raises(NotTakenError, match="ID token of somebody else"):
        party.refresh("the-refresh-token", "ada")

    forger.give(None)
    forger.userinfo.update(sub="rob", groups=["celeriac-admins"])
    with pytest.raises(NotTakenError, match="userinfo is of somebody else"):
        party.refresh("the-refresh-token", "ada")


@pytest.mark.parametrize("status", [400, 500, 302])
def test_a_rolled_refresh_token_is_not_lost_where_userinfo_fails(party, forger, status):
    forger.tokens["refresh_token"] = "the-new-one"
    forger.statuses["/userinfo_endpoint"] = status

    after = party.refresh("the-old-one", "ada")

    assert (after.refresh_token, after.groups_known, after.identity) == ("the-new-one", False, Identity("ada"))
    forger.statuses.clear()
    assert party.refresh("the-new-one", "ada").groups_known


def test_a_rolled_refresh_token_is_not_lost_where_the_keys_are_not_given(party, forger):
    forger.tokens["refresh_token"] = "the-new-one"
    forger.statuses["/keys"] = 503
    forger.give(signed(forger.claims()))

    after = party.refresh("the-old-one", "ada")

    assert (after.refresh_token, after.groups_known, after.id_token) == ("the-new-one", False, None)


def test_the_id_token_of_a_refresh_is_checked(party, forger):
    forger.give(signed(forger.claims(), OTHER_KEY))

    with pytest.raises(NotTakenError, match="signature"):
        party.refresh("the-refresh-token", "ada")


def test_an_access_token_that_does_not_verify_tells_no_groups(party, forger):
    def token(key, **changed):
        claims = {"sub": "ada", "exp": NOW + 60, "groups": "celeriac-admins"} | changed
        forger.tokens["access_token"] = signed(claims, key)
        return finish(party, forger, signed(forger.claims(groups=LEFT_OUT, at_hash=LEFT_OUT)))

    assert token(KEY).identity.groups == ("celeriac-admins",)
    assert token(KEY).groups_from == "1 group in groups of the access token"
    assert token(OTHER_KEY).identity.groups == ()
    assert token(KEY, sub="rob").identity.groups == ()
    assert token(KEY, exp=NOW - 61).identity.groups == ()


@pytest.mark.parametrize(
    ("status", "error", "kind", "said"),
    [
        (400, "invalid_grant", NotTakenError, "does not take it any more"),
        (401, "invalid_client", RefusedError, "does not take us"),
        (400, "made up <b>", RefusedError, "no known reason"),
        (500, "invalid_grant", UnreachableError, "answers 500"),
        (503, "", UnreachableError, "answers 503"),
        (429, "slow_down", UnreachableError, "429"),
        (302, "", UnreachableError, "302"),
    ],
)
def test_what_the_token_endpoint_refuses_is_told_in_words(party, forger, status, error, kind, said):
    forger.statuses["/token_endpoint"] = status
    forger.tokens = {"error": error, "error_description": "secret things"} if error else {}

    for ask in (lambda: party.refresh("a-refresh-token", "ada"), lambda: party.finish(BEGUN, REDIRECT, ANSWER)):
        with pytest.raises(kind, match=said) as refused:
            ask()
        for secret in ("a-refresh-token", "the-code", BEGUN.verifier, "secret things", "made up"):
            assert secret not in str(refused.value)
    assert forger.count("/elsewhere") == 0


@pytest.mark.parametrize("path", ["/token_endpoint", "/userinfo_endpoint"])
def test_an_answer_that_cannot_be_read_is_an_outage(party, forger, path):
    def nonsense(handler):
        body = b"[" * 100_000
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    forger.raw[path] = nonsense

    with pytest.raises(UnreachableError, match="cannot be read"):
        finish(party, forger, signed(forger.claims(groups=LEFT_OUT)))


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("path", ["/token_endpoint", "/keys", "/.well-known/openid-configuration"])
def test_an_answer_that_trickles_is_not_waited_for(make_party, forger, path, headers):
    over = threading.Event()

    def trickle(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n" + (b"" if headers else b"\r\n"))
        while not over.wait(0.05):
            try:
                handler.wfile.write(b"x: y\r\n" if headers else b" ")
                handler.wfile.flush()
            except OSError:
                return

    forger.raw[path] = trickle
    party = make_party(timeout=0.5)
    began = time.monotonic()
    try:
        with pytest.raises(UnreachableError, match=r"within 0\.5 s"):
            finish(party, forger, signed(forger.claims()))
    finally:
        over.set()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("path", "size"),
    [("/token_endpoint", 257_000), ("/keys", 1_001_000), ("/.well-known/openid-configuration", 1_001_000)],
)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(party, forger, path, size):
    {"/token_endpoint": forger.tokens, "/.well-known/openid-configuration": forger.discovery}.get(path, {})["more"] = (
        "x" * size
    )
    if path == "/keys":
        forger.keys[0]["more"] = "x" * size

    with pytest.raises(UnreachableError, match="more than"):
        finish(party, forger, signed(forger.claims()))


def test_a_compressed_answer_is_not_unpacked(party, forger):
    def compressed(handler):
        handler.send_response(200)
        handler.send_header("content-encoding", "gzip")
        handler.send_header("content-length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    forger.raw["/.well-known/openid-configuration"] = compressed

    with pytest.raises(UnreachableError, match="compressed"):
        party.begin(REDIRECT)


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("another issuer", {"issuer": "http://127.0.0.1/other"}),
        ("no description", {"issuer": None}),
        ("no description", {"token_endpoint": None}),
        ("token_endpoint that is not https", {"token_endpoint": "http://provider.example/token"}),
        ("authorization_endpoint that is not https", {"authorization_endpoint": "javascript:alert(1)"}),
        ("jwks_uri that is not https", {"jwks_uri": "http://user:word@127.0.0.1/keys"}),
    ],
)
def test_a_description_that_is_not_our_providers_is_refused(party, forger, said, changed):
    forger.discovery.update(changed)

    with pytest.raises(UnreachableError, match=said):
        party.begin(REDIRECT)


def test_a_slash_more_makes_another_issuer(make_party, forger):
    party = make_party(issuer=f"{forger.issuer}/")

    with pytest.raises(UnreachableError, match="another issuer"):
        party.begin(REDIRECT)


def test_an_address_for_something_else_that_is_unfit_is_left_out(party, forger):
    forger.discovery.update(end_session_endpoint="http://provider.example/", ping_end_session_endpoint="/idp/")

    assert party.leave(None, REDIRECT) is None


def test_a_provider_of_https_names_no_address_of_http(forger):
    registration = forger.registration(issuer="https://provider.example")

    assert registration.may_ask("https://elsewhere.example/token")
    assert not registration.may_ask("http://127.0.0.1/token")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://provider.example"},
        {"api_jwks": "http://provider.example/keys"},
        {"algorithms": ("RS256", "HS256")},
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"api_audience": "celeriac"},
    ],
)
def test_a_registration_that_is_not_safe_cannot_be_made(forger, changed):
    with pytest.raises(SettingsError):
        forger.registration(**changed)


@pytest.mark.parametrize("pem", ["", "no key", KEY.as_pem(private=False).decode()])
def test_a_private_key_that_is_none_is_told_at_once(forger, pem):
    with pytest.raises(SettingsError, match="no private key"):
        RelyingParty(forger.registration(client_auth="private_key_jwt", client_key=pem))


@pytest.mark.parametrize(
    ("said", "changed", "header"),
    [
        ("another issuer", {"iss": "http://127.0.0.1/other"}, {}),
        ("for somebody else", {"aud": "another"}, {}),
        ("lacks iat", {"iat": LEFT_OUT}, {}),
        ("older than 5 minutes", {"iat": NOW - 301}, {}),
        ("in the future", {"iat": NOW + 61}, {}),
        ("has expired", {"exp": NOW - 61}, {}),
        ("lacks jti", {"jti": LEFT_OUT}, {}),
        ("does not say", {"events": LEFT_OUT}, {}),
        ("does not say", {"events": {LOGOUT_EVENT: True}}, {}),
        ("does not say", {"events": [LOGOUT_EVENT]}, {}),
        ("has a nonce", {"nonce": "n"}, {}),
        ("names neither", {"sid": LEFT_OUT, "sub": LEFT_OUT}, {}),
        ("another kind", {}, {"typ": "at+jwt"}),
        ("does not accept", {}, {"alg": "none"}),
    ],
)
def test_a_logout_token_that_is_not_right_is_refused(party, forger, said, changed, header):
    with pytest.raises(NotTakenError, match=said):
        party.logged_out(signed(logout_claims(forger.issuer, **changed), **header))


@pytest.mark.parametrize("changed", [{}, {"exp": LEFT_OUT}, {"sid": LEFT_OUT}, {"sub": LEFT_OUT}, {"iat": NOW - 299}])
@pytest.mark.parametrize("typ", ["logout+jwt", "JWT", None])
def test_a_logout_token_says_who_has_signed_off(party, forger, changed, typ):
    said = party.logged_out(signed(logout_claims(forger.issuer, **changed), typ=typ))

    assert said.id == "the-id"
    assert said.subject == (None if "sub" in changed else "ada")
    assert said.provider_session == (None if "sid" in changed else "s1")


def api_claims(forger, **changed):
    good = {"iss": forger.issuer, "aud": "the-api", "exp": NOW + 60, "client_id": "robot", "scope": "a b"}
    return {name: value for name, value in (good | changed).items() if value is not LEFT_OUT}


@pytest.mark.parametrize(
    ("said", "changed", "header"),
    [
        ("another issuer", {"iss": "http://127.0.0.1/other"}, {}),
        ("lacks iss", {"iss": LEFT_OUT}, {}),
        ("for somebody else", {"aud": "celeriac"}, {}),
        ("lacks aud", {"aud": LEFT_OUT}, {}),
        ("has expired", {"exp": NOW - 61}, {}),
        ("lacks exp", {"exp": LEFT_OUT}, {}),
        ("another kind", {"nonce": "n"}, {}),
        ("another kind", {"events": {}}, {}),
        ("another kind", {}, {"typ": "logout+jwt"}),
        ("does not accept", {}, {"alg": "none"}),
        ("neither whose", {"client_id": LEFT_OUT}, {}),
    ],
)
def test_a_programs_token_that_is_not_right_is_refused(make_party, forger, said, changed, header):
    party = make_party(api_audience="the-api")

    with pytest.raises(NotTakenError, match=said):
        party.bearer(signed(api_claims(forger, **changed), **header))


@pytest.mark.parametrize(
    ("changed", "scopes", "client"),
    [
        ({}, ("a", "b"), "robot"),
        ({"scope": ["a", "b"]}, ("a", "b"), "robot"),
        ({"scope": LEFT_OUT, "scp": ["a"]}, ("a",), "robot"),
        ({"client_id": LEFT_OUT, "azp": "other"}, ("a", "b"), "other"),
        ({"client_id": LEFT_OUT, "cid": "third"}, ("a", "b"), "third"),
    ],
)
def test_a_programs_token_says_which_it_is_and_what_it_may(make_party, forger, changed, scopes, client):
    said = make_party(api_audience="the-api").bearer(signed(api_claims(forger, groups="one, with a comma", **changed)))

    assert (said.identity.scopes, said.identity.client, said.until) == (scopes, client, NOW + 60)
    assert said.identity.subject == client
    assert said.identity.groups == ("one, with a comma",)


def test_programs_may_have_an_issuer_and_keys_of_their_own(make_party, forger):
    forger.raw["/api-keys"] = lambda handler: _send(handler, {"keys": [OTHER_KEY.as_dict(private=False)]})
    party = make_party(api_audience="the-api", api_issuer="urn:tokens", api_jwks=f"{forger.issuer}/api-keys")

    assert party.bearer(signed(api_claims(forger, iss="urn:tokens"), OTHER_KEY)).identity.client == "robot"
    with pytest.raises(NotTakenError, match="signature"):
        party.bearer(signed(api_claims(forger, iss="urn:tokens")))
    with pytest.raises(NotTakenError, match="another issuer"):
        party.bearer(signed(api_claims(forger), OTHER_KEY))


def test_no_programs_token_is_taken_without_an_audience(party, forger):
    with pytest.raises(NotTakenError, match="api_audience is not set"):
        party.bearer(signed(api_claims(forger)))


def test_a_token_that_is_no_jwt_is_refused_unless_the_provider_may_be_asked(make_party, forger):
    with pytest.raises(NotTakenError, match="introspect is not set"):
        make_party(api_audience="the-api").bearer("opaque")
    assert forger.asked == []


def _send(handler, told):
    body = json.dumps(told).encode()
    handler.send_response(200)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
