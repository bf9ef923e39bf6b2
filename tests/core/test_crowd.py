"""Connections without a name: what their number tells of a worker that has fallen silent."""

import pytest

from celeriac.core.crowd import Counted, crowds
from celeriac.core.incident import RemedyKind
from celeriac.core.model import Nameless, Verdict
from celeriac.core.readings import Known
from celeriac.core.snapshot import Crowd
from core.builders import NOW, finding, guid, seen, stream, worker

BEFORE = Crowd(Nameless(6, 3), 3)
"""Three workers, each with two subscriptions and a fetch."""
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


def test_a_worker_without_a_name_is_hung_by_count_and_a_person_decides():
    before = {f"celery@{guid()}#7": Crowd(Nameless(4, 2), 2)}
    silent = (worker(0, silent=35), worker(1))
    hung = finding(*silent, consumers=NOBODY, nameless=Nameless(4, 1), named=False, crowds=before)

    assert (hung.verdict, hung.remedy) == (Verdict.HUNG, RemedyKind.RESTART_INSTANCE)
    assert hung.approval == "its connections to the broker cannot be told from those of others, only counted"
    assert (
        "of the connections without a name 4 subscribe, 1 fetch; 1 workers speak; when it spoke 4 subscribed"
        in next(one.reading for one in hung.evidence if one.signal == "broker")
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
