"""Ranges in steps: whatever is asked for, there are never too many, and they cover the range."""

from hypothesis import given
from hypothesis import strategies as st

from celeriac.app.ranges import MOST_STEPS, bounds, in_steps

TIMES = st.floats(0, 4_000_000_000)
SPANS = st.floats(0, 400_000_000)
STEPS = st.none() | st.integers(1, 10_000_000)


@given(TIMES, SPANS, STEPS, st.integers(1, 300), st.sampled_from([1, 60]))
def test_steps_cover_the_range_and_are_few(since, span, step_s, points, unit_s):
    shown = in_steps(since, since + span, step_s, points, unit_s)
    steps = list(shown.steps())

    assert shown.step_s % unit_s == 0
    assert len(steps) <= (points if step_s is None else MOST_STEPS) + 2
    assert steps == sorted(set(steps))
    if span >= 1:
        assert steps[0] <= since
        assert steps[-1] + shown.step_s >= since + span


@given(TIMES, SPANS, st.integers(1, 10_000_000))
def test_a_step_that_is_fine_is_taken(since, span, step_s):
    if span / step_s <= MOST_STEPS:
        assert in_steps(since, since + span, step_s, 10).step_s == step_s


def test_a_range_ends_now_and_has_its_usual_length_unless_said_otherwise():
    assert bounds(None, None, 1000, 60) == (940, 1000)
    assert bounds(900, None, 1000, 60) == (900, 1000)
    assert bounds(None, 500, 1000, 60) == (440, 500)
    assert bounds(2000, None, 1000, 60) == (1000, 1000)
