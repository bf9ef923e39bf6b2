"""Diego's restart schedule, as a table, and the slots that follow it; the clock is an argument."""

import pytest

from celeriac.emulator import lrp, schedule
from celeriac.emulator.lrp import InstanceState, LrpState


@pytest.mark.parametrize(
    ("crash_count", "delay"),
    [
        (1, 0), (2, 0), (3, 30), (4, 60), (5, 120), (6, 240), (7, 480), (8, 960), (9, 960), (199, 960),
        (200, None), (201, None),
    ],
)  # fmt: skip
def test_the_wait_after_so_many_crashes(crash_count, delay):
    assert schedule.restart_delay(crash_count) == delay


@pytest.mark.parametrize("crash_count", [3, 4, 5, 6, 7, 8, 199])
def test_a_restart_is_due_when_the_wait_is_over_and_not_before(crash_count):
    delay = schedule.restart_delay(crash_count)

    assert not schedule.may_restart(crash_count, delay - 0.001)
    assert schedule.may_restart(crash_count, delay)


def test_diego_gives_up_after_200_crashes():
    assert not schedule.may_restart(200, 1e9)


@pytest.mark.parametrize(("count", "ran", "expected"), [(0, 0, 1), (5, 300, 6), (5, 300.1, 1), (199, 299, 200)])
def test_more_than_five_minutes_of_running_forget_earlier_crashes(count, ran, expected):
    assert schedule.next_crash_count(count, ran) == expected


def test_a_slot_goes_round_through_its_states():
    slot = lrp.unclaimed(3, 10.0)
    assert (slot.state, slot.instance_guid, slot.since) == (LrpState.UNCLAIMED, "", 10.0)
    slot = lrp.claimed(slot, "guid-1", 11.0)
    assert (slot.state, slot.instance_guid, slot.since) == (LrpState.CLAIMED, "guid-1", 11.0)
    slot = lrp.running(slot, 4711, 8080, 12.0)
    assert (slot.state, slot.pid, slot.port, slot.since) == (LrpState.RUNNING, 4711, 8080, 12.0)
    slot = lrp.crashed(slot, 13.0, ran=1.0)
    assert (slot.state, slot.instance_guid, slot.pid, slot.crash_count) == (LrpState.UNCLAIMED, "", 0, 1)


def test_the_third_crash_waits_as_crashed():
    slot = lrp.unclaimed(0, 0.0)
    states = []
    for crash in range(3):
        slot = lrp.crashed(lrp.running(lrp.claimed(slot, f"guid-{crash}", 0.0), 1, 1, 0.0), 0.0, ran=0.0)
        states.append((slot.crash_count, slot.state))

    assert states == [(1, LrpState.UNCLAIMED), (2, LrpState.UNCLAIMED), (3, LrpState.CRASHED)]


def test_the_count_survives_a_restart_and_is_reset_by_five_minutes_of_running():
    slot = lrp.unclaimed(0, 0.0)
    for _ in range(5):
        slot = lrp.crashed(slot, 0.0, ran=0.0)
    again = lrp.running(lrp.claimed(slot, "guid", 1.0), 1, 1, 2.0)
    assert again.crash_count == 5

    assert lrp.crashed(again, 302.0, ran=300.0).crash_count == 6
    assert lrp.crashed(again, 303.0, ran=301.0).crash_count == 1


def test_a_slot_without_room_keeps_its_first_moment():
    slot = lrp.unplaceable(lrp.unclaimed(0, 1.0), "insufficient resources: memory", 2.0)
    again = lrp.unplaceable(slot, "insufficient resources: memory", 9.0)

    assert (slot.since, again.since) == (2.0, 2.0)
    assert lrp.reported_state(again, desired=True) is InstanceState.DOWN


@pytest.mark.parametrize(
    ("slot", "desired", "reported"),
    [
        (None, True, "DOWN"),
        (None, False, "DOWN"),
        (lrp.unclaimed(0, 0.0), True, "STARTING"),
        (lrp.claimed(lrp.unclaimed(0, 0.0), "g", 0.0), True, "STARTING"),
        (lrp.running(lrp.unclaimed(0, 0.0), 1, 1, 0.0), True, "RUNNING"),
        (lrp.running(lrp.unclaimed(0, 0.0), 1, 1, 0.0), False, "STOPPING"),
        (lrp.ActualLrp(0, LrpState.CRASHED, 0.0, crash_count=3), True, "CRASHED"),
    ],
)
def test_what_the_api_calls_each_state(slot, desired, reported):
    assert lrp.reported_state(slot, desired=desired) == reported
