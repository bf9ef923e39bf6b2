"""How busy an app is: one look at its workers, a minute of looks, and hours with gaps."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from busy_week import load
from celeriac.core.finding import Finding
from celeriac.core.memory import Board
from celeriac.core.model import Pool, Verdict
from celeriac.core.occupancy import Load, added, fullest, hours, looked, peak, stretch
from celeriac.core.places import Site
from core.builders import APP, NOW, instance, place, worker

AT = NOW // 3600 * 3600


def working(index, active, verdict=Verdict.HEALTHY, *, where=None, node=None):
    return Finding(
        where or place(index),
        verdict,
        site=Site(place(index), None, instance(index), worker(index, active=active, node=node)),
    )


def board(*findings, concurrency=4, queues=("orders",), kind="prefork", **fields):
    lives = [one.site.incarnation for one in findings]
    pools = {one.key: Pool(kind, concurrency, queues) for one in lives}
    return Board("orders", NOW, "all is well", "auto", findings=findings, pools=pools, **fields)


def look(*findings, depths=None, **fields):
    (found,) = looked(board(*findings, **fields), depths or {}, NOW)
    return found


def test_a_look_sums_up_what_the_online_workers_of_an_app_run():
    found = look(working(0, 3), working(1, 4), depths={"orders": 7, "mail": 100})
    assert (found.app, found.process) == (APP, "worker")
    assert (found.busy, found.slots, found.most, found.instances, found.waiting) == (7, 8, 7, 2, 7)
    assert found.nodes == ("celery@guid-0-1", "celery@guid-1-1")
    assert found.at == NOW // 60 * 60


def test_the_same_index_of_two_platforms_is_two_instances():
    found = look(working(0, 3), working(0, 1, where=replace(place(0), platform="cf-west"), node="celery@west"))
    assert (found.busy, found.instances) == (4, 2)


def test_what_is_not_online_counts_for_nothing():
    found = look(working(0, 3), working(1, 4, Verdict.HUNG), working(2, None, Verdict.STARTING))
    assert (found.busy, found.slots, found.instances) == (3, 4, 1)


def test_one_that_drains_has_no_free_slot():
    found = look(working(0, 1, Verdict.DRAINING), working(1, 1))
    assert (found.busy, found.slots) == (2, 5)


def test_one_that_is_silent_while_it_works_is_busy():
    found = look(working(0, 0, Verdict.BUSY), concurrency=1, kind="solo")
    assert (found.busy, found.slots) == (1, 1)


def test_unknown_slots_and_depths_are_told():
    found = look(working(0, 3), concurrency=None)
    assert (found.busy, found.slots, found.unsure, found.waiting) == (3, 3, 1, None)


def test_what_is_not_heard_is_no_look():
    assert looked(board(working(0, 3), blind="the broker is away"), {}, NOW) == []


def test_bare_workers_belong_to_no_app():
    bare = replace(place(0), platform=None, app=None, process=None, index=None, node="celery@host")
    assert looked(board(working(0, 3, where=bare)), {}, NOW) == []


def test_queues_that_another_app_takes_from_are_shared():
    other = working(1, 0, where=replace(place(1), app="mail-worker"))
    first, second = looked(board(working(0, 3), other), {}, NOW)
    assert first.shared
    assert second.shared
    assert not look(working(0, 3), working(1, 3)).shared


def test_a_minute_is_the_sum_of_its_looks():
    first, second = look(working(0, 4)), look(working(0, 1), working(1, 1), depths={"orders": 3})
    minute = added(added(None, first), second)
    assert (minute.looks, minute.busy, minute.slots, minute.most) == (2, 6, 12, 4)
    assert (minute.instances, minute.waiting, minute.mean_busy) == (2, 3, 3.0)
    assert len(minute.nodes) == 2
    assert added(minute, replace(second, at=minute.at + 60)) == replace(second, at=minute.at + 60)


def test_the_peak_is_the_busiest_minute_and_of_several_the_one_where_most_waits():
    calm, full, waiting = load(AT, 3), load(AT + 60, 12), load(AT + 120, 12, waiting=9)
    assert peak([calm, waiting, full]) == waiting
    assert peak([]) is None


def test_the_fullest_of_the_newest_minutes_shows_what_an_instance_has():
    """One of them was restarted; before that each had four slots, and an hour ago eight."""
    loads = [load(NOW, 1, slots=24), load(NOW + 3600, 1), load(NOW + 3660, 1, slots=7), load(NOW + 3720, 1, unsure=1)]
    assert fullest(loads) == loads[1]
    assert fullest([load(NOW, 1, unsure=1)]) is None


def test_a_stretch_ends_where_nothing_was_seen():
    loads = [load(NOW + 60 * n, 1) for n in (0, 1, 5, 12, 13, 14, 30)]
    start = NOW // 60 * 60
    assert stretch(loads, NOW + 60) == (start, start + 360)
    assert stretch(loads, NOW + 13 * 60 + 59) == (start + 12 * 60, start + 15 * 60)
    assert stretch(loads, NOW + 30 * 60) == (start + 30 * 60, start + 31 * 60)


def test_a_stretch_begins_with_the_first_look():
    """Three looks of five seconds are the last quarter of a minute."""
    loads = [replace(load(NOW, 1), looks=3), load(NOW + 60, 1)]
    start = NOW // 60 * 60
    assert stretch(loads, NOW) == stretch(loads, NOW + 60) == (start + 45, start + 120)


def test_an_hour_that_nobody_saw_is_a_gap():
    found = hours([load(AT, 6), load(AT + 60, 12), load(AT + 7200, 0)], AT, AT + 7300)
    assert [(one.at, one.minutes, one.busy, one.most, one.slots) for one in found] == [
        (AT, 2, 9.0, 12.0, 12.0),
        (AT + 3600, 0, None, None, None),
        (AT + 7200, 1, 0.0, 0.0, 12.0),
    ]


LOADS = st.builds(
    lambda minute, busy, slots: load(AT + 60 * minute, min(busy, slots), slots=slots),
    st.integers(0, 600),
    st.integers(0, 40),
    st.integers(1, 40),
)


@given(st.lists(LOADS, max_size=40))
def test_no_hour_is_busier_than_its_busiest_minute_nor_than_its_slots(loads):
    for one in hours(loads, AT, AT + 36_000):
        if one.busy is not None:
            assert 0 <= one.busy <= one.most + 1e-9
            assert one.busy <= one.slots + 1e-9
    top = peak(loads)
    assert top is None or all(top.mean_busy >= one.mean_busy for one in loads)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_looks_add_up_in_any_order(looks):
    each = [Load("a", "w", AT, 1, busy, busy + free, busy, 1) for busy, free in looks]
    there, back = None, None
    for one, other in zip(each, reversed(each), strict=True):
        there, back = added(there, one), added(back, other)
    assert there == back
    assert there.looks == len(looks)
