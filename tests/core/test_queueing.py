"""Erlang's formula and its corrections: against published values, a small simulation, and laws."""

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.queueing import MOST_SLOTS, Work, erlang_c, mean_wait, slots_for, wait_within

PER_S = st.floats(0.001, 200)
TIMES = st.floats(0.001, 60)
SCV = st.floats(0, 20)
WORK = st.builds(Work, PER_S, TIMES, SCV, SCV).filter(lambda work: work.offered < 300)


@pytest.mark.parametrize(
    ("slots", "offered", "chance"),
    [
        # M/M/1: who comes waits if the one slot is busy.
        (1, 0.5, 0.5),
        # M/M/2 in closed form: 2 rho^2 / (1 + rho).
        (2, 1.0, 1 / 3),
        (2, 1.5, 2 * 0.75**2 / 1.75),
        # M/M/3 at two erlangs: 4/9, the textbooks' example.
        (3, 2.0, 4 / 9),
        # The worked example of call centres: 200 calls an hour, of 3 minutes each.
        (11, 10.0, 0.6821),
        (14, 10.0, 0.1741),
        # Tables of Erlang C.
        (10, 8.0, 0.4092),
        (5, 4.0, 0.5541),
        (20, 15.0, 0.1604),
    ],
)
def test_the_chance_to_wait_is_that_of_the_tables(slots, offered, chance):
    assert erlang_c(slots, offered) == pytest.approx(chance, abs=5e-5)


def test_the_waits_of_exponential_tasks_are_exact():
    # M/M/1: W = rho / (mu - lambda); P(W > t) = rho exp(-(mu - lambda) t).
    work = Work(0.8, 1.0)
    assert mean_wait(work, 1) == pytest.approx(4.0)
    assert wait_within(work, 1, 0.95) == pytest.approx(math.log(0.8 / 0.05) / 0.2)


def test_the_mean_wait_for_one_slot_is_that_of_pollaczek_and_khinchine():
    # M/D/1 waits half as long as M/M/1; general: lambda E[S^2] / 2 (1 - rho).
    assert mean_wait(Work(0.8, 1.0, service_scv=0.0), 1) == pytest.approx(2.0)
    work = Work(0.1, 5.0, service_scv=3.0)
    assert mean_wait(work, 1) == pytest.approx(0.1 * 5.0**2 * (1 + 3.0) / (2 * (1 - 0.5)))


def test_more_work_than_slots_waits_without_end():
    work = Work(3.0, 1.0)
    assert erlang_c(3, 3.0) == 1.0
    assert mean_wait(work, 3) == math.inf
    assert wait_within(work, 2, 0.95) == math.inf


def test_no_work_does_not_wait():
    assert wait_within(Work(0.0, 1.0), 1, 0.95) == 0.0
    assert slots_for(Work(0.0, 1.0), 1.0, 0.95, step=4) == 4


def test_what_no_number_keeps_is_none():
    assert slots_for(Work(MOST_SLOTS * 2.0, 1.0), 1.0, 0.95) is None


@given(WORK, st.integers(1, 400))
def test_more_slots_never_wait_longer(work, slots):
    assert mean_wait(work, slots + 1) <= mean_wait(work, slots)
    assert wait_within(work, slots + 1, 0.95) <= wait_within(work, slots, 0.95)


@given(WORK, st.floats(1, 3), st.floats(0.01, 600), st.integers(1, 16))
def test_more_work_never_needs_fewer_and_less_patience_neither(work, more, wait, step):
    more_often = Work(work.per_s * more, work.mean_s, work.arrival_scv, work.service_scv)
    longer = Work(work.per_s, work.mean_s * more, work.arrival_scv, work.service_scv)
    needed = slots_for(work, wait, 0.95, step=step)
    assert needed <= slots_for(more_often, wait, 0.95, step=step)
    assert needed <= slots_for(longer, wait, 0.95, step=step)
    assert needed <= slots_for(work, wait / more, 0.95, step=step)


@given(WORK, st.floats(0.01, 600), st.integers(1, 16), st.integers(1, 50))
def test_what_is_needed_keeps_the_objective_and_one_step_less_does_not(work, wait, step, least):
    needed = slots_for(work, wait, 0.95, step=step, least=least)
    assert needed % step == 0
    assert needed >= least
    assert needed > work.offered
    assert wait_within(work, needed, 0.95) <= wait
    fewer = needed - step
    assert fewer < max(least, 1) or fewer <= work.offered or wait_within(work, fewer, 0.95) > wait


def drawn(chance: random.Random, mean: float, scv: float) -> float:
    """Draw a time with this mean and squared coefficient of variation, from a gamma distribution."""
    return mean if scv == 0 else chance.gammavariate(1 / scv, mean * scv)


def simulated(work: Work, slots: int, number: int, seed: int) -> list[float]:
    """Return the waits of so many tasks, first come first served, in order."""
    chance, at, waits = random.Random(seed), 0.0, []
    free = [0.0] * slots
    for _ in range(number):
        at += drawn(chance, 1 / work.per_s, work.arrival_scv)
        begins = max(at, heapq.heappop(free))
        waits.append(begins - at)
        heapq.heappush(free, begins + drawn(chance, work.mean_s, work.service_scv))
    return sorted(waits[number // 10 :])


@pytest.mark.parametrize(
    ("work", "slots", "off"),
    [
        (Work(3.2, 1.0), 4, 0.1),
        (Work(9.0, 1.0), 10, 0.15),
        (Work(3.4, 1.0, service_scv=0.2), 4, 0.15),
        (Work(3.4, 1.0, service_scv=4.0), 4, 0.2),
        (Work(10.5, 1.0, arrival_scv=2.0, service_scv=1.5), 12, 0.2),
        (Work(3.6, 1.0, arrival_scv=0.3, service_scv=0.3), 4, 0.25),
    ],
)
def test_a_simulation_waits_about_as_long(work, slots, off):
    waits = simulated(work, slots, 200_000, seed=7)
    assert mean_wait(work, slots) == pytest.approx(sum(waits) / len(waits), rel=off)
    assert wait_within(work, slots, 0.95) == pytest.approx(waits[int(0.95 * len(waits))], rel=off)
