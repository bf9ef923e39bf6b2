"""Connections without a name: what their number tells of a worker that has fallen silent."""

import pytest

from celeriac.core.crowd import Counted, count, crowds
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import RemedyKind
from celeriac.core.model import Nameless, Verdict
from celeriac.core.readings import Known
from celeriac.core.snapshot import Crowd
from core.builders import LIMITS, NOW, finding, guid, seen, stream, unmapped, worker

BEFORE = Crowd(Nameless(6, 3), 3)
"""Three workers, each with two subscriptions and a fetch."""
BOTH = Crowd(Nameless(4, 2), 2)
NOBODY = Known({}, NOW)


def test_a_frozen_worker_still_subscribes_and_does_not_fetch():
    assert Counted(Nameless(6, 2), 2).shows_idle(BEFORE)
    assert Counted(Nameless(6, None), 2).shows_idle(BEFORE), "a recording does not tell who fetches"


PROVES_NOTHING = {
    "its subscriptions are gone": Counted(Nameless(4, 2), 2),
    "it may be among those who fetch": Counted(Nameless(6, 3), 2),
    "another came meanwhile": Counted(Nameless(6, 2), 3),
    "nothing is counted": Counted(None, 2),
}


@pytest.mark.parametrize("counted", PROVES_NOTHING.values(), ids=PROVES_NOTHING)
def test_what_else_may_be_proves_nothing(counted):
    assert not counted.shows_idle(BEFORE)


def test_one_that_was_never_counted_proves_nothing():
    assert not Counted(Nameless(6, 2), 2).shows_idle(None)
    assert not Counted(Nameless(6, 2), 2).shows_idle(Crowd(Nameless(0, 0), 3))
    assert not Counted(Nameless(6, 2), 2).shows_idle(Crowd(Nameless(6, 0), 0))


GONE = {
    "its subscriptions are gone": Counted(Nameless(4, 2), 2),
    "it was the last": Counted(Nameless(0, 0), 0),
}
MAY_BE_THERE = {
    "its subscriptions are there": Counted(Nameless(6, 2), 2),
    "one that counts as speaking may be gone too": Counted(Nameless(4, 2), 2, steady=False),
    "nothing is counted": Counted(None, 2),
}


@pytest.mark.parametrize("counted", GONE.values(), ids=GONE)
def test_of_a_killed_worker_nothing_subscribes(counted):
    assert counted.shows_gone(BEFORE)
    assert not counted.shows_idle(BEFORE)
    assert not counted.shows_gone(None)
    assert not counted.shows_gone(Crowd(Nameless(0, 0), 3))


@pytest.mark.parametrize("counted", MAY_BE_THERE.values(), ids=MAY_BE_THERE)
def test_what_does_not_show_that_it_is_gone(counted):
    assert not counted.shows_gone(BEFORE)


@pytest.mark.parametrize("workers", [1, 2, 3, 30])
def test_another_monitor_does_not_hide_a_death(workers):
    """Flower's own subscription is counted with the workers', then and now."""
    before = Crowd(Nameless(2 * workers + 1, 1), workers)

    assert Counted(Nameless(2 * workers - 1, 0), workers - 1).shows_gone(before)
    assert Counted(Nameless(2 * workers + 1, 0), workers - 1).shows_idle(before)


def look(*lives, nameless, **fields):
    return seen(*lives, consumers=NOBODY, nameless=nameless, named=False, **fields)


def test_each_is_remembered_in_the_crowd_of_its_last_moment():
    both = look(worker(0), worker(1), nameless=Nameless(4, 2))
    kept = crowds(both, 6)
    assert set(kept.values()) == {Crowd(Nameless(4, 2), 2)}

    one_silent = look(worker(0, silent=20), worker(1), nameless=Nameless(4, 1), crowds=kept)
    later = crowds(one_silent, 6)
    assert later[f"celery@{guid()}#7"] == Crowd(Nameless(4, 2), 2)
    assert later[f"celery@{guid(1)}#7"] == Crowd(Nameless(4, 1), 1)


def test_nobody_is_counted_while_one_misses_its_first_beats():
    """It may be gone already, and its connections with it."""
    first = look(worker(0, silent=5), worker(1), nameless=Nameless(2, 1))

    assert crowds(first, 6) == {}


def test_one_that_is_forgotten_is_counted_no_more():
    kept = {"celery@gone#9": BEFORE}
    assert crowds(look(worker(0), nameless=None, crowds=kept), 6) == {}


def test_all_must_have_spoken_just_now_for_a_count_to_be_steady():
    assert count(look(worker(0, silent=40), worker(1), nameless=Nameless(2, 1)), 6).steady
    assert not count(look(worker(0, silent=40), worker(1, silent=5), nameless=Nameless(2, 1)), 6).steady


def killed(silent=45, *, crowd=BOTH, **fields):
    """Return the finding on a worker that was killed where no platform is; its sibling speaks."""
    before = {f"celery@{guid()}#7": crowd}
    lives = (worker(0, silent=silent), worker(1))
    seen_ = unmapped(*lives, consumers=NOBODY, nameless=Nameless(2, 1), named=False, crowds=before, **fields)
    return diagnose(seen_, LIMITS)[0]


def test_a_killed_worker_without_a_name_and_a_platform_is_crashed_and_people_are_told():
    found = killed()

    assert (found.verdict, found.remedy) == (Verdict.CRASHED, RemedyKind.ALERT)
    assert "2 subscribe, 1 fetch; 1 workers speak; when it spoke 4 subscribed, of 2 workers" in broker(found)


def test_one_whose_goodbye_may_be_lost_is_called_crashed_only_when_no_drain_takes_so_long():
    """It fell silent while we did not hear: a warm shutdown ends its subscriptions too, and its last tasks may run yet."""
    assert killed(silent=120, heard=stream(flowing=60)).verdict is Verdict.BLIND
    assert killed(silent=2000, heard=stream(flowing=1790)).verdict is Verdict.BLIND
    assert killed(silent=2000, heard=stream(flowing=1810)).verdict is Verdict.CRASHED


def test_a_worker_that_no_count_tells_of_stays_blind():
    assert killed(crowd=Crowd(Nameless(0, 0), 2)).verdict is Verdict.BLIND


def broker(found):
    return next(one.reading for one in found.evidence if one.signal == "broker")


def test_a_worker_without_a_name_is_hung_by_count_and_a_person_decides():
    before = {f"celery@{guid()}#7": Crowd(Nameless(4, 2), 2)}
    silent = (worker(0, silent=35), worker(1))
    hung = finding(*silent, consumers=NOBODY, nameless=Nameless(4, 1), named=False, crowds=before)

    assert (hung.verdict, hung.remedy) == (Verdict.HUNG, RemedyKind.RESTART_INSTANCE)
    assert hung.approval == "its connections to the broker cannot be told from those of others, only counted"
    assert (
        "of the connections without a name 4 subscribe, 1 fetch; 1 workers speak; when it spoke 4 subscribed"
        in broker(hung)
    )


@pytest.mark.parametrize("nameless", [Nameless(2, 1), Nameless(4, 2), None], ids=["gone", "fetches", "not counted"])
def test_without_that_proof_it_cannot_be_told(nameless):
    before = {f"celery@{guid()}#7": Crowd(Nameless(4, 2), 2)}
    silent = (worker(0, silent=35), worker(1))
    found = finding(*silent, consumers=NOBODY, nameless=nameless, named=False, crowds=before)

    assert (found.verdict, found.remedy) == (Verdict.BLIND, RemedyKind.NONE)


def test_a_word_from_before_our_own_gap_shows_no_connection():
    """Silence counts anew from the gap's end, and yet who spoke last before it may be gone."""
    gap = stream(flowing=1.0)
    first = look(worker(0, silent=50), worker(1), nameless=Nameless(2, 1), heard=gap)

    assert crowds(first, 6) == {}
