"""Reading roll-ups: the sums of any range and step are those of the tasks themselves."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.stored import NOW, fresh, kept
from celeriac.core import rollup
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


@pytest.mark.parametrize("step", [MINUTE, HOUR])
def test_a_range_is_read_through_an_index(history, step):
    """Whatever the number of names and the length of the past."""
    questions = {
        "SELECT at, states FROM rollups WHERE step = ? AND name = 0 AND at >= 1 AND at < 2": "name=? AND at>? AND at<?",
        "SELECT name, states FROM rollups WHERE step = ? AND at >= 1 AND at < 2": "step=? AND at>? AND at<?",
    }
    with history.database.reading() as connection:
        for query, through in questions.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (step,)).all()
            assert through in plan[0][3]
