"""How long work waits for one of several slots: Erlang's formula, corrected for how unevenly tasks come and run.

Sources. Erlang B and C, and the exact wait of M/M/c: A. K. Erlang (1917); the recursion is in Zukerman, "Introduction to
Queueing Theory and Stochastic Teletraffic Models", chapters "M/M/k/k" and "M/M/k". The correction by the mean of the squared
coefficients of variation: Kingman (1961) for one slot, Allen and Cunneen (A. O. Allen, "Probability, Statistics, and Queueing
Theory", 2nd ed. 1990, section 5.3) for several; exact for M/M/c, and for M/G/1, where it is Pollaczek's and Khinchine's
formula. That those who wait do so for an exponential time: exact for M/M/c, Kingman's limit of heavy traffic else.
"""

from collections.abc import Iterator
from itertools import count
from math import inf, log

from msgspec import Struct

MOST_SLOTS = 20_000
"""More are not tried."""


class Work(Struct, frozen=True):
    """What comes and how long it holds a slot; `_scv` is a squared coefficient of variation (variance / mean²)."""

    per_s: float
    mean_s: float
    arrival_scv: float = 1.0
    service_scv: float = 1.0

    @property
    def offered(self) -> float:
        """Return the slots that are busy on average, if there are enough: arrivals x mean time (Little's law)."""
        return self.per_s * self.mean_s

    @property
    def unevenness(self) -> float:
        return (self.arrival_scv + self.service_scv) / 2


def _erlang_b(offered: float) -> Iterator[tuple[int, float]]:
    """Yield each number of slots with the chance that all are busy where nobody may wait."""
    blocked = 1.0
    for slots in count(1):
        blocked = offered * blocked / (slots + offered * blocked)
        yield slots, blocked


def _c_of_b(slots: int, offered: float, blocked: float) -> float:
    if offered >= slots:
        return 1.0
    rho = offered / slots
    return blocked / (1 - rho * (1 - blocked))


def erlang_c(slots: int, offered: float) -> float:
    """Return the chance that who comes must wait; 1 where the work is more than the slots can ever do."""
    if slots < 1:
        return 1.0
    return next(_c_of_b(slots, offered, blocked) for number, blocked in _erlang_b(offered) if number == slots)


def mean_wait(work: Work, slots: int) -> float:
    """Return the mean wait in seconds, of all tasks; infinite where the work is more than the slots can do."""
    return _mean(work, slots, erlang_c(slots, work.offered))


def wait_within(work: Work, slots: int, share: float) -> float:
    """Return the wait in seconds that this share of the tasks does not exceed; infinite as above."""
    return _within(work, slots, erlang_c(slots, work.offered), share)


def slots_for(work: Work, wait_s: float, share: float, *, step: int = 1, least: int = 1) -> int | None:
    """Return the fewest slots, a multiple of `step`, with which so large a share waits no longer; None beyond `MOST_SLOTS`."""
    for slots, blocked in _erlang_b(work.offered):
        if slots > MOST_SLOTS:
            return None
        if slots % step or slots < least or slots <= work.offered:
            continue
        if _within(work, slots, _c_of_b(slots, work.offered, blocked), share) <= wait_s:
            return slots
    return None


def _mean(work: Work, slots: int, waiting: float) -> float:
    if work.offered >= slots:
        return inf
    return waiting * work.mean_s / (slots - work.offered) * work.unevenness


def _within(work: Work, slots: int, waiting: float, share: float) -> float:
    if work.offered >= slots:
        return inf
    if waiting <= 1 - share:
        return 0.0
    return log(waiting / (1 - share)) * work.mean_s / (slots - work.offered) * work.unevenness
