"""Apps over HTTP: what the keeper saw, what the platform tells when asked, its refusals, and the stream of a log."""

import json
import urllib.parse

import pytest
from msgspec.structs import replace

import harness
from celeriac.app import app_record_queries
from celeriac.core.errors import ConflictError, MissingError, RefusedError, SparedError, UnreachableError
from celeriac.core.model import InstanceState
from celeriac.web.api import apps
from web import samples
from web.test_api import items, problem
from web.test_stream import Listener
from web.told import SECRET, celery, line

APP = "/api/v1/apps/orders-worker"


def test_instances_stand_beside_their_workers(asked):
    app = asked.get(APP).json()

    assert (app["state"], app["processes"]) == ("STARTED", [{"type": "worker", "wanted": 6, "running": 5}])
    hung = app["instances"][2]
    assert (hung["state"], hung["verdict"], hung["guid"]) == ("RUNNING", "hung", samples.GUID.format(2))
    assert hung["nodes"] == ["worker@" + samples.GUID.format(2)]
    assert hung["heartbeat_age_s"] == pytest.approx(282.5, abs=1)
    assert (hung["uptime_s"], hung["since"][-1]) == (8102.0, "Z")
    assert app == asked.get("/api/v1/apps/app-guid-1", params={"cluster": "orders"}).json()
    assert items(asked.get("/api/v1/apps")) == [app]


def test_nodes_that_share_an_instance_are_named_and_none_speaks_for_it(asked, world):
    board = world.journal.boards["orders"]
    shared = board.findings[0]
    both = [replace(shared, place=replace(shared.place, node=name)) for name in ("a@x", "b@x")]
    world.journal.boards["orders"] = replace(board, findings=(*both, *board.findings[1:]))

    one = asked.get(APP).json()["instances"][0]

    assert (one["verdict"], one["worker"], len(one["nodes"])) == (None, None, 2)


def test_an_ambiguous_name_is_a_conflict_that_lists_the_clusters(asked, world):
    boards = world.journal.boards
    boards["billing"] = replace(boards["billing"], apps=boards["orders"].apps)

    for path in ("", "/logs", "/logs/stream", "/events", "/env"):
        assert "more than one cluster: billing, orders" in problem(asked.get(f"{APP}{path}"), 409)
    assert asked.get(APP, params={"cluster": "billing"}).json()["cluster"] == "billing"
    assert problem(asked.get("/api/v1/apps/nope"), 404) == "No app 'nope' is watched."


def test_one_name_on_two_platforms_of_a_cluster_is_told_apart_by_ids(asked, world):
    board = world.journal.boards["orders"]
    twin = replace(board.apps[0], platform="cf-west", guid="app-guid-west")
    world.journal.boards["orders"] = replace(board, apps=(*board.apps, twin))

    said = problem(asked.get(APP), 409)

    assert said == (
        "'orders-worker' is watched in more than one platform of the cluster orders: cloudfoundry (id app-guid-1), "
        "cf-west (id app-guid-west). Give its id in place of its name."
    )
    assert asked.get("/api/v1/apps/app-guid-west").json()["platform"] == "cf-west"


def test_a_worker_is_recycled_by_the_app_of_its_own_platform(asked, world):
    board = world.journal.boards["orders"]
    twin = replace(board.apps[0], platform="cf-west", guid="app-guid-west", state="STOPPED", restarts_ended=False)
    world.journal.boards["orders"] = replace(board, apps=(twin, *board.apps))

    (worker,) = [one for one in items(asked.get("/api/v1/workers")) if one["name"] == "orders-worker/0"]

    assert worker["not_recyclable"] is None


def test_the_newest_lines(asked):
    lines = items(asked.get(f"{APP}/logs"))

    assert (lines[3]["level"], lines[3]["source"], lines[3]["index"]) == ("ERROR", "APP/PROC/WORKER", 0)
    assert lines[0]["process"] is None
    two = items(asked.get(f"{APP}/logs", params={"instance": 2, "process": "worker", "limit": 2}))
    assert [one["level"] for one in two] == ["WARNING", "CRITICAL"]
    assert SECRET not in json.dumps(lines)


def test_the_newest_events(asked):
    newest, update = items(asked.get(f"{APP}/events"))

    assert (newest["kind"], newest["actor"], newest["text"]) == (
        "audit.app.process.crash",
        "worker",
        "index 2, exit status 137",
    )
    assert SECRET not in update["text"]
    assert len(items(asked.get(f"{APP}/events", params={"limit": 1}))) == 1


def test_the_variables_without_secrets(asked):
    told = asked.get(f"{APP}/env")

    assert SECRET not in told.text
    assert {"name": "CELERY_QUEUES", "value": "orders,mail"} in told.json()["items"]
    assert {"name": "BROKER_URL", "value": None} in told.json()["items"]
    assert "never shown" in told.json()["hidden"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError("the role space_auditor may not read variables"), 403),
        (MissingError("it is gone"), 404),
        (ConflictError("it is being deleted"), 409),
        (UnreachableError("no answer (503)"), 503),
    ],
)
@pytest.mark.parametrize("path", ["/logs", "/logs/stream", "/events", "/env"])
def test_the_platforms_reason_is_the_problem(asked, world, error, status, path):
    world.platform.fails = error

    assert problem(asked.get(f"{APP}{path}"), status) == f"The platform cloudfoundry: {error}"


@pytest.mark.parametrize("path", ["/logs", "/logs/stream", "/events", "/env"])
def test_a_platform_that_is_spared_is_asked_again_after_the_time_that_is_told(asked, world, path):
    world.platform.fails = SparedError("not asked, to keep within the request budget", after_s=6.2)

    answer = asked.get(f"{APP}{path}")

    assert problem(answer, 503) == "The platform cloudfoundry: not asked, to keep within the request budget"
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/logs", {"limit": 1001}),
        ("/logs", {"limit": 0}),
        ("/logs", {"instance": -1}),
        ("/logs", {"instance": "all"}),
        ("/logs/stream", {"since": "yesterday"}),
        ("/events", {"limit": 501}),
        ("/env", {"limit": 1}),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(asked, world, path, params):
    assert problem(asked.get(f"{APP}{path}", params=params), 422)
    assert world.platform.asked == []


# The stream


@pytest.fixture
def listen(console, world):
    opened = []

    def listening(*, paused=False, **params):
        path = f"{APP}/logs/stream?{urllib.parse.urlencode(params)}"
        opened.append(Listener(console.url, path, paused=paused))
        return opened[-1]

    yield listening
    for one in opened:
        one.close()
    harness.wait_until(lambda: world.platform.followers == 0, 5, "nobody follows any more")


def told(listener, event):
    lines = list(listener.lines)
    at = [number for number, text in enumerate(lines) if text == f"event: {event}"]
    return [json.loads(lines[one + 1].removeprefix("data: ")) for one in at if one + 1 < len(lines)]


def wait_for(listener, event, number=1):
    return harness.wait_until(
        lambda: (found := told(listener, event)) and len(found) >= number and found, 5, f"{number} x {event}"
    )


def follows(world, number=1):
    harness.wait_until(lambda: world.platform.followers == number, 5, "it follows")


def test_a_log_is_followed_until_the_reader_goes(listen, world):
    stream = listen()
    follows(world)
    assert stream.media_type.startswith("text/event-stream")
    world.platform.write(celery(samples.NOW + 1, "ERROR", "no\nbreak: api_key=" + SECRET))

    (one,) = wait_for(stream, "line")

    assert (one["level"], one["index"], one["stream"]) == ("ERROR", 0, "ERR")
    assert SECRET not in " ".join(stream.lines)
    assert f"id: {samples.NOW + 1.000001:.6f}" in stream.lines
    stream.close()
    follows(world, 0)


def test_it_begins_where_the_reader_says_and_goes_on_where_a_browser_left(listen, world, console):
    stream = listen(since=samples.NOW - 45, instance=2)
    assert wait_for(stream, "line")[0]["level"] == "CRITICAL"
    world.platform.write(line(samples.NOW + 1, "other", 1), line(samples.NOW + 2, "own", 2))
    assert [one["text"] for one in wait_for(stream, "line", 2)][1:] == ["own"]

    last = next(text for text in reversed(stream.lines) if text.startswith("id: ")).removeprefix("id: ")
    again = Listener(console.url, f"{APP}/logs/stream?since=1", {"Last-Event-ID": last})
    try:
        world.platform.write(line(samples.NOW + 3, "after", 2))
        assert [one["text"] for one in wait_for(again, "line")] == ["after"]
    finally:
        again.close()


def test_trouble_and_the_end_are_told(listen, world):
    stream = listen()
    follows(world)

    world.platform.fail(UnreachableError("no answer (503)"))
    assert wait_for(stream, "trouble") == [{"why": "The platform cloudfoundry: no answer (503)"}]
    world.platform.fail(RefusedError("your role was taken"))

    assert wait_for(stream, "end") == [{"why": "The platform cloudfoundry: your role was taken"}]
    assert stream.ended.wait(5)


def test_a_quiet_log_is_bridged_by_comments(listen, monkeypatch):
    monkeypatch.setattr(apps, "BEAT_EVERY_S", 0.1)
    stream = listen()

    harness.wait_until(lambda: stream.lines.count(": nothing new") >= 2, 5, "two comments")


def test_a_reader_that_stands_still_loses_lines_is_told_and_holds_up_nobody(listen, world, monkeypatch):
    """What a connection buffers is bounded, so that the oldest lines are dropped and counted."""
    monkeypatch.setattr(apps, "LOOK_EVERY_S", 0.01)
    stream = listen(paused=True)
    follows(world)
    for block in range(150):
        world.platform.write(*(line(samples.NOW + block, "x" * 3000, 0) for _ in range(100)))
    harness.wait_until(lambda: world.platform.read == len(world.platform.told), 30, "the platform has told all")

    stream.go_on()

    world.platform.write(line(samples.NOW + 999, "the last", 0))
    harness.wait_until(lambda: any(one["text"] == "the last" for one in told(stream, "line")), 20, "the newest line")
    lost = sum(one["count"] for one in told(stream, "dropped"))
    assert lost > 0
    assert lost + len(told(stream, "line")) == 150 * 100 + 1


def test_too_many_followers_are_refused(listen, world, asked, monkeypatch):
    monkeypatch.setattr(app_record_queries, "MOST_FOLLOWERS", 1)
    listen()
    follows(world)

    assert "1 readers follow logs already" in problem(asked.get(f"{APP}/logs/stream"), 409)


def test_it_ends_when_the_server_stops(listen, console, world):
    stream = listen()
    follows(world)

    console.stop()

    harness.wait_until(console.stopped, 5, "the server has stopped")
    assert stream.ended.wait(5)


# Pages


def got(asked, path):
    answer = asked.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_list_of_apps_is_a_page_that_the_navigation_names(asked, world):
    page = got(asked, "/apps")

    overview = got(asked, "/")
    assert 'href="/apps"' in overview
    assert 'href="/apps/app-guid-1?cluster=orders"' in overview
    assert 'href="/apps/app-guid-1?cluster=orders"' in page
    assert "worker <b>5/6</b>" in page
    assert world.platform.asked == []


def test_no_app_at_all_is_said_in_a_sentence(asked, world):
    world.journal.boards.clear()

    assert "No app is watched. Add a" in got(asked, "/apps")


def test_the_page_of_an_app_is_there_before_its_platform_is_asked(asked, world):
    page = got(asked, "/apps/app-guid-1?cluster=orders")

    assert page.index("orders-worker") < page.index(samples.GUID.format(2))
    assert page.count('id="instance-worker-') == 6
    assert "Restart app (rolling)" in page
    assert world.platform.asked == []
    assert asked.get("/apps/nope").status_code == 404
    assert "No app &#39;nope&#39; is watched" in asked.get("/apps/nope").text


def test_an_app_that_its_platform_does_not_show_says_so(asked, world):
    board = world.journal.boards["orders"]
    gone = replace(board.apps[0], guid="", state="missing", instances=(), processes=())
    world.journal.boards["orders"] = replace(board, apps=(gone,))

    assert 'href="/apps/orders-worker?cluster=orders"' in got(asked, "/apps")
    assert "shows no app of this name" in got(asked, "/apps/orders-worker")
    for path in ("/", "/apps/orders-worker"):
        page = got(asked, path)
        assert "/apps//" not in page
        assert "Scale app orders-worker" not in page


def test_what_changed_of_an_app_comes_alone(asked, world):
    page = got(asked, "/apps/app-guid-1")
    have = [part.split('"')[0] for part in page.split('name="have" value="')[1:]]
    path = "/fragments/apps/app-guid-1"
    assert asked.get(path, params={"have": have}).status_code == 204
    assert len(have) == 2

    board = world.journal.boards["orders"]
    first = replace(board.apps[0].instances[0], state=InstanceState.CRASHED)
    app = replace(board.apps[0], instances=(first, *board.apps[0].instances[1:]))
    world.journal.boards["orders"] = replace(board, apps=(app,))

    changed = asked.get(path, params={"have": have}).text
    assert 'hx-target="#app"' in changed
    assert 'hx-target="#headline"' not in changed
    assert asked.get("/fragments/apps", params={"have": have}).status_code == 200


def test_the_log_of_a_page(asked):
    part = got(asked, "/apps/app-guid-1/log?cluster=orders&instance=&process=")

    assert part.count("<li") == 7
    assert 'class="tone-bad"' in part
    assert f'data-since="{samples.NOW - 20 + 0.000001:.6f}"' in part
    assert "[APP/PROC/WORKER/0] ERR" in part
    assert SECRET not in part
    assert got(asked, "/apps/app-guid-1/log?instance=2&process=worker").count("<li") == 4


def test_each_part_says_what_it_has_none_of(asked, world):
    assert "Among the newest lines" in got(asked, "/apps/app-guid-1/log?instance=9")
    platform = world.platform
    platform.told, platform.history, platform.variables = [], [], []

    assert "has no line of its log any more" in got(asked, "/apps/app-guid-1/log")
    assert "has no event of this app" in got(asked, "/apps/app-guid-1/events")
    assert "no variables of its own" in got(asked, "/apps/app-guid-1/env")


def test_the_events_and_variables_of_a_page(asked):
    assert "index 2, exit status 137" in got(asked, "/apps/app-guid-1/events?cluster=orders")
    env = got(asked, "/apps/app-guid-1/env?cluster=orders")
    assert env.count("never shown") == 1
    assert "orders,mail" in env
    assert SECRET not in env


@pytest.mark.parametrize("part", ["log", "events", "env"])
def test_a_platform_that_fails_breaks_no_page(asked, world, part):
    world.platform.fails = UnreachableError("no answer (503)")

    assert "cannot be read now: The platform cloudfoundry: no answer (503)" in got(asked, f"/apps/app-guid-1/{part}")
    assert got(asked, "/apps/app-guid-1").count('id="instance-worker-') == 6


def test_what_an_app_writes_is_text_and_nothing_else(asked, world):
    world.platform.write(line(samples.NOW, "<script>alert(1)</script>{{7*7}}"))

    part = got(asked, "/apps/app-guid-1/log")

    assert "<script>" not in part
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in part
