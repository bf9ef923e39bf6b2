"""Signing on at a real OpenID provider, through the console's own door."""

import contextlib
import html
import re
import threading
import time

import httpx2
import pytest

import harness
from celeriac.app.access.provider_sign_on import PATIENCE_S
from celeriac.core.errors import NotTakenError
from celeriac.core.signon import LoggedOut
from celeriac.oidc import Registration, RelyingParty
from celeriac.ports import AuditFilter, Outcome
from celeriac.settings import ConsoleSettings
from celeriac.web.app import create_app
from web.entering import HERE, OWN, Entrance
from web.serving import serving

CALLBACK = f"{HERE}/auth/callback"


def relying_party(provider, clock=time.monotonic, **changed):
    known = {"issuer": provider.issuer, "client_id": provider.client_id, "client_secret": provider.client_secret}
    known |= {"group_claims": ("memberOf",), "api_audience": provider.api_audience, "timeout": 20.0}
    return RelyingParty(Registration(**{**known, **changed}), monotonic=clock)


@pytest.fixture
def entrance(world, tmp_path, provider):
    provider.config(redirectUris=[CALLBACK], backUris=[f"{HERE}/signed-off"])
    return Entrance(world, tmp_path, provider=relying_party(provider, lambda: world.time))


def begin(asked, onward="/"):
    sent = asked.get("/auth/begin", params={"next": onward})
    assert sent.status_code == 303, sent.text
    return sent.headers["location"]


def sign_on(provider, asked, name, onward="/"):
    """Sign on as somebody, and return the console's answer."""
    return asked.get("/auth/callback", params=provider.sign_on(begin(asked, onward), name, until=CALLBACK))


def mine(asked):
    return asked.get("/api/v1/workers").status_code


def denied(entrance):
    return [one.detail for one in entrance.world.audit.entries(AuditFilter(99, outcome=Outcome.DENIED))]


@pytest.mark.parametrize(
    ("name", "role"), [("ada", "admin"), ("rob", "responder"), ("vera", "viewer"), ("many", "viewer")]
)
def test_people_enter_with_the_role_of_their_groups(entrance, provider, name, role):
    asked = entrance.make()

    entered = sign_on(provider, asked, name, "/apps?cluster=orders")

    assert (entered.status_code, entered.headers["location"]) == (303, "/apps?cluster=orders")
    (session,) = entrance.store.sessions().standing(entrance.clock())
    assert (session.identity.subject, mine(asked)) == (name, 200)
    (row,) = entrance.world.audit.entries(AuditFilter(9, action="sign on"))
    assert (row.actor, row.role, row.outcome) == (name, role, Outcome.DONE)
    assert "memberOf of the ID token" in row.detail


def test_groups_of_userinfo_count(entrance, provider):
    provider.config(claimsInIdToken=False)
    asked = entrance.make()

    assert sign_on(provider, asked, "rob").status_code == 303
    (row,) = entrance.world.audit.entries(AuditFilter(9, action="sign on"))
    assert (row.role, "userinfo" in row.detail) == ("responder", True)


def test_who_is_in_no_group_of_ours_is_told_so_and_gets_no_session(entrance, provider):
    asked = entrance.make()
    refused = sign_on(provider, asked, "nob")

    assert refused.status_code == 403
    assert "no group of yours has a role here" in refused.text
    assert (entrance.store.sessions().standing(entrance.clock()), mine(asked)) == ([], 401)
    assert any("no group of nob" in one for one in denied(entrance))


def test_two_tabs_sign_on_at_once(entrance, provider):
    asked = entrance.make()
    first, second = begin(asked, "/apps"), begin(asked, "/doctor")
    answers = [provider.sign_on(url, "ada", until=CALLBACK) for url in (first, second)]

    entered = [asked.get("/auth/callback", params=one) for one in reversed(answers)]

    assert [one.headers.get("location") for one in entered] == ["/doctor", "/apps"]
    assert mine(asked) == 200


def test_a_sign_on_is_good_once(entrance, provider):
    """A state that was used is refused, whoever brings it."""
    asked = entrance.make()
    answer = provider.sign_on(begin(asked), "ada", until=CALLBACK)
    assert asked.get("/auth/callback", params=answer).status_code == 303

    again = asked.get("/auth/callback", params=answer)

    assert (again.status_code, "used already" in again.text) == (400, True)
    assert any("used already" in one for one in denied(entrance))


def test_a_sign_on_belongs_to_the_browser_that_began_it(entrance, provider):
    """Who sends a victim their own callback would have the victim work as the sender (login CSRF)."""
    attacker, victim = entrance.make(), entrance.make()
    begin(victim)
    answer = provider.sign_on(begin(attacker), "vera", until=CALLBACK)

    refused = victim.get("/auth/callback", params=answer)

    assert (refused.status_code, "another browser" in refused.text) == (400, True)
    assert mine(victim) == 401
    assert any("another browser" in one for one in denied(entrance))


@pytest.mark.parametrize("state", ["", "made-up", "x" * 3000])
def test_a_made_up_state_is_refused(entrance, state):
    refused = entrance.make().get("/auth/callback", params={"code": "any", "state": state})

    assert (refused.status_code, "was not begun here" in refused.text) == (400, True)


def test_a_sign_on_that_takes_too_long_is_refused(entrance, provider):
    asked = entrance.make()
    answer = provider.sign_on(begin(asked), "ada", until=CALLBACK)
    entrance.world.time += PATIENCE_S + 1

    assert asked.get("/auth/callback", params=answer).status_code == 400


def test_what_another_provider_answers_is_refused(entrance, provider):
    asked = entrance.make()
    answer = provider.sign_on(begin(asked), "ada", until=CALLBACK)

    refused = asked.get("/auth/callback", params=answer | {"iss": "https://evil.example"})

    assert (refused.status_code, "another provider" in refused.text) == (400, True)


def test_who_stops_the_sign_on_is_told_in_words(entrance, provider):
    refused = sign_on(provider, entrance.make(), "")

    assert (refused.status_code, "you have stopped it" in refused.text) == (400, True)


def test_an_onward_address_of_another_site_is_forgotten(entrance, provider):
    assert sign_on(provider, entrance.make(), "ada", "//evil.example").headers["location"] == "/"


def test_the_session_is_a_new_one(entrance, provider):
    planted, victim = entrance.make(), entrance.make()
    sign_on(provider, planted, "vera")
    cookie = planted.cookies["celeriac"]
    victim.cookies.set("celeriac", cookie)

    sign_on(provider, victim, "ada")

    assert [one.value for one in victim.cookies.jar if one.name == "celeriac"] != [cookie]
    assert mine(planted) == 401


# What follows the sign-on


def test_groups_are_read_again_and_many_requests_use_one_refresh(entrance, provider):
    """A refresh token that rolls is good once: of many requests at a time one uses it, and all are answered."""
    asked = entrance.make()
    sign_on(provider, asked, "rob")
    provider.person("rob", ["CN=celeriac-viewers,OU=Groups,DC=corp,DC=example"])
    entrance.world.time += 601
    before = provider.asked().count("POST /as/token.oauth2")
    answers = []

    def ask():
        client = entrance.make()
        client.cookies.set("celeriac", asked.cookies["celeriac"])
        answers.append(mine(client))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert answers == [200] * 8
    assert provider.asked().count("POST /as/token.oauth2") == before + 1
    assert asked.post("/api/v1/workers/orders-worker/0/restart").status_code == 403
    (row,) = entrance.world.audit.entries(AuditFilter(9, action="roles read again"))
    assert (row.before, row.after) == ("responder in all clusters", "viewer in all clusters")
    for _ in range(3):  # the rolled token goes on to work
        entrance.world.time += 601
        assert mine(asked) == 200
    assert provider.asked().count("POST /as/token.oauth2") == before + 4


def test_who_has_no_role_any_more_is_out(entrance, provider):
    asked = entrance.make()
    sign_on(provider, asked, "rob")
    provider.person("rob", ["CN=all-staff,OU=Groups,DC=corp,DC=example"])
    entrance.world.time += 601

    assert mine(asked) == 403


def test_a_refresh_that_the_provider_refuses_ends_the_session(world, tmp_path, provider):
    class Refusing:
        """The real one, but for its refresh."""

        def __init__(self):
            self.real = relying_party(provider)

        def __getattr__(self, name):
            return getattr(self.real, name)

        def refresh(self, token, subject):
            raise NotTakenError("invalid_grant")

    provider.config(redirectUris=[CALLBACK])
    entrance = Entrance(world, tmp_path, provider=Refusing())
    asked = entrance.make()
    sign_on(provider, asked, "rob")
    entrance.world.time += 601

    answer = asked.get("/api/v1/workers")
    assert (answer.status_code, "provider has ended" in answer.json()["detail"]) == (401, True)


def test_while_the_provider_is_down_who_is_in_stays_in_and_nobody_new_comes(entrance, provider, tmp_path):
    asked = entrance.make()
    sign_on(provider, asked, "rob")
    provider.config(outage=True)
    for hour in range(9):
        entrance.world.time += 3600
        assert mine(asked) == 200, hour

    fresh = Entrance(entrance.world, tmp_path / "another", provider=relying_party(provider))
    refused = fresh.make().get("/auth/begin")
    assert (refused.status_code, "Who is signed on stays so" in refused.text) == (503, True)
    entrance.world.time += 4 * 3600
    assert mine(asked) == 401  # as long as a session may last


def test_after_hours_the_provider_must_say_anew_who_it_is(entrance, provider):
    asked = entrance.make()
    sign_on(provider, asked, "rob")
    for _ in range(7):
        entrance.world.time += 3600
        assert mine(asked) == 200
    entrance.world.time += 3600

    led = asked.get("/", headers={"accept": "text/html"})
    assert (led.status_code, led.headers["location"]) == (303, "/auth/begin?next=%2F")
    sign_on(provider, asked, "rob")
    assert mine(asked) == 200


def test_keys_that_roll_do_not_matter(entrance, provider):
    sign_on(provider, entrance.make(), "ada")
    provider.rotate_keys()

    assert sign_on(provider, entrance.make(), "rob").status_code == 303


# Signing off


def onward(answer):
    """Return where a page leads by itself: browsers let no form be led to another site."""
    return html.unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)[1])


def test_signing_off_ends_the_session_at_the_provider_too(entrance, provider):
    with httpx2.Client(timeout=20) as browser:
        asked = entrance.make()
        answer = provider.sign_on(begin(asked), "ada", until=CALLBACK, browser=browser)
        asked.get("/auth/callback", params=answer)

        off = asked.post("/logout", headers=OWN)

        assert (off.status_code, mine(asked)) == (200, 401)
        assert onward(off).startswith(f"{provider.issuer}/idp/init_logout.openid?")
        assert provider.sign_off(onward(off), browser).startswith(f"{HERE}/signed-off")
        signed_on_anew = browser.get(begin(asked), follow_redirects=True)
        assert 'name="pf.pass"' in signed_on_anew.text  # the provider knows nobody any more


def test_an_old_ping_has_a_way_out_of_its_own(entrance, provider):
    provider.config(oldLogout=True)
    asked = entrance.make()
    sign_on(provider, asked, "ada")

    off = asked.post("/logout", headers=OWN)

    assert onward(off).startswith(f"{provider.issuer}/idp/startSLO.ping?TargetResource=")


@contextlib.contextmanager
def listening(entrance):
    """Serve the same console over a socket too, where the provider can reach it."""
    port = harness.free_port()
    app = create_app(entrance.world.service, entrance.signing_on, ConsoleSettings(port=port))
    with serving(entrance.world, port, app) as console:
        yield console


def test_the_provider_ends_sessions(entrance, provider):
    with listening(entrance) as console:
        provider.config(
            redirectUris=[CALLBACK],
            backUris=[f"{HERE}/signed-off"],
            backchannel={"celeriac": f"{console.url}/auth/backchannel-logout"},
        )
        with httpx2.Client(timeout=20) as browser:
            asked, other = entrance.make(), entrance.make()
            answer = provider.sign_on(begin(asked), "ada", until=CALLBACK, browser=browser)
            asked.get("/auth/callback", params=answer)
            sign_on(provider, other, "ada")
            assert (mine(asked), mine(other)) == (200, 200)
            (at_provider, _) = [one.provider_session for one in entrance.store.sessions().standing(entrance.clock())]
            assert at_provider

            url = f"{provider.issuer}/idp/init_logout.openid?client_id=celeriac"
            provider.sign_off(url, browser)

        harness.wait_until(lambda: mine(asked) == 401, 10, "the session has ended")
        assert mine(other) == 200  # another browser's
        (row,) = entrance.world.audit.entries(AuditFilter(9, action="sign off"))
        assert "as the provider wanted" in row.detail


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000])
def test_what_is_no_logout_token_ends_nothing(entrance, token):
    answer = entrance.make().post("/auth/backchannel-logout", data={"logout_token": token})

    assert answer.status_code in {400, 422}
    assert answer.headers["cache-control"] == "no-store"


def test_a_logout_token_is_good_once(world, tmp_path, provider):
    class Twice:
        """Reads any token as the same one."""

        def logged_out(self, token):
            return LoggedOut("ada", None, "the-one")

    asked = Entrance(world, tmp_path, provider=Twice()).make()

    answers = [asked.post("/auth/backchannel-logout", data={"logout_token": "any"}) for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 400]
    assert any("taken before" in one.detail for one in world.audit.entries(AuditFilter(9, outcome=Outcome.DENIED)))


def test_a_stream_ends_with_its_session(entrance, provider, monkeypatch):
    monkeypatch.setattr("celeriac.web.sign_on.ASKED_EACH_S", 0.2)
    asked = entrance.make()
    sign_on(provider, asked, "ada")
    app = create_app(entrance.world.service, entrance.signing_on, ConsoleSettings(port=harness.free_port()))
    with serving(entrance.world, None, app) as console, httpx2.Client(timeout=20) as http:
        cookies = {"cookie": f"celeriac={asked.cookies['celeriac']}"}
        with http.stream("GET", f"{console.url}/api/v1/stream", headers=cookies) as stream:
            parts = stream.iter_text()
            assert "changed" in next(parts)
            entrance.store.sessions().end(entrance.clock(), subject="ada")
            over = threading.Event()

            def change():
                while not over.wait(0.1):
                    entrance.world.change()

            thread = threading.Thread(target=change, daemon=True)
            thread.start()
            list(parts)  # comes back only once the stream ends
            over.set()
            thread.join(5)
            assert mine(asked) == 401
