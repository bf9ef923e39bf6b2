"""Ranges of time and the steps that they are shown in."""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

DAY_S = 86_400
MOST_STEPS = 2000
"""More than a day has minutes."""
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S, 7 * DAY_S)
"""Steps that people read easily."""


class Range(NamedTuple):
    """Times in seconds since the epoch; steps begin at whole multiples of `step_s`."""

    since: float
    until: float
    step_s: int

    def steps(self) -> Iterator[int]:
        """Return the beginnings of all steps, also of those in which nothing happened."""
        return iter(range(int(self.since // self.step_s) * self.step_s, ceil(self.until), self.step_s))


def bounds(since: float | None, until: float | None, now: float, otherwise_s: float) -> tuple[float, float]:
    """Return both ends: until now, and `otherwise_s` long, unless said otherwise."""
    end = now if until is None else until
    return (end - otherwise_s if since is None else min(since, end), end)


def in_steps(since: float, until: float, step_s: int | None, points: int, unit_s: int = 1) -> Range:
    """Return a range in steps of whole units: the wanted step, or one that gives at most so many points.

    A step that would give more than `MOST_STEPS` is widened.
    """
    least = (until - since) / (points if step_s is None else MOST_STEPS)
    wanted = max(step_s or 0, least, unit_s)
    if step_s is None or least > step_s:
        wanted = next((one for one in STEPS_S if one >= wanted), wanted)
    return Range(since, until, ceil(wanted / unit_s) * unit_s)
