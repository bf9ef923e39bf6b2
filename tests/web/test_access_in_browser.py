"""Access in a real browser: the way back to the command line, a new token, and the table of roles."""

import pytest
from playwright.sync_api import sync_playwright

from celeriac.app.access.command_line import challenge_of
from celeriac.cli.loopback import landing
from web.serving import serving
from web.signed_on import ADMINS, HERE, Team

pytestmark = pytest.mark.live

PHONE = {"width": 390, "height": 844}
STATE, VERIFIER = "s" * 43, "v" * 43


@pytest.fixture
def team(world):
    return Team(world)


@pytest.fixture
def page(chromium, world, team):
    """Anna's browser, on the narrowest screen; what it complains of fails the test."""
    with serving(world, signing_on=team.signing_on) as console, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        visitor = browser.new_context(base_url=console.url, viewport=PHONE)
        visitor.add_cookies([{"name": "celeriac", "value": team.arrive("anna", ADMINS).secret, "url": console.url}])
        shown, complaints = visitor.new_page(), []
        shown.on("console", lambda message: complaints.append(message.text))
        yield shown
        browser.close()
    assert complaints == []


def question(port):
    return f"/login/command-line?port={port}&challenge={challenge_of(VERIFIER)}&state={STATE}&host=laptop"


@pytest.mark.parametrize(("button", "brings"), [("Let it act as me", "code"), ("No", "error")])
def test_the_browser_goes_back_to_the_command_line(page, team, button, brings):
    """The policy of the page holds for where its form is redirected to as well."""
    with landing(STATE) as place:
        page.goto(question(place.port))
        page.get_by_role("button", name=button).click()
        answer = place.answer(10)
        page.get_by_text("You may close this tab").wait_for()

    assert answer is not None
    assert brings in answer
    if brings == "code":
        assert team.command_line.trade(answer["code"], VERIFIER, HERE).session.name == "Anna"


def test_a_token_is_made_and_its_secret_selected_by_a_click(page):
    page.goto("/access")
    page.get_by_label("Name").fill("nightly report")
    page.get_by_role("button", name="Make token").click()
    page.locator(".secret").click()

    selected = page.evaluate("getSelection().toString()")
    assert selected.strip() == page.locator(".secret").text_content()
    assert selected.startswith("clt_")


def test_a_row_is_moved_and_the_table_saved(page, team):
    page.goto("/access/roles")
    page.get_by_role("button", name="Move row 2 up").click()
    page.get_by_text("This is a draft").wait_for()
    page.get_by_label("Why").fill("on-call first")
    page.get_by_role("button", name="Save the table").click()
    page.get_by_text("Anna changed the rows here").wait_for()

    assert [one.group for one in team.tables.kept[-1].rules][:2] == ["on-call", "celery-admins"]


@pytest.mark.parametrize("path", ["/", "/access", "/access/roles", question(45_000)])
def test_nothing_is_wider_than_a_phone(page, path):
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_signing_off(page, team):
    page.goto("/access")
    page.get_by_role("button", name="Sign off").click()
    page.get_by_text("You have signed off").wait_for()

    assert team.sessions.kept == {}
