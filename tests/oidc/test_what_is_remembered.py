"""How long what the provider says is taken for so, and how often it is asked."""

import logging
import threading

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

import harness
from celeriac.bootstrap.relying_party import relying_party
from celeriac.core.errors import NotTakenError, RefusedError, SettingsError, UnreachableError
from celeriac.oidc import RelyingParty
from celeriac.settings.access import OidcSettings
from standin.forger import ANSWER, BEGUN, KEY, LEFT_OUT, NOW, OTHER_KEY, REDIRECT, forging, signed

DISCOVERY = "/.well-known/openid-configuration"


def sign_on(party, forger, key=KEY, **header):
    forger.give(signed(forger.claims(exp=NOW + 10_000_000), key, **header))
    return party.finish(BEGUN, REDIRECT, ANSWER)


def test_the_description_is_asked_for_when_it_is_needed_and_again_after_ten_minutes(party, forger, clock):
    assert forger.asked == []
    party.begin(REDIRECT)
    clock.at += 599
    party.begin(REDIRECT)
    assert forger.count(DISCOVERY) == 1
    clock.at += 1
    party.begin(REDIRECT)
    assert forger.count(DISCOVERY) == 2


def test_the_last_good_description_holds_while_the_next_is_not_given(party, forger, clock):
    party.begin(REDIRECT)
    forger.discovery["issuer"] = "http://127.0.0.1/other"
    clock.at += 601

    for _ in range(5):
        assert party.begin(REDIRECT).url.startswith(forger.issuer)
    assert forger.count(DISCOVERY) == 2
    clock.at += 30
    party.begin(REDIRECT)
    assert forger.count(DISCOVERY) == 3


def test_a_provider_that_was_never_heard_is_not_hammered(party, forger, clock):
    forger.statuses[DISCOVERY] = 503

    for _ in range(5):
        with pytest.raises(UnreachableError, match="503"):
            party.begin(REDIRECT)
    assert forger.count(DISCOVERY) == 1
    clock.at += 5
    del forger.statuses[DISCOVERY]
    assert party.begin(REDIRECT).url.startswith(forger.issuer)


def test_a_key_that_is_withdrawn_is_trusted_for_ten_minutes_at_most(party, forger, clock):
    sign_on(party, forger)
    forger.keys[:] = [RSAKey.generate_key(2048, {"kid": "two"}).as_dict(private=False)]
    clock.at += 599
    sign_on(party, forger)

    clock.at += 1
    with pytest.raises(NotTakenError, match="does not publish"):
        sign_on(party, forger)


def test_keys_hold_while_they_cannot_be_read_again_but_not_for_ever(party, forger, clock):
    sign_on(party, forger)
    forger.statuses["/keys"] = 503
    clock.at += 23 * 3600
    sign_on(party, forger)

    clock.at += 2 * 3600
    with pytest.raises(UnreachableError, match="for a day"):
        sign_on(party, forger)


def test_tokens_that_name_made_up_keys_have_the_keys_read_twice_a_minute_at_most(party, forger, clock):
    sign_on(party, forger)
    for number in range(10):
        with pytest.raises(NotTakenError, match="does not publish"):
            sign_on(party, forger, kid=f"made-up-{number}")
    assert forger.count("/keys") == 2

    clock.at += 30
    with pytest.raises(NotTakenError, match="does not publish"):
        sign_on(party, forger, kid="made-up")
    assert forger.count("/keys") == 3


def test_threads_that_come_at_once_ask_once(party, forger):
    found = []
    threads = [threading.Thread(target=lambda: found.append(party.begin(REDIRECT).url)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(set(found)) == 12
    assert forger.count(DISCOVERY) == 1


def test_whether_the_provider_answers_is_asked_each_quarter_of_a_minute(party, forger, clock):
    assert party.available()
    forger.statuses[DISCOVERY] = 503
    assert party.available()
    clock.at += 15
    assert not party.available()
    del forger.statuses[DISCOVERY]
    assert not party.available()
    assert forger.count(DISCOVERY) == 2
    clock.at += 15
    assert party.available()


@pytest.fixture
def asking(forger, clock):
    forger.introspection = {"active": True, "client_id": "robot", "scope": "a", "aud": "the-api", "exp": NOW + 3600}
    return RelyingParty(forger.registration(api_audience="the-api", introspect=True), now=clock, monotonic=clock)


def test_a_token_that_holds_is_asked_for_once_a_minute(asking, forger, clock):
    assert asking.bearer("opaque").until == NOW + 3600
    clock.at += 59
    asking.bearer("opaque")
    assert forger.count("/introspection_endpoint") == 1
    forger.introspection = {"active": False}
    clock.at += 1
    with pytest.raises(NotTakenError, match="does not hold"):
        asking.bearer("opaque")


def test_a_token_is_not_remembered_beyond_its_end(asking, forger, clock):
    forger.introspection["exp"] = NOW + 20
    asking.bearer("opaque")
    clock.at += 20

    with pytest.raises(NotTakenError, match="does not hold"):
        asking.bearer("opaque")


def test_a_token_that_does_not_hold_is_asked_for_each_ten_seconds(asking, forger, clock):
    forger.introspection = {"active": False}
    for _ in range(3):
        with pytest.raises(NotTakenError, match="does not hold"):
            asking.bearer("opaque")
    assert forger.count("/introspection_endpoint") == 1
    clock.at += 10
    with pytest.raises(NotTakenError, match="does not hold"):
        asking.bearer("opaque")
    assert forger.count("/introspection_endpoint") == 2


@pytest.mark.parametrize("active", ["true", 1, None])
def test_only_true_is_active(asking, forger, active):
    forger.introspection["active"] = active

    with pytest.raises(NotTakenError, match="does not hold"):
        asking.bearer("opaque")


def test_a_token_for_somebody_else_is_refused(asking, forger):
    forger.introspection["aud"] = ["another"]

    with pytest.raises(NotTakenError, match="for somebody else"):
        asking.bearer("opaque")


def test_groups_count_only_where_the_token_is_told_to_be_for_us(asking, forger):
    forger.introspection["groups"] = ["celeriac-admins"]
    assert asking.bearer("one").identity.groups == ("celeriac-admins",)

    del forger.introspection["aud"]
    assert asking.bearer("two").identity.groups == ()


def test_we_say_who_we_are_when_we_ask_for_a_token(asking, forger):
    asking.bearer("opaque")

    _, _, headers, form = next(asked for asked in forger.asked if asked[1] == "/introspection_endpoint")
    assert headers["authorization"].startswith("Basic ")
    assert form["token"] == "opaque"


def test_a_refusal_of_our_question_is_remembered_as_nothing(asking, forger):
    forger.statuses["/introspection_endpoint"] = 401
    with pytest.raises(RefusedError, match="refuses our question"):
        asking.bearer("opaque")
    del forger.statuses["/introspection_endpoint"]

    assert asking.bearer("opaque").identity.client == "robot"


def test_so_many_answers_are_remembered_and_no_more(asking, forger, monkeypatch):
    monkeypatch.setattr("celeriac.oidc.introspection.MOST", 3)
    for number in range(5):
        asking.bearer(f"token-{number}")

    assert len(asking._introspection._good) == 3


def test_each_proof_of_who_we_are_has_an_id_of_its_own(forger, clock):
    pem = OTHER_KEY.as_pem(private=True).decode()
    registration = forger.registration(client_auth="private_key_jwt", client_key=pem, client_secret=None)
    party = RelyingParty(registration, now=clock, monotonic=clock)
    for _ in range(3):
        sign_on(party, forger)

    proofs = [form["client_assertion"] for _, path, _, form in forger.asked if path == "/token_endpoint"]
    claims = [jwt.decode(proof, OTHER_KEY, algorithms=["RS256"]).claims for proof in proofs]
    assert len({one["jti"] for one in claims}) == 3
    assert {one["aud"] for one in claims} == {f"{forger.issuer}/token_endpoint"}
    assert all(one["exp"] - one["iat"] == 120 for one in claims)


def test_an_id_token_that_is_long_is_no_hint(party, forger):
    forger.discovery["end_session_endpoint"] = f"{forger.issuer}/end?tenant=1"

    assert party.leave("short", REDIRECT).startswith(f"{forger.issuer}/end?tenant=1&client_id=celeriac")
    assert "id_token_hint=short" in party.leave("short", REDIRECT)
    assert "id_token_hint" not in party.leave("x" * 4001, REDIRECT)


def test_a_browser_signs_off_while_the_provider_is_down(party, forger, clock):
    forger.discovery["end_session_endpoint"] = f"{forger.issuer}/end"
    forger.statuses[DISCOVERY] = 503
    assert party.leave(None, REDIRECT) is None
    del forger.statuses[DISCOVERY]
    clock.at += 30
    party.begin(REDIRECT)
    forger.statuses[DISCOVERY] = 503
    clock.at += 3600

    assert party.leave(None, REDIRECT).startswith(f"{forger.issuer}/end?")


def test_nothing_that_is_secret_is_logged_or_shown(party, forger, caplog):
    caplog.set_level(logging.DEBUG)
    forger.tokens["refresh_token"] = "the-refresh-token"
    who = sign_on(party, forger)
    begun = party.begin(REDIRECT)

    secrets = [
        begun.state,
        begun.nonce,
        begun.verifier,
        "the-code",
        BEGUN.verifier,
        "the-access-token",
        "the-refresh-token",
    ]
    secrets += [who.id_token, "made-up"]
    shown = caplog.text + repr(who) + repr(begun) + repr(forger.registration()) + repr(party)
    assert [secret for secret in secrets if secret in shown] == []


def test_a_private_authority_is_trusted_where_it_is_named(tmp_path, clock):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    harness.certify(certificate, key)
    with forging((certificate, key)) as forger:
        party = RelyingParty(forger.registration(ca_file=str(certificate)), now=clock, monotonic=clock)
        assert sign_on(party, forger).identity.subject == "ada"
        with pytest.raises(UnreachableError, match="cannot be reached"):
            RelyingParty(forger.registration(), now=clock, monotonic=clock).begin(REDIRECT)


def test_a_tls_connection_that_trickles_is_shut_too(tmp_path, clock):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    harness.certify(certificate, key)
    over = threading.Event()

    def trickle(handler):
        while not over.wait(0.05):
            try:
                handler.wfile.write(b"H")
                handler.wfile.flush()
            except OSError:
                return

    with forging((certificate, key)) as forger:
        forger.raw[DISCOVERY] = trickle
        registration = forger.registration(ca_file=str(certificate), timeout=0.5)
        try:
            with pytest.raises(UnreachableError, match=r"within 0\.5 s"):
                RelyingParty(registration, now=clock, monotonic=clock).begin(REDIRECT)
        finally:
            over.set()


def test_the_old_refresh_token_is_kept_where_none_comes_back(party, forger):
    forger.userinfo["groups"] = "celeriac-viewers"

    after = party.refresh("the-old-one", "ada")

    assert (after.refresh_token, after.id_token) == ("the-old-one", None)
    assert (after.identity.groups, after.groups_from) == (("celeriac-viewers",), "1 group in groups of the userinfo")


def test_groups_are_read_of_each_claim_as_they_are_told(party, forger):
    name = "CN=one\\, two,OU=Groups,DC=corp"
    forger.give(signed(forger.claims(groups=name, memberOf=[name, "three", 7, "", None], roles={"four": 1})))

    who = party.finish(BEGUN, REDIRECT, ANSWER)

    assert who.identity.groups == (name, "three")
    assert who.groups_from == "2 groups in groups and memberOf of the ID token"


def test_a_userinfo_that_is_not_opened_tells_no_groups(party, forger):
    forger.statuses["/userinfo_endpoint"] = 401
    forger.give(signed(forger.claims(groups=LEFT_OUT)))

    assert party.finish(BEGUN, REDIRECT, ANSWER).identity.groups == ()


def test_the_settings_name_a_file_that_holds_the_key(tmp_path):
    told = {"issuer": "https://p.example", "client_id": "c", "client_auth": "private_key_jwt"}
    with pytest.raises(SettingsError, match=r"client_key cannot be read"):
        relying_party(OidcSettings.model_validate(told | {"client_key": tmp_path / "none.pem"}))
