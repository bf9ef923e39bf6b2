"""How grave a log line is by its own words, and which lines are asked for."""

import pytest

from celeriac.core.apps import LogLine
from celeriac.core.log_lines import Level, Lines, level


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[2026-11-28 19:00:00,123: INFO/MainProcess] celery@a ready.", Level.INFO),
        ("[2026-11-28 19:00:00,123: WARNING/ForkPoolWorker-1] shop.mail[0b7e]: slow", Level.WARNING),
        ("[2026-11-28 19:00:00,123: ERROR/ForkPoolWorker-1] Task raised", Level.ERROR),
        ("[2026-11-28 19:00:00,123: CRITICAL/MainProcess] Unrecoverable error", Level.CRITICAL),
        ("[2026-11-28 19:00:00,123: DEBUG/MainProcess] | Worker: Building graph...", Level.DEBUG),
        ("[2026-11-28 19:00:00,123: INFO/MainProcess] no ERROR at all", Level.INFO),
        ("[2026-11-28 19:00:00,123: LOUD/MainProcess] an own level with an ERROR", Level.ERROR),
        ("WARNING:root:a plain one", Level.WARNING),
        ("2026-11-28 ERROR something", Level.ERROR),
        ("TERRORS and Errors are none", None),
        ("Traceback (most recent call last):", None),
        ("", None),
    ],
)
def test_the_level_is_celerys_own_or_a_word(text, found):
    assert level(text) == found


def line(process, index):
    return LogLine(1.0, "APP", "OUT", "text", process, index)


@pytest.mark.parametrize(
    ("which", "there"),
    [
        (Lines(), {("worker", 0), ("worker", 1), ("web", 0), (None, 0), (None, None)}),
        (Lines(instance=0), {("worker", 0), ("web", 0), (None, 0)}),
        (Lines(process="worker"), {("worker", 0), ("worker", 1)}),
        (Lines(instance=0, process="worker"), {("worker", 0), (None, 0)}),
        (Lines(instance=7), set()),
    ],
)
def test_lines_of_one_instance_or_process(which, there):
    told = [("worker", 0), ("worker", 1), ("web", 0), (None, 0), (None, None)]

    assert {one for one in told if which.hold(line(*one))} == there
    assert which.all == (len(there) == len(told))
