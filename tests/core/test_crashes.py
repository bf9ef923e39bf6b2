"""Which crashes make a loop."""

import pytest

from celeriac.core.crashes import loop, unasked
from celeriac.core.incident import RemedyKind
from celeriac.core.model import InstanceState, Status, Verdict
from celeriac.core.readings import Unknown
from celeriac.core.snapshot import Lived
from core.builders import LIMITS, NOW, but, crash, finding, guid, instance, place, said_goodbye, seen, worker

THREE = [crash(life=1, ago=590), crash(life=2, ago=300), crash(life=3, ago=20)]
CLEAN = "Codependent step exited"


def looping(*lives, crashes, **fields) -> bool:
    return bool(loop(place(), seen(*lives, crashes=crashes, **fields), LIMITS))


def test_three_within_ten_minutes_are_a_loop_and_two_are_none():
    assert looping(crashes=THREE)
    assert not looping(crashes=THREE[1:])


def test_what_is_long_ago_does_not_count():
    assert not looping(crashes=[crash(life=1, ago=601), *THREE[1:]])


def test_three_in_a_row_by_the_platforms_own_count_are_a_loop_though_the_others_are_long_ago():
    """In its back-off Diego waits for up to 16 minutes, and counts on."""
    assert looping(crashes=[but(crash(), count=3)])
    assert not looping(crashes=[but(crash(), count=2)])


def test_an_end_that_was_announced_does_not_count_though_it_beat_on():
    """Gevent pools do, while they drain."""
    life = worker(goodbye=(1, NOW - 60), offline_at=NOW - 60, sent=(2, NOW - 30))
    assert not unasked(seen(life, crashes=[crash(text=CLEAN)]))
    assert unasked(seen(but(life, hello=(2, NOW - 30)), crashes=[crash(text=CLEAN)])), "it was back"


@pytest.mark.parametrize("other", [crash(1, life=1), but(crash(), app="elsewhere"), but(crash(), process="web")])
def test_crashes_of_others_do_not_count(other):
    assert not looping(crashes=[*THREE[1:], other])


def test_an_announced_end_does_not_count():
    """Recycling, or `celery control shutdown`: exit code 0 after a goodbye."""
    clean = but(crash(life=1, ago=590), text=CLEAN)

    assert looping(crashes=[clean, *THREE[1:]])
    assert not looping(said_goodbye(595), crashes=[clean, *THREE[1:]], lived=(Lived(guid(), place(), NOW),))


def test_without_the_platforms_events_there_is_no_loop():
    assert not looping(crashes=Unknown("it does not answer", NOW))


def test_a_loop_is_told_with_its_last_crash_whatever_the_worker_does_meanwhile():
    one = finding(worker(life=4), instances=[instance(life=4, uptime=15)], crashes=THREE)

    assert (one.verdict, one.remedy, one.suspect) == (Verdict.CRASH_LOOPING, RemedyKind.ALERT, False)
    assert one.notes == ("crashed 3 times within 10 min",)
    assert "crash 1 in a row, 20 s ago: APP/PROC/WORKER: Exited with status 137" in [
        line.reading for line in one.evidence
    ]


@pytest.mark.parametrize(
    ("state", "status"), [(InstanceState.RUNNING, Status.ONLINE), (InstanceState.CRASHED, Status.OFFLINE)]
)
def test_between_two_crashes_it_is_online(state, status):
    assert finding(worker(life=4), instances=[instance(life=4, state=state)], crashes=THREE).status is status


def test_a_stopped_app_is_stopped_whatever_it_did_before():
    assert (
        finding(worker(life=4), instances=[instance(life=4, state=InstanceState.STOPPING)], crashes=THREE).verdict
        is Verdict.STOPPED
    )


def test_a_loop_by_the_platforms_count_says_so():
    """How long ago the earlier ones were is not known."""
    look = finding(worker(life=4), instances=[instance(life=4, uptime=15)], crashes=[but(crash(life=3), count=5)])

    assert look.notes == ("crashed 5 times in a row, by the platform's count",)
