"""One cluster's history is gone: that cluster says so, and all the others are shown as ever; on the real store."""

import datetime as dt

import pytest
from click.testing import CliRunner

from adapters.stored import kept
from celeriac.adapters.sql import SqlStore
from celeriac.app.sources import Source, Sources
from celeriac.cli import main as root
from celeriac.client import Celeriac
from celeriac.ports import Batch
from web import samples
from web.serving import serving
from web.test_api import problem

SINCE = dt.datetime.fromtimestamp(samples.NOW - 3600, dt.UTC)


@pytest.fixture
def world(tmp_path, world):
    """The night's clusters in a real store; that of billing can be read no longer."""
    with SqlStore(tmp_path, ("orders", "billing")).opened() as store:
        store.migrate()
        for cluster in ("orders", "billing"):
            history = world.histories[cluster]
            rows = [samples.task(number) for number in range(6 if cluster == "orders" else 2)]
            with kept(tmp_path / f"history-{cluster}.db") as one:
                one.recorder.record(Batch(history.heard, rows, history.lives, history.samples))
        sources = Sources(
            Source(name, "redis", store.history(name), store.tasks(name), store.charts(name))
            for name in ("orders", "billing")
        )
        world.read(sources)
        (tmp_path / "history-billing.db").unlink()
        yield world


def got(asked, path):
    answer = asked.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def is_billing(left_out):
    (one,) = left_out
    assert (one["cluster"], "history-billing.db cannot be used" in one["why"]) == ("billing", True)


def test_it_is_that_clusters_problem_and_no_others(asked):
    orders, billing = got(asked, "/clusters")["items"]

    assert (orders["problems"], orders["blind"]) == ([], None)
    assert "history-billing.db cannot be used" in billing["problems"][0]
    assert billing["blind"] == billing["problems"][0]
    assert got(asked, "/clusters/billing") == billing
    assert asked.get("/readyz").json()["problems"] == [f"billing: {billing['problems'][0]}"]


def test_how_it_is_heard_is_said_in_the_same_words(asked):
    orders, billing = got(asked, "/observation")["items"]

    assert (orders["troubles"], orders["events_seen"]) == ([], 1_284_221)
    assert "history-billing.db cannot be used" in billing["troubles"][0]
    assert got(asked, "/observation?cluster=orders")["items"] == [orders]


def test_workers_stand_by_the_keepers_word(asked):
    workers = got(asked, "/workers")["items"]

    assert [one["cluster"] for one in workers] == ["billing", *["orders"] * 6]
    assert (workers[0]["verdict"], workers[0]["heartbeat_age_s"]) == ("healthy", None)


def test_tasks_of_the_others_are_listed_and_counted_and_it_is_named(asked):
    page, facets = got(asked, "/tasks"), got(asked, "/tasks/facets")
    histogram = got(asked, "/tasks/histogram")

    assert {one["cluster"] for one in page["items"]} == {"orders"}
    assert (len(page["items"]), sum(facets["states"].values())) == (6, 6)
    assert sum(sum(one["counts"].values()) for one in histogram["items"]) == 6
    assert (facets["complete"], histogram["complete"]) == (False, False)
    for found in (page, facets, histogram):
        is_billing(found["left_out"])
    assert got(asked, "/tasks?cluster=orders")["left_out"] == []


@pytest.mark.parametrize("path", ["/tasks/counts", "/tasks/durations", "/tasks/durations?series=true"])
def test_charts_leave_only_it_out(asked, path):
    found = got(asked, path)

    assert found["items"]
    is_billing(found["left_out"])


def test_queues_leave_only_it_out(asked):
    assert {one["cluster"] for one in got(asked, "/queues")["items"]} == {"orders"}
    assert len(got(asked, "/queues/orders/samples")["items"]) == 6


@pytest.mark.parametrize("path", ["/tasks", "/tasks/facets", "/tasks/counts", "/queues"])
def test_asked_for_alone_it_is_a_problem(asked, path):
    assert "history-billing.db cannot be used" in problem(asked.get(f"/api/v1{path}?cluster=billing"), 503)


@pytest.mark.parametrize("path", ["/tasks/nope", "/queues/nope/samples"])
def test_nothing_is_said_to_be_unknown_while_it_cannot_be_asked(asked, path):
    assert "is known, and billing cannot be read:" in problem(asked.get(f"/api/v1{path}"), 503)


def test_what_others_have_is_found_all_the_same(asked):
    assert got(asked, f"/tasks/{samples.task(1).uuid}")["cluster"] == "orders"


@pytest.mark.parametrize(("path", "told"), [("/", True), ("/?cluster=orders", False), ("/?cluster=billing", True)])
def test_the_page_is_shown(asked, path, told):
    answer = asked.get(path)

    assert answer.status_code == 200
    assert ("history-billing.db cannot be used" in answer.text) is told


def test_the_page_says_whose_tasks_are_missing(asked):
    assert "The tasks of billing are left out: " in asked.get("/").text
    assert "This cannot be read now: " in asked.get("/?cluster=billing").text


def test_pages_hear_of_it(world):
    before = world.queries.version()
    assert world.queries.headline().tone == "bad"  # of an incident, in the other cluster
    world.journal.stories.clear()

    assert "billing: the store" in world.queries.headline().text
    assert world.queries.version() == before


def test_the_command_line_and_the_client_name_it(world, monkeypatch):
    with serving(world) as console, Celeriac(console.url) as client:
        monkeypatch.setenv("CELERIAC_URL", console.url)
        assert [one.cluster for one in client.tasks().left_out] == ["billing"]
        for verb in (("tasks",), ("tasks", "--facets"), ("durations", "--since", SINCE.isoformat())):
            result = CliRunner().invoke(root, verb)

            assert result.exit_code == 0, result.output
            assert "billing is left out: the store" in result.stderr
