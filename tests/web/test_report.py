"""The report over HTTP, by client and by command line: each decision with what happened next, and totals."""

import json

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from celeriac.cli import main as root
from celeriac.client import Celeriac
from celeriac.core.incident import Ending, HeldReason, IncidentState
from web import samples

HOUR = 3600.0


@pytest.fixture
def world():
    """A week in which auto would have restarted three workers, one of them for nothing."""
    world = samples.night_world()
    old = replace(world.hung, state=IncidentState.RESOLVED, held_reason=None)
    at = samples.NOW - 20 * HOUR

    def add(id, **fields):
        begun = {"opened_at": at, "would_at": at + 10, **fields}
        world.journal.stories[id] = replace(old, id=id, **begun)

    world.journal.stories["inc-hung"] = replace(world.hung, would_at=samples.NOW - 240)
    add("alone", ending=Ending.RECOVERED, resolved_at=at + 100, healthy_since=at + 40)
    add("by-hand", ending=Ending.REPLACED, resolved_at=at + 700, healthy_since=at + 610)
    add("deploy", would_at=None, would_hold=HeldReason.DEPLOY)
    ago = samples.NOW - 9 * 24 * HOUR
    add("long-ago", opened_at=ago, would_at=ago + 10, ending=Ending.REPLACED, resolved_at=ago + 50)
    return world


def test_each_decision_with_what_happened_next(asked):
    told = asked.get("/api/v1/report").json()

    assert [(one["incident"], one["outcome"], one["false"], one["ill_s"]) for one in told["decisions"]] == [
        ("alone", "recovered alone", True, 30.0),
        ("by-hand", "restarted by somebody", False, 600.0),
        ("inc-hung", "still ill", False, 240.0),
    ]
    assert (told["would_have_restarted"], told["right"], told["false"], told["open_ended"]) == (3, 2, 1, 0)
    assert (told["saved_s"], told["held"], told["complete"]) == (840.0, {"deploy": 1}, True)
    assert told["outcomes"] == {"recovered alone": 1, "restarted by somebody": 1, "still ill": 1}
    assert told["modes"] == {"orders": "approve", "billing": "observe"}
    assert (told["since"], told["until"]) == ("2026-09-14T14:13:20Z", "2026-09-21T14:13:20Z")


def test_the_time_and_the_cluster_are_chosen(asked):
    since = samples.NOW - 30 * 24 * HOUR
    assert asked.get("/api/v1/report", params={"since": since}).json()["would_have_restarted"] == 4
    assert asked.get("/api/v1/report?cluster=billing").json()["would_have_restarted"] == 0
    assert asked.get("/api/v1/report?cluster=nope").status_code == 404
    assert asked.get("/api/v1/report?since=soon").status_code == 422


def test_the_client_reads_it(console):
    with Celeriac(console.url) as client:
        found = client.report("orders", since=samples.NOW - 24 * HOUR)

    assert [one.outcome for one in found.decisions] == ["recovered alone", "restarted by somebody", "still ill"]
    assert found.held == {"deploy": 1}


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("CELERIAC_URL", console.url)

    def running(*arguments):
        result = CliRunner().invoke(root, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return running


def test_the_command_tells_it_in_sentences(celeriac):
    since = "2026-09-01T00:00"
    text = celeriac("report", "--since", since, "--cluster", "orders")

    assert "Now orders in approve." in text
    assert "restarted by somebody" in text
    assert "In auto, 4 restarts would have been made." in text
    assert "3 right: the worker did not come back without one" in text
    assert "1 false: the worker recovered alone." in text
    assert "Held in auto too: deploy 1." in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_command_prints_json(celeriac):
    told = json.loads(celeriac("report", "--since", "2026-09-01T00:00", "--json"))

    assert told["would_have_restarted"] == 4


def test_nothing_would_have_been_restarted(celeriac):
    assert celeriac("report", "--since", "2026-09-01T00:00", "--cluster", "billing").endswith(
        "Nothing would have been restarted.\n"
    )
