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

from collections import defaultdict
from collections.abc import Iterable
from math import log2

from celeriac.core.tasks import FINAL, RECEIVED, RETRY, STARTED, STATES, SUCCESS, Task, waited

MINUTE = 60
HOUR = 3600
CODES = {state: code for code, state in enumerate(STATES.values())}
RUNTIME = 1000
WAIT = 2000

ALL = ""
"""The name under which the tasks of all names are summed."""

Count = dict[int, int]
Tally = defaultdict[tuple[str, int, int], int]
"""(task name, minute since the epoch, code) -> change."""

UNNAMED = "(no name)"
"""A task of which only later events were heard."""

_RECEIVED, _STARTED, _RETRY = CODES[RECEIVED], CODES[STARTED], CODES[RETRY]
_LEAST_S = 1e-6
_IN_A_DOUBLING = 8
_FIRST = 160
"""Puts the bucket of a microsecond at 0."""


def tally() -> Tally:
    """Return an empty tally."""
    return defaultdict(int)


def add(into: Tally, task: Task, sign: int = 1) -> None:
    """Add to a tally what one row contributes, or with sign -1 take it back.

    A retried task counts once, by its latest retry; run times are those of successes, as Celery sends no others.
    """
    name = task.name or UNNAMED
    if task.received_at is not None:
        into[name, int(task.received_at) // MINUTE, _RECEIVED] += sign
    if task.started_at is not None:
        minute = int(task.started_at) // MINUTE
        into[name, minute, _STARTED] += sign
        wait = waited(task)
        if wait is not None:
            into[name, minute, WAIT + bucket(wait)] += sign
    if task.retried_at is not None:
        into[name, int(task.retried_at) // MINUTE, _RETRY] += sign
    if task.finished_at is not None and task.state in FINAL:
        minute = int(task.finished_at) // MINUTE
        into[name, minute, CODES[task.state]] += sign
        if task.state == SUCCESS and task.runtime is not None:
            into[name, minute, RUNTIME + bucket(task.runtime)] += sign


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


def by_state(count: Count) -> dict[str, int]:
    """Return the numbers of tasks by state."""
    return {state: count[code] for state, code in CODES.items() if count.get(code)}


def histogram(count: Count, kind: int) -> dict[int, int]:
    """Return the buckets of `RUNTIME` or `WAIT` with their numbers, in order."""
    return {code - kind: count[code] for code in sorted(count) if kind <= code < kind + 1000}


def bucket(seconds: float) -> int:
    """Return the bucket of a duration; a microsecond and less is the first one."""
    return int(log2(max(seconds, _LEAST_S)) * _IN_A_DOUBLING + _FIRST)


def lower_bound(number: float) -> float:
    """Return the least duration of a bucket, in seconds; of half a number, the middle of one."""
    return float(2 ** ((number - _FIRST) / _IN_A_DOUBLING))


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
