"""People sign on in a real browser, at a real provider's own page, and each sees the console that their role gives."""

from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

import harness
from celeriac.oidc import Registration, RelyingParty
from celeriac.settings import ConsoleSettings
from celeriac.web.app import create_app
from web import samples
from web.entering import Entrance
from web.serving import serving

pytestmark = pytest.mark.live

PLACES = {
    "vera": {"Restart": 0, "Pause": 0, "Approve": 0, "arguments": "hidden"},
    "olga": {"Restart": 0, "Pause": 0, "Approve": 0, "arguments": "hidden"},
    "rob": {"Restart": 1, "Pause": 1, "Approve": 1, "arguments": "hidden"},
    "ada": {"Restart": 1, "Pause": 1, "Approve": 1, "arguments": "shown"},
}


@pytest.fixture
def browser(chromium):
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def console(tmp_path, provider):
    """A console whose people sign on at the provider."""
    world, port = samples.night_world(), harness.free_port()
    url = f"http://127.0.0.1:{port}"
    provider.config(redirectUris=[f"{url}/auth/callback"], backUris=[f"{url}/signed-off"])
    registration = Registration(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        group_claims=("memberOf",),
        timeout=20.0,
    )
    entrance = Entrance(world, tmp_path, provider=RelyingParty(registration), url=url)
    app = create_app(world.service, entrance.signing_on, ConsoleSettings(port=port))
    with serving(world, port, app) as running:
        running.entrance = entrance
        yield running


@contextmanager
def signed_on(browser, provider, console, name):
    """Give the first page, after its person has signed on at the provider's."""
    with browser.new_context() as visitor:
        page = visitor.new_page()
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(console.url)
        assert page.url == f"{console.url}/login?next=%2F"
        page.get_by_role("link", name="Sign on with your provider").click()
        page.locator('[name="pf.username"]').fill(name)
        page.locator('[name="pf.pass"]').fill(provider.password(name))
        page.get_by_role("button", name="Sign On").click()
        page.wait_for_url(f"{console.url}/")
        page.wait_for_selector("html[data-live=live]")
        yield page
        assert complaints == []


def seen(page):
    first = page.locator("#tasks td[data-label=Arguments]").first.inner_text()
    return {
        "Restart": min(1, page.get_by_role("button", name="Restart orders-worker/0").count()),
        "Pause": min(1, page.locator("summary", has_text="Pause").count()),
        "Approve": min(1, page.locator("#incidents button", has_text="Approve").count()),
        "arguments": "hidden" if first == "hidden" else "shown",
    }


@pytest.mark.parametrize("name", PLACES)
def test_each_role_sees_its_own_console(browser, provider, console, name):
    with signed_on(browser, provider, console, name) as page:
        assert seen(page) == PLACES[name]


def test_a_responder_restarts_and_signs_off(browser, provider, console):
    with signed_on(browser, provider, console, "rob") as page:
        page.get_by_role("button", name="Restart orders-worker/0").click()
        page.locator("#ask-yes").click()
        page.get_by_text("Restart of orders-worker/0 is ordered").wait_for()

        page.get_by_role("button", name="Sign off").click()
        page.wait_for_url(f"{console.url}/signed-off*")
        page.goto(console.url)
        assert page.url == f"{console.url}/login?next=%2F"


def test_a_page_whose_session_ends_leads_to_the_sign_on(browser, provider, console):
    """A page that stays open asks for its parts by itself: it must not stand there with old data and no word."""
    with signed_on(browser, provider, console, "vera") as page:
        entrance = console.entrance
        entrance.store.sessions().end(entrance.clock(), subject="vera")
        entrance.world.change()

        page.wait_for_url(f"{console.url}/login?next=%2F")


def test_who_has_no_role_is_told_so(browser, provider, console):
    with browser.new_context() as visitor:
        page = visitor.new_page()
        page.goto(f"{console.url}/auth/begin")
        page.locator('[name="pf.username"]').fill("nob")
        page.locator('[name="pf.pass"]').fill(provider.password("nob"))
        page.get_by_role("button", name="Sign On").click()
        page.get_by_text("no group of yours has a role here").wait_for()
