"""Roll-ups: what a row contributes, buckets of durations, and their percentiles."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.core import rollup
from celeriac.core.rollup import ALL, CODES, HOUR, MINUTE, RUNTIME, UNNAMED, WAIT
from celeriac.core.tasks import SUCCESS, Task

T0 = 1_790_002_800 // HOUR * HOUR


def bucket(seconds):
    (number,) = rollup.buckets(np.array([seconds])).tolist()
    return number


def contributed(*tasks, **fields):
    """Return what these tasks contribute by name and minute: counts by state, durations by bucket."""
    found = {}
    for (name, minute, code), number in rollup.contributed(tasks or [Task("t", name="mail", **fields)]).items():
        found.setdefault((name, minute * MINUTE - T0), {})[code] = number
    return found


def test_a_task_counts_in_the_minute_of_each_step():
    """Received, begun and ended, with its wait where it began and its run time where it ended."""
    found = contributed(
        state=SUCCESS,
        sent_at=T0 + 1.0,
        received_at=T0 + 59.0,
        started_at=T0 + 61.0,
        finished_at=T0 + 125.0,
        runtime=64.0,
    )

    assert found == {
        ("mail", 0): {CODES["RECEIVED"]: 1},
        ("mail", 60): {CODES["STARTED"]: 1, WAIT + bucket(60.0): 1},
        ("mail", 120): {CODES["SUCCESS"]: 1, RUNTIME + bucket(64.0): 1},
    }


@pytest.mark.parametrize("state", ["FAILURE", "REVOKED", "REJECTED", "CANCELLED"])
def test_another_end_counts_by_its_state_and_has_no_run_time(state):
    found = contributed(state=state, finished_at=T0 + 5.0, runtime=1.0)

    assert found == {("mail", 0): {CODES[state]: 1}}


def test_a_task_that_only_its_producer_speaks_of_counts_nowhere():
    assert contributed(sent_at=T0 + 1.0) == {}


def test_a_retried_task_counts_once_in_the_minute_of_its_latest_retry():
    """A row holds the latest of each."""
    found = contributed(state="RETRY", received_at=T0 + 1.0, started_at=T0 + 2.0, retried_at=T0 + 65.0)

    assert found[("mail", 60)] == {CODES["RETRY"]: 1}


def test_a_task_that_is_delivered_again_is_no_longer_done():
    """It ended at 5 and began again: it counts as done when it ends."""
    found = contributed(state="STARTED", received_at=T0 + 1.0, started_at=T0 + 65.0, finished_at=T0 + 5.0)

    assert found[("mail", 0)] == {CODES["RECEIVED"]: 1}
    assert found[("mail", 60)][CODES["STARTED"]] == 1


def test_a_task_without_a_name_is_counted_apart():
    found = contributed(Task("t", received_at=T0 + 1.0), Task("u", name="", received_at=T0 + 2.0))

    assert found == {(UNNAMED, 0): {CODES["RECEIVED"]: 2}}


TIMES = st.none() | st.integers(0, 7200).map(lambda at: T0 + at / 2)


@st.composite
def rows(draw):
    return Task(
        "t",
        state=draw(st.sampled_from(list(CODES))),
        name=draw(st.sampled_from([None, "", "a", "b"])),
        sent_at=draw(TIMES),
        received_at=draw(TIMES),
        started_at=draw(TIMES),
        retried_at=draw(TIMES),
        finished_at=draw(TIMES),
        runtime=draw(st.none() | st.floats(0, 1e9)),
    )


@given(st.lists(rows(), max_size=8))
def test_many_rows_contribute_what_each_does(tasks):
    together = rollup.contributed(tasks)

    assert together == sum((rollup.contributed([task]) for task in tasks), Counter())


def test_what_is_taken_back_leaves_nothing():
    task = Task("t", "SUCCESS", received_at=T0 + 1.0, finished_at=T0 + 2.0, runtime=0.5)
    tally = rollup.contributed([task])
    tally.subtract(rollup.contributed([task]))

    assert rollup.rolls(tally) == {}


def test_changes_are_rolled_up_by_minute_and_hour_for_each_name_and_for_all():
    received = [(0, "a"), (59, "a"), (59, "b"), (60, "a")]
    tally = rollup.contributed([Task("t", name=name, received_at=T0 + 60.0 * minute + 30) for minute, name in received])
    one = {CODES["RECEIVED"]: 1}
    two, three = {CODES["RECEIVED"]: 2}, {CODES["RECEIVED"]: 3}

    assert rollup.rolls(tally) == {
        (MINUTE, T0, "a"): one, (MINUTE, T0, ALL): one,
        (MINUTE, T0 + 3540, "a"): one, (MINUTE, T0 + 3540, "b"): one, (MINUTE, T0 + 3540, ALL): two,
        (MINUTE, T0 + 3600, "a"): one, (MINUTE, T0 + 3600, ALL): one,
        (HOUR, T0, "a"): two, (HOUR, T0, "b"): one, (HOUR, T0, ALL): three,
        (HOUR, T0 + 3600, "a"): one, (HOUR, T0 + 3600, ALL): one,
    }  # fmt: skip


COUNTS = st.dictionaries(st.integers(0, 2999), st.integers(-5, 5), max_size=5)


@given(st.lists(COUNTS, max_size=5))
def test_a_total_is_the_sum_and_holds_no_zeros(counts):
    total = rollup.total(counts)

    assert all(total.values())
    assert {code: sum(count.get(code, 0) for count in counts) for count in counts for code in count} == {
        **{code: 0 for count in counts for code in count},
        **total,
    }


def test_counts_are_read_by_state_and_by_kind_of_duration():
    count = {CODES["RECEIVED"]: 3, CODES["SUCCESS"]: 2, RUNTIME + 7: 2, RUNTIME + 3: 1, WAIT + 9: 4}

    assert rollup.by_state(count) == {"RECEIVED": 3, "SUCCESS": 2}
    assert rollup.histogram(count, RUNTIME) == {3: 1, 7: 2}
    assert rollup.histogram(count, WAIT) == {9: 4}


# Buckets -------------------------------------------------------------------------------------------------------------

DURATIONS = st.floats(1e-6, 2.0**32)
ROUNDING = 1e-9


@given(DURATIONS)
def test_a_duration_lies_in_its_bucket(seconds):
    number = bucket(seconds)

    assert rollup.lower_bound(number) <= seconds * (1 + ROUNDING)
    assert seconds <= rollup.lower_bound(number + 1) * (1 + ROUNDING)


@given(DURATIONS, DURATIONS)
def test_a_longer_duration_lies_in_no_earlier_bucket(one, other):
    shorter, longer = sorted((one, other))

    assert bucket(shorter) <= bucket(longer)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-6])
def test_what_takes_no_time_lies_in_the_first_bucket(seconds):
    assert bucket(seconds) == 0


def test_run_times_and_waits_never_share_a_code():
    """The longest that an event can name, and a wait since 1970."""
    assert RUNTIME + bucket(1e9) < WAIT
    assert WAIT + bucket(2.0**32) < WAIT + 1000


@given(st.lists(DURATIONS, min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_percentile_is_at_most_five_percent_off(durations, share):
    """Of the task that stands there when all are put in order."""
    ended = [Task("t", SUCCESS, finished_at=1.0 * T0, runtime=seconds) for seconds in durations]
    count = rollup.total(rollup.rolls(rollup.contributed(ended)).values())
    found = rollup.quantile(rollup.histogram(count, RUNTIME), share)
    exact = next(each for n, each in enumerate(sorted(durations), 1) if n >= share * len(durations))

    assert abs(found - exact) <= 0.045 * exact


def test_of_nothing_there_is_no_percentile():
    assert rollup.quantile({}, 0.5) is None


@given(st.lists(DURATIONS, max_size=20), st.lists(DURATIONS, max_size=20))
def test_histograms_of_two_ranges_add_up(one, other):
    """What is summed from minutes is what all tasks together give."""

    def count(durations):
        ended = [Task("t", SUCCESS, finished_at=1.0 * T0, runtime=seconds) for seconds in durations]
        return {code: number for (_, _, code), number in rollup.contributed(ended).items()}

    assert rollup.total([count(one), count(other)]) == rollup.total([count(one + other)])
