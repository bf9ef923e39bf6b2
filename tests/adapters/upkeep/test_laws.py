"""Whoever goes on with upkeep after a restart, each task stays for its time and then goes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.stored import DAY, NOW, fresh
from adapters.upkeep.rows import ids, named, task, tasks
from celeriac.adapters.sql.partitions import AGE_S
from celeriac.core.retention import Retention


@pytest.mark.parametrize("dies_after", [1, 2, 5])
def test_upkeep_goes_on_after_a_restart_wherever_it_was(started, dies_after):
    """The stages are stored: sealing, moving and dropping each go on, and end as if nothing had been."""
    history = started()
    history.record(*tasks(0, 18), *tasks(18, 25, "FAILURE"))
    now = NOW + 10 * DAY
    for _ in range(200):
        busy = [history.recorder.tidy(now) for _ in range(dies_after)]
        assert set(ids(history)) >= set(named(18, 25))
        history.crash()
        if not any(busy[1:]) and len(history.partitions("id")) == 1:  # a new one looks once for what is forgotten
            break

    assert ids(history) == named(18, 25)
    history.check(dropped=True)


STATES = st.sampled_from(["SUCCESS", "FAILURE", "REVOKED", "STARTED"])
AGES = st.sampled_from([1, 3, 8])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(STATES, max_size=6), st.integers(0, 12)), min_size=1, max_size=10),
    AGES,
    st.dictionaries(STATES, AGES, max_size=2),
    st.sampled_from([1, 3, 100]),
)
def test_each_task_stays_for_its_time_and_then_goes(days, age, by_state, rows):
    """Whatever comes when, however small partitions are, and whenever the writer gets to its upkeep or dies.

    A task goes no earlier than it should, and at most two days later: one that its partition grew, in each of two.
    """
    retention = Retention(age * DAY, {state: each * DAY for state, each in by_state.items()})
    came, now = {}, NOW
    with fresh(rows=rows, retention=retention) as history:
        for later, states, pieces in days:
            now += later * DAY
            for state in states:
                number = len(came)
                came[f"{number:04}"] = (now, retention.age_of(state))
                history.record(task(number, state, now), now=now)
            for _ in range(pieces):
                history.recorder.tidy(now)
            if pieces % 3 == 2:
                history.crash()
        history.tidy(now)
        left = set(ids(history))

        assert {id for id, (at, kept) in came.items() if now - at < kept} <= left
        assert {id for id, (at, kept) in came.items() if now - at < kept + 2 * AGE_S} >= left
        history.check(dropped=True)
