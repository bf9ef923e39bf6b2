"""Roll-ups: how many tasks were received, began, ended and how, by minute and by hour, with run times and waits.

A roll-up is the sum of what each stored row contributes, and a row that changes takes back what it had contributed. So
roll-ups always agree with the rows, whatever is repeated or redelivered, and outlive them when retention drops them.

Since a row holds the latest of its task, so do roll-ups, and a number of the past may still fall: a task that is retried
counts once, in the minute of its latest retry; one that is delivered again while it was done no longer counts as done until
it ends again; and where workers' clocks differ, minutes are those of the worker. Sent tasks are not counted, as producers
need not say so.

A count is a dictionary from a code to a number: a state's place in `CODES`, or `RUNTIME` or `WAIT` plus a bucket. Buckets
are the same everywhere, eight to a doubling, so that histograms of any two ranges add up (relative error below 5 %).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from celeriac.core.tasks import FINAL, RECEIVED, RETRY, STARTED, STATES, SUCCESS, Task
from celeriac.core.waits import waited

MINUTE = 60
HOUR = 3600
CODES = {state: code for code, state in enumerate(STATES.values())}
RUNTIME = 1000
WAIT = 2000

ALL = ""
"""The name under which the tasks of all names are summed."""

Count = dict[int, int]
Tally = Counter[tuple[str, int, int]]
"""(task name, minute since the epoch, code) -> number, or change."""

UNNAMED = "(no name)"
"""A task of which only later events were heard."""

_RECEIVED, _STARTED, _RETRY, _SUCCESS = (CODES[state] for state in (RECEIVED, STARTED, RETRY, SUCCESS))
_FINAL = [CODES[state] for state in FINAL]
_TIMES = attrgetter("received_at", "started_at", "retried_at", "finished_at", "runtime")
_IN_A_DOUBLING = 8
_FIRST = 160
"""Puts the bucket of a microsecond at 0."""

_MINUTES, _CODES = 1 << 27, 1 << 12
"""More than there are minutes until 2106, and more than there are codes."""

Floats = NDArray[np.float64]


def contributed(tasks: Sequence[Task]) -> Tally:
    """Return what these rows contribute.

    A retried task counts once, by its latest retry; run times are those of successes, as Celery sends no others.
    """
    if not tasks:
        return Counter()
    names = list({task.name or UNNAMED for task in tasks})
    numbers = {name: number for number, name in enumerate(names)}
    name = np.array([numbers[task.name or UNNAMED] for task in tasks])
    state = np.array([CODES[task.state] for task in tasks])
    received, began, retried, finished, runtime = np.array([_TIMES(task) for task in tasks], dtype=np.float64).T
    wait = np.array([waited(task) for task in tasks], dtype=np.float64)
    ended = np.where(np.isin(state, _FINAL), finished, np.nan)
    ran = np.where(state == _SUCCESS, runtime, np.nan)
    parts: list[tuple[Floats, int | NDArray[np.int64]]] = [
        (received, _RECEIVED),
        (began, _STARTED),
        (retried, _RETRY),
        (ended, state),
        (np.where(np.isnan(wait), np.nan, began), WAIT + buckets(wait)),
        (np.where(np.isnan(ran), np.nan, ended), RUNTIME + buckets(ran)),
    ]
    return _counted(names, [_places(name, at, code) for at, code in parts])


def _places(name: NDArray[np.int64], at: Floats, code: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return name, minute and code as one number, for those whose time is known."""
    known = ~np.isnan(at)
    minutes = (at[known] // MINUTE).astype(np.int64)
    codes = code if isinstance(code, int) else code[known]
    return (name[known] * _MINUTES + minutes) * _CODES + codes


def _counted(names: Sequence[str], places: Sequence[NDArray[np.int64]]) -> Tally:
    found, numbers = np.unique(np.concatenate(places), return_counts=True)
    rest, codes = np.divmod(found, _CODES)
    name, minutes = np.divmod(rest, _MINUTES)
    keys = zip((names[number] for number in name.tolist()), minutes.tolist(), codes.tolist(), strict=True)
    return Counter(dict(zip(keys, numbers.tolist(), strict=True)))


def rolls(changes: Tally) -> dict[tuple[int, int, str], Count]:
    """Return the changes by (step in seconds, start of the step in seconds since the epoch, task name or `ALL`)."""
    found: dict[tuple[int, int, str], Count] = {}
    for (name, minute, code), change in changes.items():
        if not change:
            continue
        at = minute * MINUTE
        for step in (MINUTE, HOUR):
            for key in ((step, at - at % step, name), (step, at - at % step, ALL)):
                count = found.setdefault(key, {})
                count[code] = count.get(code, 0) + change
    return found


def total(counts: Iterable[Count]) -> Count:
    """Return the sum of counts; what sums up to nothing is left out."""
    sums: defaultdict[int, int] = defaultdict(int)
    for count in counts:
        for code, number in count.items():
            sums[code] += number
    return {code: number for code, number in sums.items() if number}


def parted(count: Count) -> tuple[Count, Count]:
    """Return a count's numbers of tasks by state, and its durations: ten times as much, and seldom asked for."""
    return (
        {code: number for code, number in count.items() if code < RUNTIME},
        {code: number for code, number in count.items() if code >= RUNTIME},
    )


def by_state(count: Count) -> dict[str, int]:
    """Return the numbers of tasks by state."""
    return {state: count[code] for state, code in CODES.items() if count.get(code)}


def histogram(count: Count, kind: int) -> dict[int, int]:
    """Return the buckets of `RUNTIME` or `WAIT` with their numbers, in order."""
    return {code - kind: count[code] for code in sorted(count) if kind <= code < kind + 1000}


def lower_bound(number: float) -> float:
    """Return the least duration of a bucket, in seconds; of half a number, the middle of one."""
    return float(2 ** ((number - _FIRST) / _IN_A_DOUBLING))


_BOUNDS = np.array([lower_bound(number) for number in range(1, 1000)])


def buckets(seconds: Floats) -> NDArray[np.int64]:
    """Return the bucket of each duration; a microsecond and less is the first one."""
    return np.searchsorted(_BOUNDS, seconds, side="right").astype(np.int64)


def quantile(buckets: dict[int, int], share: float) -> float | None:
    """Return the duration in seconds that this share of the tasks does not exceed; None if there are none.

    It is the middle of its bucket: at most 4.5 % off, but for durations under a microsecond.
    """
    wanted = share * sum(buckets.values())
    seen = 0
    for number in sorted(buckets):
        seen += buckets[number]
        if seen >= wanted and seen:
            return lower_bound(number + 0.5)
    return None
