"""Tasks over HTTP: found, paged both ways, counted, and clear words for what makes no sense; on the real store too."""

import contextlib
import datetime as dt

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.stored import kept
from celeriac.adapters.sql import SqlStore, pages
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.shaping import opaque_pair
from celeriac.app.sources import Source, Sources
from celeriac.app.task_queries import TaskQueries, cursor_of
from celeriac.core.redact import Redaction
from celeriac.core.search import Cursor, TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import FINAL
from celeriac.ports import Batch
from celeriac.web.app import create_app
from web import samples
from web.samples import reader
from web.test_api import problem

ALL = [f"({4711 + number}, 'EUR')" for number in range(60)]
GUID_3 = f"worker@{samples.GUID.format(3)}"


def page(asked, **params):
    answer = asked.get("/api/v1/tasks", params=params)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"items", "next", "previous", "searched_to", "left_out"}
    return answer.json()


def args(found):
    return [one["args"] for one in found["items"]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The night's tasks in a real store, half of them in each of two clusters."""
    directory = tmp_path_factory.mktemp("store")
    with SqlStore(directory, ("orders", "billing")).opened() as store:
        store.migrate()
        for start, cluster in enumerate(("orders", "billing")):
            database = Database(directory / f"history-{cluster}.db", "history")
            tasks = [samples.task(number) for number in range(start, 60, 2)]
            SqlRecorder(database, Redaction()).record(Batch(Stream(samples.NOW), tasks))
            database.close()
        yield store


@pytest.fixture(params=["in memory", "in SQLite"])
def asked(request, world):
    """A console over the tasks of the night."""
    if request.param == "in SQLite":
        store = request.getfixturevalue("stored")
        sources = Sources(
            Source(name, "redis", store.history(name), store.tasks(name), store.charts(name))
            for name in ("orders", "billing")
        )
        world.read(sources)
    with TestClient(create_app(world.service), base_url="http://127.0.0.1:5555") as client:
        yield client


def test_pages_lead_from_the_newest_to_the_oldest_and_back(asked):
    first = page(asked, limit=25)
    second = page(asked, limit=25, cursor=first["next"])
    third = page(asked, limit=25, cursor=second["next"])

    assert args(first) + args(second) + args(third) == ALL
    assert (first["previous"], third["next"]) == (None, None)
    assert args(page(asked, limit=25, cursor=third["previous"])) == args(second)
    assert args(page(asked, limit=25, cursor=second["previous"])) == args(first)
    assert page(asked, limit=25, cursor=second["previous"])["previous"] is None


def test_a_page_beyond_the_end_leads_back(asked):
    oldest = page(asked, limit=60)["items"][-1]
    beyond = page(asked, until=oldest["sent_at"], cursor=page(asked, limit=59)["next"])

    assert (beyond["items"], beyond["next"]) == ([], None)
    assert args(page(asked, limit=2, cursor=beyond["previous"]))[-1] == ALL[58]


@pytest.mark.parametrize(
    ("params", "fits"),
    [
        ({"state": "failure"}, lambda one: one["state"] == "FAILURE"),
        ({"state": ["FAILURE", "RETRY"]}, lambda one: one["state"] in {"FAILURE", "RETRY"}),
        ({"name": "shop.stock.reserve"}, lambda one: one["name"] == "shop.stock.reserve"),
        ({"name": ["shop.stock.reserve", "x"]}, lambda one: one["name"] == "shop.stock.reserve"),
        ({"worker": GUID_3}, lambda one: one["worker"] == GUID_3),
        ({"cluster": "orders"}, lambda one: one["cluster"] == "orders"),
        ({"queue": "orders"}, lambda one: one["queue"] == "orders"),
        ({"runtime_least_s": 3, "runtime_most_s": 5}, lambda one: 3 <= one["runtime_s"] <= 5),
        ({"args": "4722"}, lambda one: "4722" in one["args"]),
        ({"kwargs": "HIGH"}, lambda one: "high" in one["kwargs"]),
        ({"result": "ok"}, lambda one: one["result"] == "'ok'"),
        ({"exception": "gateway"}, lambda one: "gateway" in one["exception"]),
        ({"search": "payment"}, lambda one: "payment" in one["exception"]),
        ({"root_id": samples.task(5).uuid}, lambda one: samples.task(5).uuid in {one["uuid"], one["root_id"]}),
    ],
)
def test_tasks_are_filtered(asked, params, fits):
    every = page(asked, limit=60, **({"cluster": params["cluster"]} if "cluster" in params else {}))["items"]
    found = page(asked, limit=60, **params)["items"]

    def matches(one):
        try:
            return fits(one)
        except TypeError:  # the field is null
            return False

    assert found
    assert found == [one for one in every if matches(one)]


def test_a_range_of_time_in_each_way_of_writing_it(asked):
    since, until = samples.task(20).first_at, samples.task(9).first_at
    moments = [dt.datetime.fromtimestamp(at, dt.UTC) for at in (since, until)]
    east = dt.timezone(dt.timedelta(hours=2))
    written = [
        (str(since), str(until)),
        tuple(at.isoformat() for at in moments),
        tuple(at.isoformat().replace("+00:00", "Z") for at in moments),
        tuple(at.astimezone(east).isoformat() for at in moments),
        tuple(at.astimezone(east).isoformat().replace("+", " ") for at in moments),  # a plus that was not escaped
    ]

    for one, other in written:
        assert args(page(asked, since=one, until=other)) == ALL[10:21], (one, other)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=yesterday", "since: is not a time; write 2026-11-22T14:00:00Z, or seconds since the epoch."),
        ("since=2026-11-22T14:00", "since: does not say its zone; write 2026-11-22T14:00:00Z for UTC."),
        ("since=1e999", "since: is not a time since 1970"),
        ("until=nan", "until: is not a time since 1970"),
        ("until=-5", "until: is not a time since 1970"),
        ("since=200&until=100", "the request: since must be before until."),
        ("state=FAILD", "state: 'FAILD' is no state of a task; there are: PENDING, RECEIVED,"),
        ("stat=FAILURE", "stat: there is no such parameter."),
        ("args=%00", "args: holds a NUL character."),
        ("search=%00zzz", "search: holds a NUL character."),
        ("name=a&name=b%00", "name: holds a NUL character."),
        ("args=", "args: string should have at least 1 character."),
        ("runtime_least_s=-1", "runtime_least_s: input should be greater than or equal to 0."),
        ("runtime_most_s=inf", "runtime_most_s: input should be a finite number."),
        ("limit=0", "limit: input should be greater than or equal to 1."),
        ("limit=501", "limit: input should be less than or equal to 500."),
        ("limit=many", "limit: input should be a valid integer"),
        ("cursor=nope", "cursor: this is no cursor that a page came with; start again without one."),
        ("cursor=b2xkZXIAeAB5", "cursor: this is no cursor that a page came with"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(asked, query, words):
    assert words in problem(asked.get(f"/api/v1/tasks?{query}"), 422)


PARTS = st.sampled_from(["older", "newer", "sideways", "17", "-1", "9" * 30, "1.5", "ab", "abc", "x", ""])


@given(st.text(max_size=40) | st.lists(PARTS, max_size=4).map(lambda parts: opaque_pair(*parts)))
def test_a_cursor_that_is_made_up_is_refused_or_harmless(text):
    with contextlib.suppress(ValueError):
        cursor, _ = cursor_of(text)
        assert 0 <= cursor.first_at < 2**63
        assert bytes.fromhex(cursor.key).hex() == cursor.key


def test_a_histograms_step_has_a_bound(asked):
    words = "step_s: input should be less than or equal to 31622400."
    assert problem(asked.get("/api/v1/tasks/histogram?step_s=10000000000000"), 422) == words

    found = asked.get("/api/v1/tasks/histogram", params={"since": samples.NOW - 600, "step_s": 31_622_400}).json()
    assert sum(sum(one["counts"].values()) for one in found["items"]) == 60


def test_facets_count_all_that_match(asked):
    found = asked.get("/api/v1/tasks/facets?state=SUCCESS").json()

    assert found["states"] == {"SUCCESS": 30}
    assert found["names"] == {
        "shop.mail.send_receipt": 9,
        "shop.reports.nightly.build": 9,
        "shop.orders.charge_card": 6,
        "shop.stock.reserve": 6,
    }
    assert (found["queues"], sum(found["workers"].values()), found["complete"]) == ({"orders": 30}, 30, True)


def test_a_histogram_has_every_step_and_fills_none(asked):
    since, until = samples.NOW - 600, samples.NOW
    found = asked.get("/api/v1/tasks/histogram", params={"since": since, "until": until, "step_s": 60}).json()

    steps = [dt.datetime.fromisoformat(one["at"]).timestamp() for one in found["items"]]
    assert steps == [60 * number for number in range(int(since) // 60, int(until) // 60 + 1)]
    assert sum(sum(one["counts"].values()) for one in found["items"]) == 60
    assert [one["counts"] for one in found["items"]][:5] == [{}] * 5
    assert (found["step_s"], found["complete"]) == (60, True)


@pytest.mark.parametrize(
    ("params", "step_s"),
    [({}, 1800), ({"buckets": 10}, 10_800), ({"step_s": 7200}, 7200), ({"step_s": 1}, 60)],
)
def test_a_histograms_step_suits_its_range(asked, params, step_s):
    assert asked.get("/api/v1/tasks/histogram", params=params).json()["step_s"] == step_s


def test_counts_tell_what_happened_and_outlive_the_tasks(asked):
    found = asked.get("/api/v1/tasks/counts", params={"since": samples.NOW - 600, "step_s": 100}).json()
    total = {}
    for one in found["items"]:
        for state, number in one["counts"].items():
            total[state] = total.get(state, 0) + number

    tasks = [samples.task(number) for number in range(60)]
    assert found["step_s"] == 120  # whole minutes
    assert total == {
        "RECEIVED": 60,
        "STARTED": sum(one.started_at is not None for one in tasks),
        **{state: sum(one.state == state for one in tasks) for state in {one.state for one in tasks} & FINAL},
    }
    assert {} in [one["counts"] for one in found["items"]]


@pytest.mark.parametrize("call", ["counts", "histogram"])
def test_a_day_by_minutes_can_be_had(asked, call):
    found = asked.get(f"/api/v1/tasks/{call}", params={"step_s": 60}).json()

    assert found["step_s"] == 60
    assert 1440 <= len(found["items"]) <= 1441


@pytest.mark.parametrize(("hours", "step_s"), [(0.5, 60), (24, 300), (24 * 7, 3600), (24 * 365, 43_200 * 14)])
def test_counts_have_at_most_300_steps_unless_said_otherwise(asked, hours, step_s):
    found = asked.get("/api/v1/tasks/counts", params={"since": samples.NOW - 3600 * hours}).json()

    assert len(found["items"]) <= 301
    assert found["step_s"] <= step_s
    assert found["step_s"] % 60 == 0


def test_durations_by_name(asked):
    found = asked.get("/api/v1/tasks/durations?buckets=true").json()
    by_name = {one["name"]: one for one in found["items"]}
    runs = [one.runtime for one in map(samples.task, range(60)) if one.runtime and one.name == "shop.mail.send_receipt"]
    mail = by_name["shop.mail.send_receipt"]

    assert len(by_name) == 4
    assert mail["runtime"]["number"] == len(runs)
    assert mail["runtime"]["p50_s"] == pytest.approx(sorted(runs)[len(runs) // 2], rel=0.07)
    assert mail["wait"]["p99_s"] == pytest.approx(0.412, rel=0.07)
    assert mail["counts"]["SUCCESS"] == len(runs)
    buckets = mail["runtime"]["buckets"]
    assert sum(one["number"] for one in buckets) == len(runs)
    assert all(one["from_s"] < one["to_s"] for one in buckets)
    assert found["series"] is None


def test_durations_of_one_name_step_by_step(asked):
    found = asked.get("/api/v1/tasks/durations?name=shop.mail.send_receipt&series=true").json()

    assert [one["name"] for one in found["items"]] == ["shop.mail.send_receipt"]
    assert sum(one["runtime"]["number"] for one in found["series"]) == found["items"][0]["runtime"]["number"]
    assert found["series"][0]["runtime"]["p50_s"] is None


def test_a_task_by_both_of_its_ids(asked):
    one = page(asked, limit=1)["items"][0]

    assert asked.get(f"/api/v1/tasks/{one['id']}").json() == asked.get(f"/api/v1/tasks/{one['uuid']}").json() == one


def test_a_task_whose_own_id_holds_a_slash(world):
    one = replace(samples.task(1), uuid="my/own id")
    world.histories["orders"].rows[one.uuid] = one
    with TestClient(create_app(world.service), base_url="http://127.0.0.1:5555") as asked:
        for path in ("my/own id", "my%2Fown%20id"):
            assert asked.get(f"/api/v1/tasks/{path}").json()["uuid"] == "my/own id"


def test_a_task_that_two_clusters_have_is_answered_with_both(world):
    one = samples.task(1)
    world.histories["billing"].rows[one.uuid] = replace(one, state="FAILURE")
    with TestClient(create_app(world.service), base_url="http://127.0.0.1:5555") as asked:
        path = f"/api/v1/tasks/{one.uuid}"
        assert problem(asked.get(path), 409) == f"Several clusters have a task {one.uuid!r}: orders, billing."
        for cluster in ("orders", "billing"):
            found = asked.get(f"{path}?cluster={cluster}").json()
            assert (found["cluster"], asked.get(f"/api/v1/tasks/{found['id']}").json()) == (cluster, found)


def test_a_task_of_another_cluster_is_not_that_clusters(asked):
    one = page(asked, limit=1, cluster="orders")["items"][0]

    for id in (one["id"], one["uuid"]):
        assert "No task" in problem(asked.get(f"/api/v1/tasks/{id}?cluster=billing"), 404)
    assert "No cluster 'nope'" in problem(asked.get(f"/api/v1/tasks/{one['id']}?cluster=nope"), 404)


def test_the_list_is_encoded_as_its_description_says(asked):
    one = page(asked, limit=1)["items"][0]
    fields = asked.get("/api/openapi.json").json()["components"]["schemas"]["Task"]["properties"]

    assert set(one) == set(fields)
    assert one["sent_at"].endswith("Z")


# Where the search ran out of time


@pytest.mark.parametrize("asked", ["in memory"], indirect=True)
def test_a_search_that_ran_out_of_time_says_how_far_it_came(asked, world):
    world.histories["orders"].slow = Cursor(samples.cursor(samples.task(20)).first_at, "")
    first = page(asked, search="EUR")

    assert args(first) == ALL[:20]
    assert first["searched_to"] == samples.moment(20)
    world.histories["orders"].slow = None
    assert args(page(asked, search="EUR", limit=60, cursor=first["next"])) == ALL[20:]


def test_a_full_page_needs_no_word_of_time(world):
    world.histories["orders"].slow = samples.cursor(samples.task(20))

    found = world.queries.tasks.page(TaskFilter(limit=5))

    assert (len(found.items), found.searched_to) == (5, None)


# Merging clusters

TIMES = st.lists(st.integers(0, 6), max_size=12)


def spread(one, other):
    """Two clusters whose tasks often have the same time, and now and then the same id."""
    histories = [samples.MemoryHistory(), samples.MemoryHistory()]
    for history, times in zip(histories, (one, other), strict=True):
        for number, at in enumerate(times):
            uuid = f"task-{number % 3}-{at}"
            history.rows[uuid] = replace(samples.task(number), uuid=uuid, first_at=samples.NOW + at)
    sources = Sources(Source(name, "redis", each, each, each) for name, each in zip("ab", histories, strict=True))
    return TaskQueries(sources, reader(), lambda: samples.NOW), histories


def walk(queries, which, direction):
    """Return the pages, in the order of the walk."""
    pages = []
    while True:
        found = queries.page(which)
        pages.append([(one.cluster, one.uuid) for one in found.items])
        following = getattr(found, direction)
        if following is None:
            return pages, found
        cursor, newer = cursor_of(following)
        which = replace(which, cursor=cursor, newer=newer)
        assert len(pages) < 100


@given(TIMES, TIMES, st.integers(1, 5))
def test_pages_of_two_clusters_lose_nothing_and_repeat_nothing(one, other, limit):
    queries, histories = spread(one, other)
    which = TaskFilter(limit=limit)

    down, last = walk(queries, which, "next")

    everything = [(name, uuid) for name, each in zip("ab", histories, strict=True) for uuid in each.rows]
    seen = [each for some in down for each in some]
    assert sorted(seen) == sorted(everything)
    if last.previous:
        cursor, newer = cursor_of(last.previous)
        up, _ = walk(queries, replace(which, cursor=cursor, newer=newer), "previous")
        assert [each for some in reversed(up) for each in some] == [each for some in down[:-1] for each in some]


@given(TIMES, TIMES, st.integers(1, 5), st.integers(0, 6), st.sampled_from(["", "80", "ff"]))
def test_a_slow_cluster_makes_pages_shorter_and_loses_nothing(one, other, limit, reached, key):
    queries, histories = spread(one, other)
    histories[0].slow = Cursor(int((samples.NOW + reached) * 1e6), key)

    found = queries.page(TaskFilter(limit=limit))
    histories[0].slow = None
    rest = []
    if found.next:
        cursor, newer = cursor_of(found.next)
        rest, _ = walk(queries, TaskFilter(limit=limit, cursor=cursor, newer=newer), "next")

    seen = [(each.cluster, each.uuid) for each in found.items] + [each for some in rest for each in some]
    everything = [(name, uuid) for name, each in zip("ab", histories, strict=True) for uuid in each.rows]
    assert sorted(seen) == sorted(everything)


@pytest.mark.parametrize("direction", ["next", "previous"])
def test_a_search_over_many_clusters_comes_to_an_end_however_little_time_each_has(tmp_path, monkeypatch, direction):
    monkeypatch.setattr(pages, "FIRST_PIECE", 4)
    with contextlib.ExitStack() as stack:
        histories = {name: stack.enter_context(kept(tmp_path / f"{name}.db")) for name in "abc"}
        for start, one in enumerate(histories.values()):
            one.record(*(samples.task(number) for number in range(start, 60, 3)))
        sources = Sources(Source(name, "redis", one.history, one.tasks, one.charts) for name, one in histories.items())
        newer = direction == "previous"
        which = TaskFilter(limit=7, anywhere="eur", within_s=0.0, newer=newer, cursor=Cursor(0, "") if newer else None)

        found, _ = walk(TaskQueries(sources, reader(), lambda: samples.NOW), which, direction)

    assert len(found) > 60 / 7
    assert sorted(uuid for some in found for _, uuid in some) == sorted(
        samples.task(number).uuid for number in range(60)
    )
