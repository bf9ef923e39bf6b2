"""The guide to maintain the platform, read by a machine: each command of the page runs against the demo and prints what it shows.

An output matches what the page shows if its lines come in that order; `...` stands for lines that are left out, `…` for the rest
of a word or line, and a word with a digit for any such word, unless it names an instance.
"""

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

import harness
from celeriac.demo.stage import Stage, set_up

pytestmark = [pytest.mark.live, pytest.mark.timeout(420)]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "maintain-the-platform.md"
HEADINGS = [
    "1. Using Flower to Monitor Tasks and Workers",
    "1.1 Access Flower Dashboard",
    "1.2 Dashboard Overview",
    "1.3 Monitoring Tasks",
    "1.4 Monitoring Workers",
    "2. Identifying a Crashed Celery Worker",
    "2.1 Worker Status",
    "2.2 Logs and Alerts",
    "2.3 Metrics Monitoring",
    "3. Restarting a Crashed Celery Worker in PCF",
    "3.1 Access PCF CLI",
    "3.2 List Applications",
    "3.3 Restart Worker",
    "3.4 Verify Restart",
    "Best Practices",
    "Regular Monitoring",
    "Alerts",
    "Scaling",
    "Configuration Management",
]
"""Those of the guide that people followed by hand."""

ORDERS = {"restart", "scale"}
"""What is done once; all else is asked until it shows what the page shows."""

FROZEN = "orders-worker/1"
WITHIN_S = 60
INSTANCE = re.compile(r"^([a-z-]+/\d+|worker:\d/\d|\[APP/PROC/WORKER/\d\]|\d/\d)$")


class Step(NamedTuple):
    """One command of the page, and the lines that it shows below it."""

    command: str
    shown: list[str]


def steps(page: str) -> list[Step]:
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], []))
            else:
                found[-1].shown.append(line)
    return found


def pattern(shown: list[str]) -> re.Pattern[str]:
    """Return what an output must match as a whole."""
    parts = []
    for line in shown:
        if line == "...":
            parts.append("(?:.*\n)*?")
        else:
            parts.append(" *" + " +".join(_word(one) for one in line.split()) + " *\n")
    return re.compile("".join(parts) + r"\n*\Z")


def _word(word: str) -> str:
    if "…" in word:
        return ".*".join(re.escape(one) for one in word.split("…"))
    if re.search(r"\d", word) and not INSTANCE.match(word):
        return r"\S+"
    return re.escape(word)


def test_the_page_has_the_headings_of_the_guide() -> None:
    assert re.findall(r"^###? (.*)$", PAGE.read_text(), re.MULTILINE) == HEADINGS


def test_each_heading_has_its_command_and_the_plain_one_or_says_when_it_comes() -> None:
    parts = re.split(r"^(###? .*)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        if heading.startswith("### "):
            assert ("```console\n$ celeriac" in text and "\nIn its place:" in text) or "later version" in text, heading


def test_a_pattern_holds_a_page_to_its_word() -> None:
    """Numbers may differ; words, instances and the order of lines may not."""
    shown = ["A  B", "orders-worker/0  healthy  1.9s", "...", "end of …"]
    assert pattern(shown).match("A    B\norders-worker/0 healthy 700ms\nmore\nend of it all\n")
    assert pattern(shown).match("A B\norders-worker/0 healthy 21s\nend of it\n")
    for wrong in (
        "A B\norders-worker/1 healthy 1.9s\nend of it\n",
        "A B\norders-worker/0 hung 1.9s\nend of it\n",
        "A B C\norders-worker/0 healthy 1.9s\nend of it\n",
        "A B\norders-worker/0 healthy 1.9s\nend of it\nmore\n",
    ):
        assert not pattern(shown).match(wrong), wrong


class Reader:
    """Somebody who follows the page on a running demo."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def do(self, step: Step) -> None:
        words = step.command.split()
        if words[0] == "make":
            assert step.command == "make demo ARGS=--no-breaks"  # it is what runs here
        elif step.command == "kill -STOP PID":
            os.kill(self.stage.client.worker(FROZEN).pid or 0, signal.SIGSTOP)
        elif words[0] == "curl":
            path = words[1].removeprefix("http://127.0.0.1:5555")
            assert httpx2.get(self.stage.url + path, trust_env=False).raise_for_status().json()["items"]
        else:
            assert words[0] == "celeriac", step
            self.ask(step, words[1:])

    def ask(self, step: Step, words: list[str]) -> None:
        expected, tried = pattern(step.shown), ""

        def shows() -> bool:
            nonlocal tried
            tried = self.run(words)
            return bool(expected.match(tried))

        within = 0 if words[0] in ORDERS else WITHIN_S
        harness.wait_until(shows, within, f"{step.command} prints what the page shows", dump=lambda: tried, every=0.3)

    def run(self, words: list[str]) -> str:
        argv = [self.incident() if word == "INCIDENT" else word for word in words]
        env = {**os.environ, "CELERIAC_URL": self.stage.url, "COLUMNS": "120"}
        command = [sys.executable, "-m", "celeriac", *argv]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + "\n" * (not done.stdout.endswith("\n"))

    def incident(self) -> str:
        """Return the incident of the frozen worker."""
        return next(one.id for one in self.stage.client.incidents() if one.worker_name == FROZEN)


def test_every_command_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    """From the first look to the last scaling, in the order of the page, on a demo of its own that breaks nothing by itself."""
    followed = steps(PAGE.read_text())
    verbs = {step.command.split()[1] for step in followed if step.command.startswith("celeriac ")}
    assert verbs >= {"workers", "tasks", "incidents", "apps", "restart", "logs", "events", "scale", "env", "doctor"}
    with set_up(tmp_path, harness.free_port(), lambda _: None) as stage:
        reader = Reader(stage)
        for before, step in pairwise([Step("", []), *followed]):
            try:
                reader.do(step)
            except AssertionError as error:
                error.add_note(f"at: {step.command}  (after: {before.command})")
                raise
