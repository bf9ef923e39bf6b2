"""`celeriac login` and what follows, against a real console and a browser that follows where it is sent."""

import json
import re
import threading
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from click.testing import CliRunner

import harness
from celeriac.cli import login as login_module
from celeriac.cli import main as root
from celeriac.cli.loopback import brought, landing
from cli.outcome import said
from web.serving import serving
from web.signed_on import PASSWORD, VIEWERS, Team


@pytest.fixture
def team(world):
    return Team(world)


@pytest.fixture
def console(world, team):
    with serving(world, signing_on=team.signing_on) as running:
        yield running


@pytest.fixture
def kept(tmp_path):
    """Return a function that reads the file of tokens."""
    path = tmp_path / "config" / "celeriac" / "tokens.json"
    return lambda: json.loads(path.read_text()) if path.exists() else {}


class Browser:
    """Follows redirects as a person's browser does, signs on where it is asked to, and presses a button."""

    def __init__(self, press="yes"):
        self.press, self.opened, self.landed = press, [], []

    def open(self, address):
        self.opened.append(address)
        thread = threading.Thread(target=self.visit, args=(address,), daemon=True)
        thread.start()
        return True

    def visit(self, address):
        with httpx2.Client(headers={"accept": "text/html", "sec-fetch-site": "same-origin"}, timeout=10) as http:
            page = self.follow(http, http.get(address))
            if 'name="password"' in page.text:
                typed = {**hidden(page.text), "name": "ursula", "password": PASSWORD}
                page = self.follow(http, http.post(page.url.join("/login"), data=typed))
            if 'name="challenge"' in page.text:
                pressed = {**hidden(page.text), "allow": self.press}
                self.landed.append(self.follow(http, http.post(page.url.join("/login/command-line"), data=pressed)))

    def follow(self, http, answer):
        while answer.is_redirect:
            answer = http.get(answer.url.join(answer.headers["location"]))
        return answer


def hidden(page):
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.replace("&amp;", "&")))


@pytest.fixture
def browser(monkeypatch):
    one = Browser()
    monkeypatch.setattr(login_module.webbrowser, "open", one.open)
    return one


def test_login_in_the_browser_whoami_and_logout(celeriac, console, browser, kept, team):
    told = said(celeriac("login"))

    assert browser.opened[0] in told
    assert f"Signed on at {console.url} as ursula (responder, by password), until" in told
    harness.wait_until(lambda: browser.landed, 10, "the browser is back")
    assert "You may close this tab" in browser.landed[0].text
    assert kept()[console.url].startswith("cls_")
    assert kept()[console.url] not in told
    assert "responder in all clusters" in said(celeriac("whoami"))
    assert json.loads(said(celeriac("whoami", "--json")))["subject"] == "ursula"
    assert "orders-worker" in said(celeriac("workers"))

    assert f"Signed off from {console.url}." in said(celeriac("logout"))
    assert kept() == {}
    assert [one.kind for one in team.sessions.kept.values()] == ["browser"]
    assert "There is no token" in said(celeriac("logout"))


def test_a_no_in_the_browser_ends_it(celeriac, browser, kept):
    browser.press = "no"

    result = celeriac("login")

    assert result.exit_code != 0
    assert "was refused in the browser" in result.output
    assert kept() == {}


def test_a_browser_that_does_not_come_back_is_waited_for_only_so_long(celeriac, kept, monkeypatch):
    monkeypatch.setattr(login_module.webbrowser, "open", lambda _: False)
    monkeypatch.setattr(login_module, "PATIENCE_S", 0.2)

    result = celeriac("login")

    assert "No browser was found" in result.output
    assert "within 5 minutes" in result.output
    assert kept() == {}


def test_ctrl_c_ends_the_wait_and_the_port_is_closed(celeriac, monkeypatch):
    seen = []

    def stop(address):
        seen.append(int(parse_qs(urlsplit(address).query)["port"][0]))
        raise KeyboardInterrupt

    monkeypatch.setattr(login_module.webbrowser, "open", stop)

    result = celeriac("login")

    assert (result.exit_code, "Aborted!" in result.output) == (1, True)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{seen[0]}/")


def test_no_browser_only_prints_the_address(celeriac, browser, monkeypatch):
    monkeypatch.setattr(login_module, "PATIENCE_S", 0.2)

    result = celeriac("login", "--no-browser")

    assert "/login/command-line?port=" in result.output
    assert browser.opened == []


def test_what_does_not_bring_the_state_is_not_looked_at():
    with landing("right") as place:
        home = f"http://127.0.0.1:{place.port}"
        wrong = [
            httpx2.get(f"{home}/?code=x&state=wrong"),
            httpx2.get(f"{home}/?code=x"),
            httpx2.get(f"{home}/?state=right"),
            httpx2.get(f"{home}/other?code=x&state=right"),
            httpx2.get(f"{home}/?code=x&code=y&state=right"),
        ]
        assert [one.status_code for one in wrong] == [400] * 5
        assert place.answer(0.1) is None

        good = httpx2.get(f"{home}/?code=x&state=right")
        assert good.status_code == 200
        assert place.answer(5) == {"code": "x", "state": "right"}
        assert "default-src 'none'" in good.headers["content-security-policy"]


def test_a_state_of_other_letters_is_no_error():
    assert brought("/?code=x&state=%C3%BC", "right") is None
    assert brought("/?" + "&".join(f"a{n}=1" for n in range(50)), "right") is None


def test_a_code_that_somebody_else_put_there_opens_nothing(celeriac, browser, kept, monkeypatch):
    """Login CSRF: the code of another command fits no verifier of ours."""
    asked = {}
    monkeypatch.setattr(login_module, "challenge_of", lambda verifier: asked.setdefault("challenge", "c" * 43))

    result = celeriac("login")

    assert "given to another command" in result.output
    assert kept() == {}


def test_an_api_token_from_standard_input(celeriac, console, kept, team):
    token = an_api_token(team)

    told = said(celeriac("login", "--token", typed=f"{token}\n"))

    assert "report (API token of Vera) (viewer, by API token)" in told
    assert token not in told
    assert kept() == {console.url: token}
    assert "goes on until it ends or is revoked" in said(celeriac("logout"))
    assert kept() == {}
    assert team.tokens.actor(token, "").called


@pytest.mark.parametrize("typed", ["", "\n", "two words\x07\n", "clt_" + "x" * 43 + "\n"])
def test_what_the_console_does_not_take_is_not_kept(celeriac, kept, typed):
    result = celeriac("login", "--token", typed=typed)

    assert result.exit_code != 0
    assert kept() == {}


def test_the_variable_comes_before_the_file(celeriac, console, kept, team, monkeypatch):
    said(celeriac("login", "--token", typed=f"{an_api_token(team, 'kept')}\n"))
    monkeypatch.setenv("CELERIAC_TOKEN", an_api_token(team, "given"))

    assert "given (API token of Vera)" in said(celeriac("whoami"))


def test_without_a_token_the_way_in_is_named(celeriac):
    result = celeriac("workers")

    assert result.exit_code != 0
    assert "Run `celeriac login`." in result.output


def test_a_token_goes_to_no_other_console(celeriac, team, world):
    said(celeriac("login", "--token", typed=f"{an_api_token(team)}\n"))

    with serving(world, signing_on=team.signing_on) as other:
        assert celeriac("whoami", "--url", other.url).exit_code != 0


def test_no_option_takes_a_token(celeriac):
    assert "No such option" in celeriac("workers", "--token", "x").output


def test_where_there_is_no_sign_on_none_is_needed(world, kept):
    with serving(world) as open_console:
        result = CliRunner().invoke(root, ["login", "--url", open_console.url])

    assert "commands need no token" in said(result)
    assert kept() == {}


def test_logout_forgets_the_token_of_a_console_that_is_gone(celeriac, console, browser, kept):
    said(celeriac("login"))
    console.stop()
    harness.wait_until(console.stopped, 10, "the console is gone")

    assert "the session may go on" in said(celeriac("logout"))
    assert kept() == {}


def test_tokens_are_made_listed_and_revoked(celeriac, browser, monkeypatch):
    assert "No API token" not in celeriac("tokens", "list").output
    said(celeriac("login"))
    made = celeriac("tokens", "make", "nightly", "--role", "operator", "--cluster", "orders", "--days", "2")

    secret = made.stdout.strip()
    assert re.fullmatch(r"clt_[\w-]{43}", secret)
    listed = said(celeriac("tokens", "list"))
    assert "operator in cluster orders" in listed
    assert secret not in listed
    id = json.loads(said(celeriac("tokens", "list", "--json")))[0]["id"]
    assert "nightly is revoked." in said(celeriac("tokens", "revoke", id))
    refused = celeriac("tokens", "make", "up", "--role", "admin")
    assert "more than you have" in refused.output


def an_api_token(team, name="report"):
    opened = team.arrive("vera", VIEWERS)
    acting = team.world.service.register.acting(team.desk.actor(opened.secret, "", active=True))
    return team.tokens.make(acting, name, acting.actor.grants[0]).secret
