"""Reading roll-ups: the sums of any range and step are those of the tasks themselves."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.stored import NOW, fresh, kept
from celeriac.adapters.sql import charts
from celeriac.core import rollup
from celeriac.core.errors import UnreachableError
from celeriac.core.rollup import CODES, HOUR, MINUTE, UNNAMED
from celeriac.core.tasks import Task

T0 = NOW // HOUR * HOUR
NAMES = st.none() | st.sampled_from(["", "a", "b"])


@st.composite
def done(draw) -> list[Task]:
    """Draw tasks of a few hours, with their run times."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        at = T0 + draw(st.integers(0, 5 * 60)) * 60 + draw(st.sampled_from([0.0, 0.999999, 59.999999]))
        ran = draw(st.integers(0, 4000)) / 8
        state = draw(st.sampled_from(["SUCCESS", "FAILURE"]))
        steps = {"received_at": at, "started_at": at + 1.5, "finished_at": at + 1.5 + ran, "state_at": at + 1.5 + ran}
        found.append(Task(f"t{number}", state, name=draw(NAMES), first_at=at, runtime=ran, **steps))
    return found


def counted(tasks, name=None):
    """Return what each task contributes, by minute."""
    minutes = {}
    for task in tasks:
        if name is None or (task.name or UNNAMED) == name:
            for (_, minute, code), number in rollup.contributed([task]).items():
                count = minutes.setdefault(minute * MINUTE, {})
                count[code] = count.get(code, 0) + number
    return minutes


def steps(tasks, since, until, step_s, name=None):
    """Sum the same by plain means: a step counts whole if it begins at all in the range."""
    stored = HOUR if step_s % HOUR == 0 else MINUTE
    found = {}
    for at, count in counted(tasks, name).items():
        if since // step_s * step_s <= at // stored * stored < until:
            found.setdefault(at // step_s * step_s, []).append(count)
    return {at: rollup.total(counts) for at, counts in sorted(found.items())}


RANGES = st.tuples(st.integers(-10, 400), st.integers(0, 400), st.sampled_from([0.0, 0.5, 59.0]))
STEPS = st.sampled_from([MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 90 * MINUTE])


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(done(), RANGES, STEPS, st.none() | st.sampled_from(["a", "b", UNNAMED, "none such"]))
def test_the_steps_of_a_range_are_the_sums_of_their_tasks(tasks, bounds, step_s, name):
    """For all tasks and for those of one name; a range begins with the whole step that it begins in."""
    begin, minutes, odd = bounds
    since = T0 + begin * 60.0 + odd
    until = since + minutes * 60
    with fresh() as history:
        history.record(*tasks)
        counts = history.charts.counts(since, until, step_s, name)
        durations = history.charts.durations(since, until, step_s, name)

    wanted = {at: rollup.parted(count) for at, count in steps(tasks, since, until, step_s, name).items()}
    assert counts == {at: states for at, (states, _) in wanted.items() if states}
    assert durations == {at: spans for at, (_, spans) in wanted.items() if spans}
    assert list(counts) == sorted(counts)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(done(), RANGES)
def test_the_sums_by_name_are_those_of_their_tasks(tasks, bounds):
    """Each name that has any; by whole hours in a range of more than six."""
    begin, minutes, odd = bounds
    since = T0 + begin * 60.0 + odd
    until = since + minutes * 60
    step = MINUTE if until - since <= 6 * HOUR else HOUR
    wanted = {}
    for name in ("a", "b", UNNAMED):
        whole = rollup.total(steps(tasks, since, until, step, name).values())
        wanted |= {name: whole} if whole else {}
    with fresh() as history:
        history.record(*tasks)

        assert history.charts.by_name(since, until) == wanted


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(done(), st.integers(-10, 400), st.integers(1, 5))
def test_the_newest_minutes_of_each_name_are_those_in_which_its_tasks_were_received(tasks, begin, most):
    """Of the names of which anything came in the hour that the time lies in, or later."""
    since = T0 + begin * 60.0
    wanted = {}
    for name in ("a", "b", UNNAMED):
        whole = counted(tasks, name)
        came = {at: count[CODES["RECEIVED"]] for at, count in sorted(whole.items()) if CODES["RECEIVED"] in count}
        # Where few minutes are asked for, those in which its tasks only began or ended may take up the room.
        if came and max(whole) // HOUR >= since // HOUR and len(whole) <= 2 * most:
            wanted[name] = dict(list(came.items())[-most:])
    with fresh() as history:
        history.record(*tasks)
        found = history.charts.lately(since, most)

    assert {name: dict(sorted(found[name].items())) for name in wanted} == wanted
    assert all(0 < len(came) <= most for came in found.values())


@pytest.fixture
def history(tmp_path):
    with kept(tmp_path / "history.db") as one:
        yield one


def test_nothing_is_told_of_what_was_taken_back(history):
    """A task whose name came late leaves no name with nothing behind."""
    history.record(Task("t", "STARTED", first_at=T0, started_at=T0, state_at=T0))
    assert list(history.charts.by_name(T0, T0 + HOUR)) == [UNNAMED]

    history.record(Task("t", "RECEIVED", name="a", first_at=T0 - 120, received_at=T0 - 120, state_at=T0 - 120))
    assert list(history.charts.by_name(T0 - 120, T0 + HOUR)) == ["a"]
    assert history.charts.counts(T0 - 120, T0 + HOUR, MINUTE, UNNAMED) == {}
    steps = history.charts.counts(T0 - 120, T0 + HOUR, MINUTE)
    assert steps == {T0 - 120: {CODES["RECEIVED"]: 1}, T0: {CODES["STARTED"]: 1}}
    waits = history.charts.durations(T0 - 120, T0 + HOUR, MINUTE)
    assert waits == {T0: {rollup.WAIT + rollup.buckets(np.array([120.0]))[0]: 1}}


ONE_NAME = "SELECT at, states FROM rollups WHERE step = ? AND name = 0 AND at >= ? AND at < ?"


@pytest.mark.parametrize("query", [ONE_NAME, charts.BY_NAME])
def test_a_range_is_read_as_it_lies(history, query):
    """Whatever the number of names and the length of the past."""
    with history.database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (HOUR, 1, 2)).all()

    assert plan[-1][3] == "SEARCH rollups USING PRIMARY KEY (step=? AND name=? AND at>? AND at<?)"


def test_what_came_lately_is_read_from_the_indexes(history):
    """However many names have come before, and however long their past is."""
    with history.database.reading() as connection:
        names = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {charts.NAMES_SINCE}", (HOUR, 1)).all()
        newest = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {charts.NEWEST_MINUTES}", (MINUTE, 1, 32)).all()

    assert "SEARCH rollups USING COVERING INDEX ix_rollups_at (step=? AND at>?)" in [row[3] for row in names]
    assert [row[3] for row in newest] == ["SEARCH rollups USING PRIMARY KEY (step=? AND name=?)"]


def test_what_came_earlier_is_not_told(history):
    long_past(history, 3)

    assert history.charts.lately(T0, 16) == {name: {T0 + 7200: 1, T0 + 3600: 1, T0: 1} for name in ("a", "b")}
    assert list(history.charts.lately(T0, 2)["a"]) == [T0 + 7200, T0 + 3600]
    assert history.charts.lately(T0 + 3 * HOUR, 16) == {}


def long_past(history, hours):
    """Store tasks of two names in so many hours."""
    for name in ("a", "b"):
        spans = range(0, hours * HOUR, HOUR)
        steps = [{"received_at": T0 + at, "started_at": T0 + at + 1, "state_at": T0 + at + 1} for at in spans]
        tasks = [Task(f"{name}{at['received_at']}", "STARTED", name=name, first_at=T0, **at) for at in steps]
        history.record(*tasks)


def test_a_range_that_takes_too_long_is_refused_with_the_fix(history, monkeypatch):
    """Though SQLite itself is done in time."""
    long_past(history, 10)
    monkeypatch.setattr(charts, "SUM_SECONDS", -1.0)

    for ask in (history.charts.by_name, lambda since, until: history.charts.durations(since, until, HOUR)):
        with pytest.raises(UnreachableError, match="ask for a shorter one"):
            ask(T0, T0 + 11 * HOUR)


def test_of_a_long_range_only_sums_are_kept(history):
    """Ten times as many hours take no more memory."""

    def peak(hours):
        tracemalloc.start()
        sums = history.charts.by_name(T0, T0 + hours * HOUR)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sums["a"][CODES["STARTED"]] == hours
        return most

    long_past(history, 1000)
    peak(1000)  # what is made once

    assert peak(1000) < peak(100) + 100_000
