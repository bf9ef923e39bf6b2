"""What a peak needs: measured from tasks, bounded by what was seen, and no number where there is no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from busy_week import load, tasks
from celeriac.core.capacity import Measured, Scene, advise, measure, slots_per_instance
from celeriac.core.tasks import Task
from core.builders import NOW

SINCE, UNTIL = NOW, NOW + 900


def measured(**fields) -> Measured:
    """Return a window in which 2.5 tasks came each second and held a slot for 4 s: ten slots are busy."""
    given = {"came": 2250, "began": 2250, "ended": 2250, "told": 1.0, "explained": 10.0, "slot_s": 4.0}
    given |= {"slot_scv": 1.0, "arrival_scv": 1.0, "wait_p50_s": 0.2, "wait_p95_s": 4.0}
    return Measured(SINCE, UNTIL, **{**given, **fields})


def scene(busy=11.0, now=None, peak=None, **fields) -> Scene:
    now = now or load(NOW + 86400, 2)
    return Scene(peak or load(NOW + 300, busy), now, 10.0, measured(**fields), now)


def test_the_peak_of_a_known_load():
    advice = advise(scene())
    assert (advice.needed, advice.spare, advice.unknown, advice.doubts) == (3, 4, None, ())
    # Erlang C of ten erlangs: 12 slots wait with 44.9 %, and the mean is 4 s of it over two free slots.
    table = {one.instances: one for one in advice.table}
    assert list(table) == [2, 3, 4, 5]
    assert table[2].p95_wait_s is None
    assert table[2].utilisation == pytest.approx(1.25)
    assert table[3].mean_wait_s == pytest.approx(0.4494 * 4.0 / 2, abs=1e-3)


def test_a_shorter_wait_needs_more():
    few = {"wait_p95_s": 0.05}
    assert advise(scene(**few), wait_s=1.0).needed == 3  # so it was seen, whatever the formula says
    assert advise(scene(wait_p95_s=4.0), wait_s=1.0).needed == 4


def test_what_was_seen_not_to_be_enough_is_not_enough():
    assert advise(scene(wait_p95_s=45.0)).needed == 4


def test_the_busiest_minute_has_its_slots_however_calm_the_window_was():
    calm = {"came": 90, "slot_s": 1.0, "explained": 0.1}
    assert advise(replace(scene(**calm), busy=0.1)).needed == 3


def test_an_instance_that_is_lost_is_made_up_for():
    advice = advise(scene())
    assert advice.spare == advice.needed + 1
    assert advice.spare in [one.instances for one in advice.table]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"began": 12}, "only 12 tasks ran to their end in the 0.25 h around its peak"),
        ({"ended": 0, "slot_s": None}, "only 0 tasks"),
        ({"told": 0.4, "wait_p95_s": None}, "60% of its tasks do not say when they were sent"),
        ({"explained": 3.0}, "task events are missing"),
        ({"peak": load(NOW, 11, shared=True)}, "its queues are also worked on by workers elsewhere"),
        ({"now": load(NOW, 11, shared=True)}, "its queues are also worked on by workers elsewhere"),
        ({"now": load(NOW, 2, unsure=1)}, "not known how many slots"),
        ({"came": 900_000_000}, "no number of slots"),
    ],
)
def test_where_the_measurements_carry_no_answer_there_is_none(given, why):
    advice = advise(scene(**given))
    assert (advice.needed, advice.spare, advice.table) == (None, None, ())
    assert why in advice.unknown


@pytest.mark.parametrize(
    ("given", "doubt"),
    [
        ({"busy": 12.0, "peak": load(NOW, 12, waiting=80)}, "all slots were busy and 80 messages waited"),
        ({"now": load(NOW, 2, slots=10)}, "do not all have the same number of slots"),
        ({"complete": False}, "more tasks than are read"),
        ({"peak": load(NOW, 11, unsure=2)}, "the slots of 2 workers were not known"),
    ],
)
def test_what_makes_figures_less_sure_is_told(given, doubt):
    advice = advise(scene(**given))
    assert advice.needed is not None
    assert any(doubt in one for one in advice.doubts)


def test_the_slots_of_an_instance():
    assert slots_per_instance(load(NOW, 1)) == 4
    assert slots_per_instance(load(NOW, 1, slots=10)) == 3
    assert slots_per_instance(load(NOW, 0, slots=0)) is None


def test_tasks_tell_arrivals_times_and_waits():
    one = measure(tasks(SINCE - 900, UNTIL, per_s=2.5, mean_s=4.0), SINCE, UNTIL)
    assert one.came / 900 == pytest.approx(2.5, rel=0.1)
    assert one.slot_s == pytest.approx(4.0, rel=0.1)
    assert one.arrival_scv == pytest.approx(1.0, abs=0.15)
    assert one.slot_scv == pytest.approx(1.0, abs=0.15)
    assert one.explained == pytest.approx(one.came / 900 * one.slot_s, rel=0.1)
    assert one.told == 1.0
    assert one.wait_p50_s <= one.wait_p95_s


def test_without_sent_events_there_are_no_waits():
    one = measure(tasks(SINCE - 900, UNTIL, per_s=2.5, mean_s=4.0, sent=False), SINCE, UNTIL)
    assert (one.told, one.wait_p50_s, one.wait_p95_s) == (0.0, None, None)


def test_a_task_that_began_before_the_window_or_ends_after_it_counts_for_what_it_did_in_it():
    def of(start, end):
        state = "STARTED" if end is None else "SUCCESS"
        return Task("u", state, first_at=start, sent_at=start, started_at=start, finished_at=end, state_at=end or start)

    day = [of(SINCE - 450, SINCE + 450), of(UNTIL - 90, None), of(SINCE - 900, SINCE - 100)]
    one = measure(day, SINCE, UNTIL)
    assert one.explained == pytest.approx((450 + 90) / 900)
    assert (one.came, one.began, one.ended) == (1, 1, 1)


def test_nothing_tells_nothing():
    one = measure([], SINCE, UNTIL)
    assert (one.came, one.began, one.slot_s, one.arrival_scv, one.work) == (0, 0, None, None, None)
    assert advise(Scene(load(NOW, 0), load(NOW, 0), 0.0, one, load(NOW, 0))).needed is None


SCENES = st.builds(
    lambda came, slot_s, busy, waited: scene(
        busy=float(busy), came=came, slot_s=slot_s, explained=10.0, wait_p95_s=waited
    ),
    st.integers(50, 20_000),
    st.floats(0.01, 20),
    st.integers(0, 12),
    st.none() | st.floats(0, 100),
)


@given(SCENES, st.floats(0.1, 600))
def test_advice_never_goes_below_what_was_busy_nor_beyond_what_slots_can_do(one, wait):
    advice = advise(one, wait)
    if advice.needed is None:
        assert advice.unknown
        return
    assert advice.needed * 4 >= one.peak.mean_busy
    for row in advice.table:
        assert (row.p95_wait_s is None) == (row.utilisation >= 1)
    waits = [row.p95_wait_s for row in advice.table if row.p95_wait_s is not None]
    assert waits == sorted(waits, reverse=True)


@given(SCENES, st.floats(0.1, 600), st.floats(1, 4))
def test_a_shorter_objective_never_needs_fewer(one, wait, less):
    loose, tight = advise(one, wait), advise(one, wait / less)
    if loose.needed is not None and tight.needed is not None:
        assert loose.needed <= tight.needed
