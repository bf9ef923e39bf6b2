"""The page of an app in a real browser: it asks the platform by itself, follows the log, and survives a platform that fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, sync_playwright

import harness
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.model import InstanceState
from web import samples
from web.test_in_browser import CONTRASTS, PHONE
from web.told import celery, line

pytestmark = pytest.mark.live

APP = "/apps/app-guid-1?cluster=orders"


@pytest.fixture
def visit(chromium, console, world):
    """Return a function that opens a page; what the browser complains of fails the test."""

    @contextmanager
    def visiting(path=APP, *, quietly=True, **context) -> Iterator[Page]:
        complaints = []
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(**context)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{console.url}{path}")
            page.wait_for_selector("html[data-live=live]")
            yield page
            browser.close()
        assert complaints == [] or not quietly
        harness.wait_until(lambda: world.platform.followers == 0, 5, "nobody follows any more")

    return visiting


def shown(page):
    return page.locator("#lines li .text").all_inner_texts()


def follows(world, number=1):
    harness.wait_until(lambda: world.platform.followers == number, 5, f"{number} follow")


def test_the_log_is_read_filtered_and_followed(visit, world):
    with visit() as page:
        page.locator("#lines li").nth(6).wait_for()
        assert page.locator("#lines li.tone-bad").count() == 3
        page.locator("select[name=instance]").select_option("2")
        harness.wait_until(lambda: page.locator("#lines li").count() == 4, 10, "4 lines")

        page.get_by_role("switch", name="Follow").check()
        follows(world)
        world.platform.write(celery(samples.NOW + 1, "INFO", "of another", 1))
        world.platform.write(celery(samples.NOW + 2, "ERROR", "<b>the newest</b>", 2))

        page.get_by_text("the newest").wait_for()
        assert len(shown(page)) == 5
        assert shown(page)[-1].endswith("<b>the newest</b>")
        assert page.locator("#lines li").last.get_attribute("class") == "tone-bad"
        assert page.evaluate("(l => l.scrollHeight - l.scrollTop - l.clientHeight)(document.querySelector('.log'))") < 2

        page.get_by_role("switch", name="Follow").uncheck()
        follows(world, 0)


def test_it_follows_the_other_instance_once_that_is_chosen_and_not_while_it_is_hidden(visit, world):
    show = """hidden => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with visit() as page:
        page.locator("#lines li").nth(6).wait_for()
        page.get_by_role("switch", name="Follow").check()
        follows(world)
        page.locator("select[name=instance]").select_option("1")
        harness.wait_until(lambda: page.locator("#lines li").count() == 1, 10, "1 lines")
        world.platform.write(line(samples.NOW + 1, "of 0", 0), line(samples.NOW + 2, "of 1", 1))
        page.get_by_text("of 1").wait_for()

        page.evaluate(show, True)
        follows(world, 0)
        world.platform.write(line(samples.NOW + 3, "meanwhile", 1))
        page.evaluate(show, False)

        page.get_by_text("meanwhile").wait_for()
        assert len(shown(page)) == 3


def test_trouble_of_the_platform_is_told_and_a_refusal_ends_the_following(visit, world):
    with visit(quietly=False) as page:
        page.locator("#lines li").nth(6).wait_for()
        page.get_by_role("switch", name="Follow").check()
        follows(world)

        world.platform.fail(UnreachableError("no answer (503)"))
        page.get_by_text("no answer (503) Trying again.").wait_for()
        world.platform.fail(RefusedError("your role was taken"))

        page.get_by_text("your role was taken").wait_for()
        assert not page.get_by_role("switch", name="Follow").is_checked()
        page.get_by_role("button", name="Read again").first.click()
        page.get_by_text("The log cannot be read now").wait_for()
        world.platform.fail(None)
        page.get_by_role("button", name="Read again").first.click()
        page.locator("#lines li").nth(6).wait_for()


def test_a_platform_that_does_not_answer_breaks_nothing_else(visit, world):
    world.platform.fail(UnreachableError("no answer (503)"))
    with visit() as page:
        page.get_by_text("The log cannot be read now").wait_for()
        page.get_by_text("The events cannot be read now").wait_for()
        assert page.locator("#app tbody tr").count() == 6
        board = world.journal.boards["orders"]
        first = replace(board.apps[0].instances[0], state=InstanceState.DOWN)
        app = replace(board.apps[0], instances=(first, *board.apps[0].instances[1:]))
        world.journal.boards["orders"] = replace(board, apps=(app,))
        world.change()
        page.locator("#instance-worker-0").get_by_text("DOWN").wait_for()

        world.platform.fail(None)
        page.locator("#events").get_by_role("button", name="Read again").click()
        page.get_by_text("index 2, exit status 137").wait_for()


def test_variables_are_asked_for_only_when_somebody_looks(visit, world):
    with visit() as page:
        page.get_by_text("index 2, exit status 137").wait_for()
        assert "environment" not in {what for what, _ in world.platform.asked}

        page.locator("#env summary").click()

        page.get_by_text("orders,mail").wait_for()
        assert page.get_by_text("never shown").count() == 1


@pytest.mark.parametrize("path", ["/apps", APP])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (768, "dark"), (1440, "light")])
def test_pages_fit_and_can_be_read(visit, world, path, width, scheme):
    world.platform.write(line(samples.NOW, "x" * 400))
    with visit(path, viewport={**PHONE, "width": width}, color_scheme=scheme) as page:
        if path == APP:
            page.locator("#lines li").nth(7).wait_for()
            page.locator("#env summary").click()
            page.get_by_text("orders,mail").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRASTS) == []


def test_the_navigation_leads_from_page_to_page(visit):
    with visit("/") as page:
        page.get_by_role("link", name="Apps").click()
        page.get_by_role("link", name="orders-worker").click()
        page.wait_for_selector("#lines li")
        page.get_by_role("link", name="Overview").click()
        page.wait_for_selector("#workers tbody tr")
