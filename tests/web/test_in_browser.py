"""The page in a real browser: it stays live, asks before orders, leaves alone what people opened, and says when it is old."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, sync_playwright

import harness
from celeriac.access_ports import BreakGlassUse
from celeriac.core.audit import AuditEntry
from celeriac.core.incident import Scale
from celeriac.core.model import Process
from celeriac.core.queues import QueueSample
from web import samples
from web.serving import serving

pytestmark = pytest.mark.live

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def browser(chromium):
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser, console):
    """Return a function that opens the console; what the browser complains of fails the test."""

    @contextmanager
    def visiting(url=console.url, *, quietly=True, **context) -> Iterator[Page]:
        complaints = []
        with browser.new_context(**context) as visitor:
            page = visitor.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(url)
            page.wait_for_selector("html[data-live=live]")
            yield page
        assert complaints == [] or not quietly

    return visiting


def tasks_shown(page):
    return page.locator("#tasks tbody tr").count()


def arrive(world, name="shop.mail.brand_new"):
    one = samples.task(0)
    one.uuid, one.name, one.first_at = name, name, world.time
    world.histories["orders"].rows[one.uuid] = one
    world.change()


def test_a_change_appears_by_itself_and_touches_nothing_else(visit, world):
    with visit() as page:
        page.evaluate("document.querySelector('#workers tbody tr').dataset.mark = 'same'")
        page.locator("#past > summary").click()
        page.locator("#proof-inc-hung > summary").click()
        page.locator("#tasks tbody tr details > summary").first.click()
        opened = page.locator("#tasks details[open]").get_attribute("id")
        page.locator("#theme").focus()

        arrive(world)

        page.get_by_text("brand_new").first.wait_for()
        assert page.locator("#tasks details[open]").get_attribute("id") == opened
        assert page.locator("#past").get_attribute("open") is not None
        assert page.locator("#proof-inc-hung").get_attribute("open") is None
        assert page.evaluate("document.activeElement.id") == "theme"
        assert page.locator("[data-mark=same]").count() == 1


def test_what_is_redrawn_keeps_what_people_opened(visit, world):
    with visit() as page:
        page.locator("#proof-inc-hung > summary").click()
        page.locator("#proof-inc-crashed > summary").focus()
        board = world.journal.boards["orders"]
        steps = (*world.hung.steps, samples.Step(world.time, "held", "somebody must look"))
        world.journal.stories["inc-hung"] = msgspec.structs.replace(world.hung, steps=steps)
        world.journal.boards["orders"] = msgspec.structs.replace(board, sentence="a new sentence")
        world.change()

        page.get_by_text("a new sentence").wait_for()
        page.locator("#proof-inc-hung li").nth(3).wait_for(state="attached")
        assert page.locator("#proof-inc-hung").get_attribute("open") is None
        assert page.locator("#proof-inc-crashed").get_attribute("open") is not None
        assert page.evaluate("document.activeElement.parentElement.id") == "proof-inc-crashed"


def test_a_page_whose_scripts_come_late_is_live_all_the_same(browser, console):
    """Its library must not begin before the extension that reads the stream is there."""
    held = []
    with browser.new_context() as visitor:
        page = visitor.new_page()
        page.route("**/hx-sse.min.js", lambda route: held.append(route))  # noqa: PLW0108 (playwright takes no builtin)
        page.goto(console.url, wait_until="commit")
        begun = "document.readyState == 'interactive' && !!window.htmx"
        harness.wait_until(lambda: page.evaluate(begun) and held, 10, "the library is there")
        page.evaluate("new Promise((then) => setTimeout(then))")
        held.pop().continue_()

        page.wait_for_selector("html[data-live=live]")


def test_a_chosen_cluster_stays_chosen_when_something_changes(visit, world, console):
    with visit() as page:
        page.get_by_role("navigation", name="Choose a cluster").get_by_role("link", name="billing").click()
        page.wait_for_url("**/?cluster=billing")  # until then the page before it is live
        page.wait_for_selector("html[data-live=live]")
        arrive(world, "shop.of_orders")
        world.histories["billing"].samples.append(QueueSample("unpaid", samples.NOW, {0: 9}, consumers=0))
        world.change()

        page.locator("#queues").get_by_text("unpaid").wait_for()
        assert page.locator("#queues").get_by_text("nobody consumes it").is_visible()
        assert page.get_by_text("of_orders").count() == 0
        assert page.locator("#workers tbody tr").count() == 1


def test_what_cannot_be_seen_stays_open_when_something_changes(visit, world):
    with visit() as page:
        page.locator("#gaps-orders > summary").click()
        world.histories["orders"].heard = samples.heard(7, lost_tasks=5)
        world.change()

        page.get_by_text("reaching Celeriac: 5").wait_for()
        assert page.locator("#gaps-orders").get_by_text("worker_send_task_events").is_visible()


def test_a_restart_asks_first_and_is_then_ordered(visit, world):
    with visit() as page:
        button = page.get_by_role("button", name="Restart orders-worker/2")
        button.click()
        assert samples.GUID.format(2) in page.locator("#ask-text").inner_text()
        page.get_by_role("button", name="Cancel").click()
        button.click()
        page.keyboard.press("Escape")
        assert world.requests.asked == {}

        button.click()
        page.locator("#ask-yes").click()

        page.get_by_text("Restart of orders-worker/2 is ordered").wait_for()
        assert [one.place.index for one in world.requests.asked.values()] == [2]
        page.get_by_role("button", name="Dismiss").click()
        assert page.locator(".notice").count() == 0


def test_an_approval_asks_first_and_is_then_given(visit, world):
    with visit() as page:
        page.get_by_role("button", name="Approve restart").click()
        page.get_by_role("button", name="Approve", exact=True).click()

        page.get_by_text("Restart of orders-worker/2 is approved").wait_for()
        assert [one.incident for one in world.requests.asked.values()] == ["inc-hung"]


def test_a_break_glass_sign_on_appears_by_itself_and_goes_once_it_is_seen(visit, world):
    with visit() as page:
        assert not page.locator("#break-glass").is_visible()
        world.break_glass.used(BreakGlassUse("use-1", world.time, "emergency", "10.1.2.3"))
        world.change()

        card = page.locator("#break-glass-use-1")
        card.get_by_text("Break-glass sign-on by emergency").wait_for()
        card.get_by_role("button", name="Mark as seen").click()
        assert "10.1.2.3" in page.locator("#ask-text").inner_text()
        page.locator("#ask-yes").click()
        page.get_by_text("The sign-on of emergency is marked as seen").wait_for()
        world.change()
        card.wait_for(state="detached")
        assert world.break_glass.kept[0].seen_by == "someone on this machine"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_trail_fits_a_phone_and_filters_without_scripts(browser, console, world, scheme):
    for number in range(60):
        world.audit.note(AuditEntry(world.time - number, "ana", "restart", "orders-worker/2", "x" * 300, "orders"))
    with browser.new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=False) as visitor:
        page = visitor.new_page()
        page.goto(f"{console.url}/audit?limit=20")
        page.get_by_label("Actor").fill("ana")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**/audit?*actor=ana*")
        page.get_by_role("link", name="Older").click()
        page.get_by_role("link", name="Newest").wait_for()

        assert page.locator(".trail tbody tr").count() == 10
        assert page.locator("body").bounding_box()["width"] <= PHONE["width"]


def test_recycling_and_a_rolling_restart_ask_first_and_are_then_ordered(visit, world):
    with visit() as page:
        page.get_by_role("button", name="Recycle orders-worker/0").click()
        assert "No task is cut off" in page.locator("#ask-text").inner_text()
        page.locator("#ask-yes").click()
        page.get_by_text("Recycling of orders-worker/0 is ordered").wait_for()

        rolling = page.get_by_role("button", name="Restart app orders-worker (rolling)")
        rolling.click()
        assert "one at a time" in page.locator("#ask-text").inner_text()
        page.get_by_role("button", name="Cancel").click()
        assert [one.kind for one in world.requests.asked.values()] == ["recycle"]
        rolling.click()
        page.locator("#ask-yes").click()
        page.get_by_text("Rolling restart of orders-worker is ordered").wait_for()

        assert [one.place.name for one in world.requests.asked.values()] == ["orders-worker/0", "orders-worker"]
        assert page.get_by_role("button", name="Recycle").first.is_disabled()


def test_scaling_names_the_chosen_process_and_both_numbers_before(visit, world):
    board = world.journal.boards["orders"]
    app = replace(board.apps[0], processes=(Process("web", 0), Process("worker", 6), Process("beat", 1)))
    world.journal.boards["orders"] = replace(board, apps=(app,))
    with visit() as page:
        page.get_by_label("Scale app orders-worker").click()
        number, asked = page.locator("input[name=instances]"), page.locator("#ask-text")
        assert number.input_value() == "6"
        page.locator("select[name=process]").select_option("beat")
        assert number.input_value() == "1"
        arrive(world)
        page.get_by_text("brand_new").first.wait_for()
        assert page.locator("select[name=process]").input_value() == "beat"

        number.fill("2")
        page.get_by_role("button", name="Scale orders-worker").click()
        assert asked.inner_text().startswith("Scale beat of orders-worker from 1 to 2? The platform starts")
        page.locator("#ask-yes").click()
        page.get_by_text("Scaling of orders-worker to 2 instances is ordered").wait_for()

    (order,) = world.requests.asked.values()
    assert order.scale == Scale("beat", 1, 2, drain=True)


def test_an_incident_is_held_with_a_reason(visit, world):
    """What is being typed survives a redraw; a reason is needed."""
    with visit() as page:
        page.locator("#hold-inc-hung > summary").click()
        page.get_by_role("button", name="Hold", exact=True).click()
        assert world.requests.said == {}
        page.get_by_label("Reason").nth(-1).fill("I look into it")
        board = world.journal.boards["orders"]
        world.journal.boards["orders"] = msgspec.structs.replace(board, sentence="a new sentence")
        steps = (*world.hung.steps, samples.Step(world.time, "held", "somebody must look"))
        world.journal.stories["inc-hung"] = msgspec.structs.replace(world.hung, steps=steps)
        world.change()
        page.get_by_text("a new sentence").wait_for()
        page.get_by_role("button", name="Hold", exact=True).click()

        page.get_by_text("The incident of orders-worker/2 will be held").wait_for()
        assert [one.why for one in world.requests.said.values()] == ["I look into it"]


def test_a_cluster_is_paused_and_resumed(visit, world):
    """The page asks before it resumes, and names what is paused."""
    with visit() as page:
        page.locator("#pause-orders > summary").click()
        page.locator("#pause-orders").get_by_label("Reason").fill("we move")
        page.get_by_role("button", name="Pause orders").click()
        page.get_by_text("orders is paused", exact=False).first.wait_for()

        world.change()
        page.get_by_role("button", name="Resume").click()
        assert "we move" in page.locator("#ask-text").inner_text()
        page.locator("#ask-yes").click()
        page.get_by_text("orders resumed").wait_for()
        assert world.pauses.standing(world.time) == ()


def test_ages_tick_without_the_server(visit):
    with visit() as page:
        age = page.locator("#workers time").first
        before = age.inner_text()

        harness.wait_until(lambda: age.inner_text() != before, 5, "the age has changed")

        assert age.inner_text().endswith(" s ago")
        assert age.get_attribute("title").endswith(" UTC")


def test_it_says_when_the_console_is_gone_and_is_live_again_when_it_is_back(visit, world):
    with serving(world) as first, visit(first.url, quietly=False) as page:
        first.stop()
        harness.wait_until(first.stopped, 5, "the console has stopped")

        page.wait_for_selector("html[data-live=lost]", timeout=10_000)
        assert "not live" in page.locator("#stale").inner_text()
        assert page.locator("#sign").inner_text().startswith("Not live for")

        with serving(world, port=int(first.url.rpartition(":")[2])):
            page.wait_for_selector("html[data-live=live]", timeout=20_000)
            assert page.locator("#stale").is_hidden()


def test_it_says_when_the_keeper_is_silent(visit, world):
    with visit() as page:
        world.time += 40
        world.change()

        page.wait_for_selector("html[data-live=old]")
        assert "the keeper has not judged it lately" in page.locator("#stale").inner_text()
        assert page.locator(".judged.old").count() == 2


def test_the_stream_is_closed_while_the_page_is_hidden(visit, console):
    def streams():
        return len(console.server.server_state.tasks)

    show = """hidden => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with visit() as page:
        harness.wait_until(lambda: streams() == 1, 5, "requests of the start are over, and the stream is open")

        page.evaluate(show, True)
        harness.wait_until(lambda: streams() == 0, 5, "the stream is closed")
        page.evaluate(show, False)

        harness.wait_until(lambda: streams() == 1, 5, "the stream is open again")
        page.wait_for_selector("html[data-live=live]")


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_scrolls_sideways_but_tables(visit, world, width):
    arrive(world, "shop." + "very_long_name_" * 12)
    world.kept.put([samples.casualties_of("inc-hung")])
    with visit(viewport={**PHONE, "width": width}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_colours_follow_the_system_until_chosen(visit):
    paper = "getComputedStyle(document.body).backgroundColor"
    with visit(color_scheme="dark") as page:
        dark = page.evaluate(paper)
        page.locator("#theme").click()
        light = page.evaluate(paper)
        page.reload()

        assert page.locator("#theme-name").inner_text() == "Light"
        assert page.evaluate(paper) == light != dark
        page.wait_for_selector("html[data-live=live]")


CONTRASTS = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
    if (!own || !element.checkVisibility() || element.closest(":disabled")) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(visit, scheme):
    with visit(color_scheme=scheme) as page:
        assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_page_opens_without_complaint(browser, console, scheme):
    complaints = []
    page = browser.new_page(color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{console.url}/api/docs")
    page.locator("details").first.click()

    assert page.get_by_text("ClusterList").first.is_visible()
    assert page.evaluate(CONTRASTS) == []
    assert complaints == []
