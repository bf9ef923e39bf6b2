"""The page: what it shows, what it sends when something changed, and its two orders."""

import re

import msgspec
import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace

from celeriac.core.incident import HeldReason, RemedyKind
from celeriac.core.limits import Policy
from celeriac.core.model import Mode, Verdict
from celeriac.core.repair import Repair, RepairKind
from celeriac.web.app import create_app
from celeriac.web.pages import questions, wording
from web import samples


def have(text):
    return re.findall(r'name="have" value="([^"]+)"', text)


def test_the_verdict_line_names_who_is_in_trouble(asked):
    page = asked.get("/").text

    assert "orders-worker/4 crashed, orders-worker/2 hung" in page


def test_the_page_shows_the_state_in_words(asked):
    page = re.sub(r"[ \n]+", " ", asked.get("/").text)

    for words in (
        "mode approve",
        "orders-worker/2 is hung and waits for approval",
        "solo pool: it does not beat while it works",
        "suspect",
        "Waits for your approval",
        "9 connections, none fetching, idle 33 s",
        "broker outage",
        "a person must approve",
        "was hung",
        "ConnectionError(&#39;payment gateway did not answer in 10 s&#39;)",
        "1\N{THIN SPACE}284\N{THIN SPACE}221",
        "Heard well",
        "lag 12 ms",
        "Not all is heard",
        "Events lost, as far as that can be told: 1203.",
        "The tasks of some workers.",
        "<code>worker_send_task_events = True",
        "nobody consumes it",
        "90 at priority 0, 12 at priority 6",
        "at least 1 h 00 min",
        "Unacknowledged messages: Redis counts them for all queues together",
    ):
        assert words in page, words


MISSED = "no shop.tick since 14:02:10 UTC: it used to come every 30 s (beat may have stopped)"


def noted(asked):
    return {one["name"]: one["notes"] for one in asked.get("/api/v1/clusters").json()["items"]}


def test_a_note_of_a_cluster_is_shown_while_the_keeper_s_word_is_fresh(asked, world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = msgspec.structs.replace(board, notes=(MISSED,))

    assert MISSED in asked.get("/").text
    assert noted(asked) == {"orders": [MISSED], "billing": []}
    assert "orders-worker/2 hung" in asked.get("/").text

    world.time += 60
    assert MISSED not in asked.get("/").text
    assert noted(asked) == {"orders": [], "billing": []}


def test_only_what_can_be_approved_or_restarted_has_a_button(asked):
    page = asked.get("/").text

    assert re.findall(r'hx-post="/incidents/([^/]+)/approve"', page) == ["inc-hung"]
    assert len(re.findall(r'hx-post="/workers/[^/]+/restart"', page)) == 6
    assert page.count("No running platform instance is known") == 1


def test_what_can_be_recycled_has_a_button_and_what_cannot_says_why(asked):
    page = asked.get("/").text

    assert len(re.findall(r'hx-post="/workers/[^/]+/recycle"', page)) == 4
    assert page.count("It cannot be recycled: no platform instance is known for this node") == 2
    assert page.count("It cannot be recycled: it is hung, and hears no order: restart it") == 1


def test_a_recycling_says_first_what_it_will_do(world):
    worker = next(one for one in world.queries.workers() if one.name == "orders-worker/0")

    said = questions.recycle_question(worker)

    assert "consume orders, mail no more, waits until it has ended the 3 tasks that it runs now" in said
    assert "No task is cut off" in said


def test_the_restart_of_an_app_says_first_what_it_will_do(asked, world):
    (app,) = world.queries.apps()

    said = questions.restart_app_question(app)

    assert "It restarts all 6 instances, also those that are well, one at a time" in said
    assert "the tasks that they run are cut off" in said
    page = asked.get("/").text
    assert page.count('hx-post="/apps/app-guid-1/restart"') == 2, "rolling, and all at once"
    assert "5 of 6 run" in page


def test_the_restart_of_an_app_names_what_it_passes(world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, policy=Policy(mode=Mode.APPROVE, maintenance="we move until 4"))

    (app,) = world.queries.apps()

    assert "maintenance: we move until 4" in app.passes
    assert len({one.partition(":")[0] for one in app.passes}) == len(app.passes)
    assert "It passes what holds the keeper now: mode:" in questions.restart_app_question(app)


def test_an_app_without_instances_cannot_be_restarted(asked, world):
    board = world.journal.boards["orders"]
    world.journal.boards["orders"] = replace(board, apps=tuple(replace(one, instances=()) for one in board.apps))

    page = asked.get("/").text

    assert '/restart" hx-vals' not in page
    assert "The platform shows no instance of it now" in page


def test_a_restart_says_first_what_it_will_do(world):
    worker = next(one for one in world.queries.workers() if one.name == "orders-worker/2")

    said = questions.restart_question(worker)

    assert samples.GUID.format(2) in said
    assert "index 2 of orders-worker" in said
    assert "8 running tasks will be cut off" in said


def test_an_empty_console_says_what_to_do():
    world = samples.empty_world()
    page = TestClient(create_app(world.service), "http://localhost").get("/").text

    assert "celery -A yourapp worker -E" in page
    assert "worker_send_task_events" in page
    assert "No incident is open" in page
    assert "No worker has been seen yet" in page


def test_nothing_is_sent_when_nothing_changed(asked):
    page = asked.get("/").text

    again = asked.get("/fragments", params={"have": have(page)})

    assert len(have(page)) == 8
    assert again.status_code == 204


def sections(page):
    """Return the words of each section, by its id."""
    found = dict(re.findall(r'<section id="(\w+)".*?>(.*?)</section>', page, re.DOTALL))
    return {name: re.sub(r"<svg.*?</svg>|[ \n]+", " ", text) for name, text in found.items()}


def test_one_cluster_can_be_chosen(asked, world):
    world.histories["billing"].rows["t"] = samples.task(1)
    shown = sections(asked.get("/?cluster=billing").text)

    assert set(shown) == {"clusters", "incidents", "workers", "queues", "recent", "tasks"}
    for name, text in shown.items():
        assert "orders-worker" not in text, name
    assert "celery@billing-1" in shown["workers"]
    assert "paid" in shown["queues"]
    assert "No incident is open" in shown["incidents"]
    assert "send_receipt" in shown["tasks"]
    assert "No incident has ended yet" in shown["recent"]


def test_what_burns_elsewhere_is_told_whatever_is_chosen(asked):
    assert "orders-worker/4 crashed, orders-worker/2 hung" in asked.get("/?cluster=billing").text


def test_the_chosen_cluster_is_kept_when_the_page_asks_for_changes(asked):
    page = asked.get("/?cluster=billing").text

    assert 'hx-get="/fragments?cluster=billing"' in page
    assert asked.get("/fragments", params={"cluster": "billing", "have": have(page)}).status_code == 204
    assert 'href="/?cluster=billing" aria-current="page"' in page


def test_with_one_cluster_there_is_nothing_to_choose():
    world = samples.empty_world()
    page = TestClient(create_app(world.service), "http://localhost").get("/").text

    assert "chooser" not in page


def test_a_cluster_that_is_not_there_is_a_page_that_says_so(asked):
    answer = asked.get("/?cluster=nope")

    assert answer.status_code == 404
    assert "No cluster &#39;nope&#39; is configured; there are: orders, billing." in answer.text


def test_only_what_changed_is_sent(asked, world):
    page = asked.get("/").text
    world.histories["orders"].rows["new"] = samples.task(3)

    changed = asked.get("/fragments", params={"have": have(page)})

    assert re.findall(r'hx-target="#(\w+)"', changed.text) == ["tasks"]


def test_time_alone_changes_nothing(asked, world):
    page = asked.get("/").text
    world.time += 5

    assert asked.get("/fragments", params={"have": have(page)}).status_code == 204


def test_an_order_is_stored_and_confirmed(asked, world):
    answer = asked.post("/incidents/inc-hung/approve", headers={"hx-request": "true", "sec-fetch-site": "same-origin"})

    assert answer.status_code == 202
    assert "Restart of orders-worker/2 is approved" in answer.text
    assert len(world.requests.asked) == 1


def test_an_approved_repair_is_called_one(asked, world):
    """Nothing is restarted, and nobody should think so."""
    add = Repair(RepairKind.ADD_CONSUMER, "orders", ("orders",))
    stories = world.journal.stories
    stories["inc-hung"] = replace(stories["inc-hung"], remedy=RemedyKind.LIVE_REPAIR, repair=add)

    assert "Repair orders-worker/2? " in asked.get("/").text
    answer = asked.post("/incidents/inc-hung/approve", headers={"hx-request": "true", "sec-fetch-site": "same-origin"})
    assert "Repair of orders-worker/2 is approved" in answer.text


def test_orders_of_the_workers_table_are_stored_and_audited(asked, world):
    ours = {"hx-request": "true", "sec-fetch-site": "same-origin"}
    recycled = asked.post(f"/workers/{world.place_id(0)}/recycle", headers=ours)
    rolled = asked.post("/apps/app-guid-1/restart", data={"cluster": "orders"}, headers=ours)
    hung = asked.post(f"/workers/{world.place_id(2)}/recycle", headers=ours)

    assert (recycled.status_code, rolled.status_code, hung.status_code) == (202, 202, 409)
    assert "Recycling of orders-worker/0 is ordered" in recycled.text
    assert "Rolling restart of orders-worker is ordered" in rolled.text
    assert "it is hung, and hears no order" in hung.text
    assert [one.kind for one in world.requests.asked.values()] == [RemedyKind.RECYCLE, RemedyKind.RESTART_APP]
    assert [(one.action, one.target) for one in world.audit.trail] == [
        ("recycle", "orders-worker/0"),
        ("restart-app", "orders-worker"),
    ]


def test_an_order_from_another_site_is_refused(asked, world):
    theirs = {"sec-fetch-site": "cross-site"}
    for path in (f"/workers/{world.place_id(0)}/recycle", "/apps/app-guid-1/restart"):
        assert asked.post(path, data={"cluster": "orders"}, headers=theirs).status_code == 403
    assert world.requests.asked == {}


def test_the_proposed_restart_of_an_app_is_approved_like_any_other(asked, world):
    world.journal.stories["inc-app"] = samples.proposed_restart()
    page = asked.get("/").text
    assert (
        "orders-worker/1, orders-worker/2, orders-worker/3, orders-worker/5, orders-worker/0, orders-worker/4." in page
    )
    assert "also those that are well" in page
    assert "no other restart of this app is proposed for an hour" in page

    answer = asked.post("/incidents/inc-app/approve", headers={"hx-request": "true", "sec-fetch-site": "same-origin"})
    assert "Rolling restart of orders-worker is approved" in answer.text


def test_a_refused_order_says_why_in_the_page(asked):
    answer = asked.post("/incidents/inc-past/approve", headers={"hx-request": "true"})

    assert answer.status_code == 409
    assert 'hx-target="#notice"' in answer.text
    assert "nothing to approve" in answer.text


def test_a_missing_page_is_a_page(asked):
    answer = asked.get("/nope")

    assert answer.status_code == 404
    assert answer.text.startswith("<!doctype html>")
    assert "There is nothing at /nope." in answer.text


def test_a_prefix_is_put_before_every_address(world):
    app = create_app(world.service)
    page = TestClient(app, "http://localhost", root_path="/celeriac").get("/").text

    addresses = re.findall(r'(?:src|href|hx-get|hx-post|hx-sse:connect)="(/[^"]*)"', page)

    assert addresses
    assert [each for each in addresses if not each.startswith("/celeriac/")] == []


@pytest.mark.parametrize("reason", HeldReason)
def test_every_reason_to_hold_has_words(world, reason):
    world.journal.stories["inc-hung"] = msgspec.structs.replace(world.hung, held_reason=reason)

    assert wording.held(world.queries.incident("inc-hung")) in wording.HELD.values()


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_look(verdict):
    tone, icon = wording.look(verdict)

    assert (tone, icon) != wording.PLAIN_LOOK
    assert (tone == "alive") == (verdict in {Verdict.HEALTHY, Verdict.BUSY})


def test_every_icon_is_drawn(asked):
    page = asked.get("/").text
    drawn = set(re.findall(r'<symbol id="i-(\w+)"', page))

    assert {icon for _, icon in wording.LOOKS.values()} | {wording.PLAIN_LOOK[1]} <= drawn
    assert set(re.findall(r'href="#i-(\w+)"', page)) <= drawn


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.0314, "31 ms"), (1.25, "1.2 s"), (59.99, "60.0 s"), (61, "1 min 01 s"), (3700, "1 h 01 min")],
)
def test_spans_of_time_read_well(seconds, words):
    assert wording.seconds(seconds) == words
