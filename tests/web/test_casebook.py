"""What is kept beside incidents, over HTTP, in the client, on the page and on the command line."""

import json

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from celeriac.cli import main as root
from celeriac.client import Celeriac, ClientError
from celeriac.core import offline
from celeriac.core.incident import Step
from celeriac.core.offline import Moment, judge
from core.builders import AUTO, seen, worker
from web import samples
from web.samples import casualties_of, kept_of

HUNG = "/api/v1/incidents/inc-hung"


@pytest.fixture
def told(world):
    """Have one incident of which everything is kept."""
    world.kept.put([casualties_of("inc-hung")])
    world.kept.keep(kept_of("inc-hung"))
    world.kept.keep_moment("inc-hung", Moment(seen(worker(silent=40)), policy=AUTO))
    hung = world.hung
    steps = (*hung.steps, Step(samples.NOW, "evidence", "kept before the kill: logs: 2"))
    world.journal.stories["inc-hung"] = replace(hung, steps=steps)
    return world


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("CELERIAC_URL", console.url)
    return lambda *arguments: CliRunner().invoke(root, arguments)


def said(result):
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tasks_come_with_their_fates_the_lost_ones_first(asked, told):
    found = asked.get(f"{HUNG}/tasks").json()

    assert [(one["id"], one["fate"]) for one in found["items"]] == [
        ("c3", "lost"),
        ("c2", "in unacked"),
        ("c1", "redelivered"),
    ]
    assert found["counts"] == {"lost": 1, "in unacked": 1, "redelivered": 1}
    assert (found["watched"], found["doubts"]) == (True, ["events were lost within its life"])
    assert found["items"][0]["worker"] == "worker@g"


def test_an_incident_without_ended_lives_has_no_tasks(asked):
    found = asked.get(f"{HUNG}/tasks").json()

    assert (found["items"], found["counts"], found["watched"], found["looked_at"]) == ([], {}, False, None)


def test_the_evidence_comes_source_by_source_with_what_failed(asked, told):
    logs, stats = asked.get(f"{HUNG}/evidence").json()["exhibits"]

    assert [line["text"] for line in logs["lines"]] == ["APP/PROC/WORKER OUT ready.", "APP/PROC/WORKER OUT stuck"]
    assert [line["at"] is None for line in logs["lines"]] == [False, True]
    assert (stats["lines"], stats["why"]) == ([], "it does not answer remote control")


def test_the_snapshot_is_a_moment_that_gives_the_same_plan(asked, told):
    moment = offline.load(asked.get(f"{HUNG}/snapshot").content)

    assert judge(moment) == judge(told.kept.moments["inc-hung"])
    assert judge(moment)[1].acts


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (
            "inc-past/evidence",
            "Nothing was kept for incident 'inc-past': evidence is kept right before a kill, and after a crash.",
        ),
        ("inc-past/snapshot", "No snapshot of incident 'inc-past' is kept any more."),
        ("nope/tasks", "No incident 'nope' is known."),
        ("nope/evidence", "No incident 'nope' is known."),
        ("nope/snapshot", "No incident 'nope' is known."),
    ],
)
def test_what_is_not_kept_is_missing_with_the_reason(asked, path, why):
    answer = asked.get(f"/api/v1/incidents/{path}")

    assert (answer.status_code, answer.json()["detail"]) == (404, why)


def test_the_client_reads_all_of_it(console, told):
    with Celeriac(console.url) as client:
        assert client.casualties("inc-hung").items[0].fate == "lost"
        assert client.evidence("inc-hung").exhibits[1].why == "it does not answer remote control"
        assert offline.load(client.snapshot("inc-hung")) == told.kept.moments["inc-hung"]
        with pytest.raises(ClientError, match="Nothing was kept"):
            client.evidence("inc-past")


def test_the_page_tells_the_tasks_and_links_to_the_evidence(asked, told):
    page = asked.get("/").text

    assert "Tasks in flight when it died: 1 lost, 1 in unacked, 1 redelivered" in page
    assert "Note: events were lost within its life." in page
    assert 'href="/api/v1/incidents/inc-hung/evidence"' in page
    assert 'href="/api/v1/incidents/inc-crashed/evidence"' not in page


def test_of_many_tasks_the_page_shows_some_and_links_to_all(asked, told):
    record = casualties_of("inc-hung")
    world_tasks = tuple(replace(record.tasks[2], uuid=f"many-{number}") for number in range(30))
    told.kept.put([replace(record, tasks=world_tasks)])
    page = asked.get("/").text

    assert page.count("<code>many-") == 10
    assert 'href="/api/v1/incidents/inc-hung/tasks">All 30 tasks' in page


def test_the_command_line_shows_them_with_the_story(celeriac, told):
    text = said(celeriac("incidents", "inc-hung"))

    assert "Tasks in flight: 1 lost, 1 in unacked, 1 redelivered" in text
    assert "Note: events were lost within its life." in text
    assert "fates may change" in text


def test_a_long_list_is_cut_in_the_story_and_whole_on_demand(celeriac, told):
    record = casualties_of("inc-hung")
    told.kept.put([replace(record, tasks=tuple(replace(record.tasks[2], uuid=f"many-{each}") for each in range(30)))])

    short, whole = said(celeriac("incidents", "inc-hung")), said(celeriac("incidents", "inc-hung", "--tasks"))
    assert (short.count("many-"), whole.count("many-")) == (20, 30)
    assert "and 10 more: `celeriac incidents inc-hung --tasks`" in short


def test_the_command_line_shows_the_evidence(celeriac, told):
    text = said(celeriac("incidents", "inc-hung", "--evidence"))

    assert "logs (2)" in text
    assert "APP/PROC/WORKER OUT ready." in text
    assert "stats (0): it does not answer remote control" in text
    assert len(json.loads(said(celeriac("incidents", "inc-hung", "--evidence", "--json")))["exhibits"]) == 2
    assert len(json.loads(said(celeriac("incidents", "inc-hung", "--tasks", "--json")))["items"]) == 3


def test_a_snapshot_is_written_and_explained_offline(celeriac, told, tmp_path):
    file = tmp_path / "moment.json"
    assert f"celeriac plan --snapshot {file}" in said(celeriac("incidents", "inc-hung", "--snapshot", str(file)))

    text = said(celeriac("plan", "--snapshot", str(file)))
    assert "would act on orders-worker/0: restart (guid " in text


@pytest.mark.parametrize("option", [["--tasks"], ["--evidence"], ["--snapshot", "x.json"]])
def test_what_is_kept_is_of_one_incident(celeriac, option):
    result = celeriac("incidents", *option)

    assert result.exit_code == 2
    assert "Name the incident" in result.output


def test_a_snapshot_that_cannot_be_written_says_why(celeriac, told, tmp_path):
    result = celeriac("incidents", "inc-hung", "--snapshot", str(tmp_path / "no" / "moment.json"))

    assert result.exit_code == 1
    assert "cannot be written: No such file or directory." in result.output


def test_what_tasks_and_logs_are_called_cannot_command_a_terminal(celeriac, told):
    evil = "\x1b]0;x\x07"
    record, kept = casualties_of("inc-hung"), kept_of("inc-hung")
    told.kept.put([replace(record, tasks=(replace(record.tasks[0], uuid=evil, name=evil, why=evil),), doubts=(evil,))])
    line = replace(kept.exhibits[0].lines[0], text=evil)
    told.kept.keep(replace(kept, exhibits=(replace(kept.exhibits[0], lines=(line,), source=evil, why=evil),)))

    for arguments in (["inc-hung"], ["inc-hung", "--tasks"], ["inc-hung", "--evidence"]):
        assert not {"\x1b", "\x07"} & set(said(celeriac("incidents", *arguments)))
