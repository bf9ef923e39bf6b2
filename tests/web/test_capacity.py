"""Capacity over HTTP: the API, the page, the client and the command line tell the same."""

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from playwright.sync_api import sync_playwright

import busy_week
from celeriac.cli import main as root
from celeriac.client import Celeriac, ClientError
from web import samples

APP_ID = "app-guid-1"
PEAK_AT = samples.NOW - 2 * 86400


@pytest.fixture
def world():
    """A week of the night's app, with a gap of three hours."""
    world = samples.night_world()
    gap = (samples.NOW // 3600 * 3600 - 30 * 3600, samples.NOW // 3600 * 3600 - 27 * 3600)
    world.loads.minutes = busy_week.week(samples.NOW, PEAK_AT, gap=gap)
    world.loads.tasks = busy_week.tasks(PEAK_AT - 900, PEAK_AT + 900, per_s=2.5, mean_s=4.0)
    return world


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("CELERIAC_URL", console.url)
    return lambda *arguments: CliRunner().invoke(root, arguments)


def test_the_api_tells_the_advice_and_what_it_rests_on(asked):
    found = asked.get(f"/api/v1/apps/{APP_ID}/capacity").json()
    (one,) = found["processes"]
    assert (found["name"], found["cluster"], found["wait_s"], found["share"]) == ("orders-worker", "orders", 30.0, 0.95)
    assert (one["needed"], one["spare"], one["peak"]["busy"], one["slots_per_instance"]) == (3, 4, 11.0, 4)
    assert [row["instances"] for row in one["expected"]] == [2, 3, 4, 5]
    assert one["expected"][0]["p95_wait_s"] is None
    assert sum(hour["busy"] is None for hour in one["hours"]) == 3
    assert found["quota"]["instances_left"] is None
    named = asked.get("/api/v1/apps/orders-worker/capacity", params={"cluster": "orders", "wait_s": 0.5}).json()
    assert named["wait_s"] == 0.5
    assert named["processes"][0]["needed"] > 3


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "inf", "1e9", "soon"])
def test_an_objective_that_makes_no_sense_is_refused(asked, wait):
    assert asked.get(f"/api/v1/apps/{APP_ID}/capacity", params={"wait_s": wait}).status_code == 422
    assert asked.get(f"/apps/{APP_ID}/capacity", params={"wait_s": wait}).status_code == 422


def test_an_app_that_is_not_watched_is_missing(asked):
    assert asked.get("/api/v1/apps/nobody/capacity").status_code == 404
    assert asked.get("/apps/nobody/capacity").status_code == 404


def test_the_page_shows_the_week_the_table_and_the_advice(asked):
    answer = asked.get(f"/apps/{APP_ID}/capacity")
    assert answer.status_code == 200
    text = answer.text
    assert "11 of 12 slots busy" in text
    assert "for p95 under 30 s at that peak 3 are needed, 4 with one lost" in text
    assert text.count('class="unseen"') == 3
    assert " style=" not in text, "the page's policy forbids it"
    svg = ET.fromstring(text[text.index('<svg viewBox="0 0 169') : text.index("</svg>", text.index("0 0 169")) + 6])  # noqa: S314 (our own)
    heights = [float(one.get("height")) for one in svg.iter("rect") if one.get("class") == "most"]
    assert len(heights) == 169 - 3
    assert max(heights) == pytest.approx(100 * 11 / 12, abs=0.01)


@pytest.mark.live
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_draws_it_without_complaint_and_nothing_scrolls_sideways(chromium, console, width):
    complaints = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(f"{console.url}/apps/{APP_ID}/capacity")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("figure svg").bounding_box()["width"] > 0.8 * width
            page.locator("#wait_s").fill("0.5")
            page.get_by_role("button", name="Show").click()
            page.get_by_text("were not enough at the peak").wait_for()
        finally:
            browser.close()
    assert complaints == []


def test_the_page_of_an_app_that_was_never_seen_says_so(asked, world):
    world.loads.minutes = []
    text = asked.get(f"/apps/{APP_ID}/capacity").text
    assert "has not been seen yet" in text
    assert "<svg viewBox" not in text


def test_names_are_shown_and_not_obeyed(asked, world):
    world.loads.minutes = [replace(one, process="<script>") for one in world.loads.minutes]
    text = asked.get(f"/apps/{APP_ID}/capacity").text
    assert "&lt;script&gt;" in text


def test_the_client_reads_it(console):
    with Celeriac(console.url) as client:
        found = client.capacity("orders-worker", wait_s=60)
        assert found.wait_s == 60
        assert found.processes[0].needed == 3
        with pytest.raises(ClientError, match="No app 'nobody' is watched"):
            client.capacity("nobody")


def test_the_command_line_tells_it(celeriac):
    answer = celeriac("capacity", "orders-worker")
    assert answer.exit_code == 0, answer.output
    lines = answer.output.splitlines()
    assert lines[0] == "orders-worker worker in orders, seen 6.88 days of 7 days"
    assert "4 with one lost; what the quota leaves is not known" in answer.output
    days = [line for line in lines if line[:3] in {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}]
    assert len(days) == 8
    assert sum(line.count("·") for line in days) == 3
    assert sum(line.count("▂") for line in days) > 100
    assert any("3 (now, needed)" in line for line in lines)
    assert any("grows" in line for line in lines)


def test_the_command_line_prints_json_and_refuses_nonsense(celeriac):
    assert json.loads(celeriac("capacity", "orders-worker", "--json").output)["processes"][0]["needed"] == 3
    tight = json.loads(celeriac("capacity", "orders-worker", "--wait", "0.5", "--json").output)
    assert tight["processes"][0]["needed"] > 3
    assert celeriac("capacity", "orders-worker", "--wait", "0").exit_code == 2
    assert "No app 'nobody' is watched" in celeriac("capacity", "nobody").output


def test_the_command_line_of_an_app_that_was_never_seen_says_so(celeriac, world):
    world.loads.minutes = []
    assert "has not been seen yet" in celeriac("capacity", "orders-worker").output
