"""Lines of a worker's log, and what they tell."""

import json

import pytest

from celeriac.core.incident import RemedyKind
from celeriac.core.logs import Logged, read, read_all
from celeriac.core.model import Verdict
from celeriac.core.readings import Known, Unknown
from core.builders import NOW, finding, guid, worker
from recordings import FOLDER

HEAD = "[2026-08-12 09:00:00,123: INFO/MainProcess] "


def told(*lines):
    return read_all((float(at), line) for at, line in enumerate(lines))


def test_a_cancelled_queue_is_consumed_no_more_until_it_is_added_again():
    assert told(f"{HEAD}Canceling queue celery").cancelled == ("celery",)
    assert told(f"{HEAD}Canceling queue celery", f"{HEAD}Started consuming from celery").cancelled == ()
    assert told(
        f"{HEAD}Canceling queue a", f"{HEAD}Canceling queue b", f"{HEAD}Started consuming from a"
    ).cancelled == ("b",)


@pytest.mark.parametrize(
    "line",
    ["worker: Warm shutdown (MainProcess)", "worker: Cold shutdown (MainProcess)", f"{HEAD}Got shutdown from remote"],
)
def test_the_first_order_to_stop_counts(line):
    assert told("ready", line, line).stopping_at == 1.0


def test_what_breaks_it_is_kept_by_name():
    broken = told("[2026: CRITICAL/MainProcess] Unrecoverable error: AttributeError(\"'NoneType' object\")")
    assert (broken.broken, broken.broken_at) == ("AttributeError", 0.0)


def test_a_start_begins_anew():
    assert told(f"{HEAD}Canceling queue celery", "- ** ---------- .> transport:   redis://localhost:6379/0") == Logged()


@pytest.mark.parametrize("line", ["", "Canceling queue celery", f"{HEAD}Task shop.pay[x] received", "\x00\udcff"])
def test_other_lines_tell_nothing(line):
    """What a task prints looks different, or a worker would be judged by it."""
    assert read(Logged(), line, 1.0) == Logged()


def test_real_logs_hold_these_lines():
    """The texts are those that recorded workers wrote."""
    lines = [
        json.loads(one)["line"]
        for path in FOLDER.glob("*.jsonl")
        for one in path.read_text().splitlines()
        if '"kind":"log"' in one.replace(" ", "")
    ]
    kinds = [read(Logged(cancelled=("celery",)), line, 1.0) for line in lines]
    assert Logged() in kinds, "a banner"
    assert any(one.cancelled == ("celery", "celery") for one in kinds)
    assert any(one.stopping_at for one in kinds)
    assert any(one.broken for one in kinds)


def test_one_that_is_broken_is_left_to_end():
    logged = {f"celery@{guid()}": Known(Logged(broken="AttributeError", broken_at=NOW - 30), NOW)}
    found = finding(worker(silent=35), logged=logged)

    assert (found.verdict, found.remedy) == (Verdict.DRAINING, RemedyKind.NONE)
    assert ("log", "unrecoverable error: AttributeError") in [(one.signal, one.reading) for one in found.evidence]


def test_one_that_was_told_to_stop_and_hangs_is_for_a_person():
    """A deadlocked main process prints the line and does nothing more."""
    found = finding(worker(silent=35), logged={f"celery@{guid()}": Known(Logged(stopping_at=NOW - 20), NOW)})

    assert (found.verdict, found.remedy) == (Verdict.HUNG, RemedyKind.RESTART_INSTANCE)
    assert found.approval == "it was told to stop, and may be ending its last tasks"


def test_a_log_that_cannot_be_read_proves_nothing_and_says_so():
    found = finding(worker(silent=35), logged={f"celery@{guid()}": Unknown("log-cache: 503", NOW)})

    assert found.verdict is Verdict.HUNG
    assert ("log", "log-cache: 503") in [(one.signal, one.reading) for one in found.evidence]
