"""The verbs that read apps: tables, lines as `cf logs` writes them, colours, JSON, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

import harness
from celeriac.cli import main as root
from celeriac.core.errors import RefusedError
from web import samples
from web.told import SECRET, celery, line

ESCAPES = "\x1b]0;owned\x07\x1b[31m\u202e\x9b2J\rover"


@pytest.fixture
def celeriac(console, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("CELERIAC_URL", console.url)
    return lambda *arguments: CliRunner().invoke(root, arguments)


def said(result):
    assert result.exit_code == 0, result.output
    return result.stdout


def test_apps_tell_what_runs_of_what_is_wanted(celeriac):
    heading, row = said(celeriac("apps")).splitlines()

    assert heading.split() == ["APP", "REQUESTED", "INSTANCES", "VERDICTS", "CLUSTER", "PLATFORM"]
    assert row.split()[:3] == ["orders-worker", "STARTED", "worker:5/6"]
    assert "2 healthy" in row
    assert "1 hung" in row


def test_one_app_tells_of_each_instance_side_by_side(celeriac):
    head, headings, *rows = said(celeriac("apps", "orders-worker")).splitlines()

    assert head == "orders-worker on cloudfoundry, cluster orders: requested STARTED; running worker:5/6"
    assert headings.split()[:5] == ["INSTANCE", "STATE", "VERDICT", "UP", "BEAT"]
    assert len(rows) == 6
    assert rows[2].split()[:5] == ["worker/2", "RUNNING", "hung", "2h", "5m"]
    assert samples.GUID.format(2) in rows[2]
    assert json.loads(said(celeriac("apps", "orders-worker", "--json")))["instances"][2]["verdict"] == "hung"


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("verb", [("apps",), ("apps", "orders-worker"), ("events", "orders-worker")])
def test_tables_fit_the_terminal(celeriac, monkeypatch, verb, columns):
    monkeypatch.setenv("COLUMNS", str(columns))

    assert max(map(len, said(celeriac(*verb)).splitlines()[1:])) <= columns


def test_recent_lines_look_like_those_of_cf(celeriac, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    lines = said(celeriac("logs", "orders-worker", "--recent")).splitlines()

    assert len(lines) == 7
    form = r"   \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d[+-]\d{4} \[APP/PROC/WORKER/0\] ERR \[2026-09-21 .*: ERROR/MainProcess\] Task"
    assert re.match(form, lines[3])
    assert "[CELL/2] OUT Cell" in lines[0]
    assert SECRET not in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_lines_of_one_instance(celeriac):
    lines = said(celeriac("logs", "orders-worker", "--recent", "--instance", "2", "--process", "worker", "-n", "2"))

    assert [one.split()[1] for one in lines.splitlines()] == ["[APP/PROC/WORKER/2]"] * 2
    nothing = celeriac("logs", "orders-worker", "--recent", "--instance", "9")
    assert (said(nothing), "keeps few" in nothing.stderr) == ("", True)


def test_colours_by_level_where_they_are_wanted(celeriac):
    lines = said(celeriac("logs", "orders-worker", "--recent", "--color")).splitlines()

    assert [one[:5] for one in lines[2:5]] == ["\x1b[33m", "\x1b[31m", "\x1b[31m"]
    assert "\x1b" not in lines[6]
    assert "\x1b" not in said(celeriac("logs", "orders-worker", "--recent", "--no-color"))


def test_what_an_app_writes_commands_no_terminal(celeriac, world):
    world.platform.write(line(samples.NOW, ESCAPES + "\nsecond"))

    text = said(celeriac("logs", "orders-worker", "--recent", "--no-color"))

    assert not set(text) & set("\x1b\x07\u202e\x9b\r")
    assert text.splitlines()[-1].endswith("ERR second")
    assert "\\x1b]0;owned" in text
    listed = said(celeriac("logs", "orders-worker", "--recent", "--json"))
    assert listed.isascii()
    assert "\x1b" not in listed


def test_json_of_lines_is_an_object_a_line(celeriac):
    lines = [
        json.loads(one) for one in said(celeriac("logs", "orders-worker", "--recent", "--json", "-n", "3")).splitlines()
    ]

    assert [one["level"] for one in lines] == ["CRITICAL", "ERROR", "INFO"]


def test_events_newest_first(celeriac):
    heading, first, second = said(celeriac("events", "orders-worker")).splitlines()

    assert heading.split() == ["TIME", "(UTC)", "EVENT", "ACTOR", "DESCRIPTION"]
    assert "audit.app.process.crash  worker           index 2, exit status 137" in first
    assert SECRET not in second
    assert len(json.loads(said(celeriac("events", "orders-worker", "--json")))) == 2


def test_variables_without_secrets(celeriac, world):
    result = celeriac("env", "orders-worker")

    assert said(result).splitlines() == [
        "BROKER_URL=(hidden)",
        "CELERY_QUEUES=orders,mail",
        "PAYMENT_API_KEY=(hidden)",
        "RESULT_URL=(hidden)",
    ]
    assert result.stderr.count("never shown") == 1
    assert SECRET not in said(celeriac("env", "orders-worker", "--json"))
    world.platform.variables = []
    assert "no variables" in said(celeriac("env", "orders-worker"))


@pytest.mark.parametrize(
    "verb", [("logs", "orders-worker", "--recent"), ("logs", "orders-worker"), ("events", "orders-worker")]
)
def test_the_platforms_refusal_is_one_sentence(celeriac, world, verb):
    world.platform.fails = RefusedError("the role space_auditor may not do that")

    result = celeriac(*verb)

    assert result.exit_code != 0
    assert "The platform cloudfoundry: the role space_auditor may not do that" in result.stderr
    assert "No app 'nope' is watched" in celeriac(verb[0], "nope").stderr


@pytest.fixture
def following(console, world):
    """Follow in a process of its own."""
    running = []

    def follow(*more):
        argv = [sys.executable, "-m", "celeriac", "logs", "orders-worker", *more]
        env = {**os.environ, "CELERIAC_URL": console.url, "PYTHONUNBUFFERED": "1"}
        running.append(subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        harness.wait_until(lambda: world.platform.followers == 1, 20, "it follows")
        return running[-1]

    yield follow
    for one in running:
        one.kill()
        one.communicate(timeout=10)


def test_a_log_is_followed_until_ctrl_c(following, world):
    process = following("--instance", "1")
    world.platform.write(celery(samples.NOW + 1, "INFO", "of another", 0), celery(samples.NOW + 2, "INFO", "mine", 1))

    assert "[APP/PROC/WORKER/1] ERR [2026-09-21" in process.stdout.readline()
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert process.stderr.read() == ""
    harness.wait_until(lambda: world.platform.followers == 0, 10, "the platform is let go")


def test_a_log_that_can_be_followed_no_longer_says_why(following, world):
    process = following("--json")
    world.platform.write(celery(samples.NOW + 1, "ERROR", "text"))
    assert json.loads(process.stdout.readline())["level"] == "ERROR"

    world.platform.fail(RefusedError("your role was taken"))

    assert process.wait(10) == 1
    assert "The platform cloudfoundry: your role was taken" in process.stderr.read()
