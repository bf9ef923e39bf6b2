"""Tasks that come as beat's do, and when one of them is missed: false notes are worse than none."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.core import beat
from celeriac.core.beat import Rhythm
from celeriac.core.diagnose import diagnose
from celeriac.core.model import Pool, Verdict
from celeriac.core.readings import Unknown
from celeriac.core.tasks import PENDING, SUCCESS, Task
from celeriac.core.work import Waiting
from core.builders import LIMITS, NOW, guid, instance, seen, stream, unmapped, worker

NODE = f"celery@{guid()}"
EMPTY = {"celery": Waiting(0)}
INTERVALS = st.sampled_from([5.0, 6.0, 10.0, 30.0, 60.0, 90.0, 300.0, 600.0, 3600.0])


def run(at, number=0, **fields):
    fields = {"args": "()", "kwargs": "{}", "worker": NODE, "received_at": at, **fields}
    return Task(f"t{number}-{at}", SUCCESS, "shop.tick", first_at=at, **fields)


def runs(*times, **fields):
    return [run(at, number, **fields) for number, at in enumerate(times)]


def every(seconds, number=40, until=NOW):
    return [until - seconds * back for back in range(number)][::-1]


def found(*tasks):
    return beat.rhythm("shop.tick", list(tasks))


# What comes evenly


@settings(max_examples=200)
@given(INTERVALS, st.integers(30, 64), st.randoms(use_true_random=False))
def test_even_spacing_with_jitter_is_a_rhythm(interval, number, chance):
    times = [at + chance.uniform(0, min(0.25, 0.05 * interval)) for at in every(interval, number)]
    one = found(*runs(*times))

    assert one.every_s == pytest.approx(interval, rel=0.06)
    assert one.last_at == times[-1]
    assert not one.late(times[-1] + 2 * interval)
    assert one.late(times[-1] + max(3.2 * interval, 61))


@settings(max_examples=100)
@given(INTERVALS, st.integers(1, 38), st.floats(0.2, 0.9))
def test_one_late_run_changes_nothing(interval, which, by):
    times = every(interval)
    times[which] += by * interval

    assert found(*runs(*times)).every_s == pytest.approx(interval)


@settings(max_examples=100)
@given(INTERVALS, st.integers(1, 38))
def test_nor_does_one_that_did_not_come(interval, which):
    times = every(interval)
    del times[which]

    assert found(*runs(*times)).every_s == pytest.approx(interval)


def test_chance_arrivals_never_have_a_rhythm():
    """Whatever their rate: each of these windows is one after which the task may have stayed away."""
    chance = random.Random(19)
    for _ in range(20_000):
        mean, number = chance.choice([5, 10, 30, 60, 300, 3600]), chance.randint(9, 40)
        at, times = NOW, []
        for _ in range(number):
            at += chance.expovariate(1 / mean)
            times.append(at)
        assert found(*runs(*times)) is None, (mean, times)


UNEVEN = {
    "eight runs": runs(*every(60, 8)),
    "a loop that sends one each five seconds, for a minute": runs(*every(5, 12)),
    "too often to be beat's": runs(*every(1, 64)),
    "too seldom": runs(*every(7200, 20)),
    "each has other arguments": [run(at, number, args=f"({number},)") for number, at in enumerate(every(60))],
    "other tasks have called them": runs(*every(60), parent_id="other", root_id="other"),
    "other tasks have called them, of which no root is told": runs(*every(60), parent_id="other"),
    "they belong to other roots": runs(*every(60), root_id="other"),
    "bursts": runs(*(at + more for at in every(600, 10) for more in (0, 1, 2, 3))),
    "every second one is late": runs(*(at + (number % 2) * 20 for number, at in enumerate(every(60)))),
    "there is none": [],
}


@pytest.mark.parametrize("tasks", UNEVEN.values(), ids=UNEVEN)
def test_what_may_come_by_chance_or_from_elsewhere_has_none(tasks):
    assert found(*tasks) is None


def test_nine_runs_are_enough():
    assert found(*runs(*every(60, 9))).every_s == 60


def test_runs_that_a_person_sends_between_count_as_signs_of_life_only():
    """They have other arguments; whatever of that name comes, it is not missed."""
    one = found(*runs(*every(60)), run(NOW + 25, args="('by hand',)"))

    assert (one.every_s, one.last_at) == (60, NOW + 25)


def test_a_run_that_was_sent_and_not_received_is_a_sign_of_life():
    waits = Task("w", PENDING, "shop.tick", None, "celery", NOW + 60, sent_at=NOW + 60, args="()", kwargs="{}")

    assert found(*runs(*every(60)), waits).last_at == NOW + 60
    assert found(*runs(*every(60)), waits).queues == {"celery"}


def minutes(times):
    counts = {}
    for at in times:
        counts[int(at) // 60 * 60] = counts.get(int(at) // 60 * 60, 0) + 1
    return dict(sorted(counts.items())[-beat.MINUTES :])


@settings(max_examples=200)
@given(INTERVALS, st.floats(0, 3600), st.randoms(use_true_random=False))
def test_the_sieve_lets_every_rhythm_pass(interval, offset, chance):
    times = [at + chance.uniform(0, 0.05 * interval) for at in every(interval, 400, NOW + offset)]

    assert beat.may_be_even(minutes(times))


@settings(max_examples=200)
@given(INTERVALS, st.floats(0, 3600), st.floats(0, 5))
def test_and_what_is_late_among_them(interval, offset, more):
    """A minute after it is late at most, for roll-ups tell the minute only."""
    last = NOW + offset
    came = minutes(every(interval, 400, last))
    patience = Rhythm("a", interval, last).patience_s

    assert beat.may_be_late(came, last + patience + 60 + more)
    assert not beat.may_be_late(came, last + max(2.4 * interval, 60) - 1)


def test_the_sieve_holds_most_of_what_comes_by_chance():
    chance, passed = random.Random(7), 0
    for _ in range(1000):
        mean, at, times = chance.choice([5, 20, 60, 300, 3600]), NOW, []
        for _ in range(200):
            at += chance.expovariate(1 / mean)
            times.append(at)
        passed += beat.may_be_even(minutes(times))

    assert passed < 300
    assert not beat.may_be_even({})
    assert not beat.may_be_even({0: 8})


def test_what_rests_each_night_is_missed_only_after_a_longer_rest():
    hours = [hour * 3600 for day in range(2) for hour in range(24 * day + 8, 24 * day + 18)]
    pause = beat.longest_pause(hours, 3600)

    assert pause == 16 * 3600
    assert not Rhythm("a", 300, NOW, pause_s=pause).late(NOW + 15 * 3600)
    assert Rhythm("a", 300, NOW, pause_s=pause).late(NOW + 16.1 * 3600)
    assert beat.longest_pause([0, 3600, 7200], 3600) == beat.longest_pause([], 60) == 0


def test_where_another_task_still_comes_beat_has_not_stopped():
    """Its schedule has changed, or this one rests."""
    gone, comes = Rhythm("gone", 30, NOW - 300), Rhythm("comes", 60, NOW - 20)

    assert beat.stopped([gone], [gone, comes]) == ()
    assert beat.stopped([gone], [gone, replace(comes, last_at=NOW - 290)]) == (gone,)
    assert beat.stopped([gone], [replace(comes, every_s=3600, last_at=NOW - 2000)]) == (gone,)


# Whether it is missed for sure

GONE = Rhythm("shop.tick", 30.0, NOW - 130, frozenset({NODE}))


def said(look, one=GONE, doubted_at=0.0, findings=None):
    by = beat.takers(one, look, diagnose(look, LIMITS) if findings is None else findings)
    return by and beat.note(one, look, by, doubted_at, LIMITS)


def well(**fields):
    return seen(worker(), **{"waiting": EMPTY, **fields})


def test_a_missed_task_is_noted_in_words():
    assert said(well()) == "no shop.tick since 14:11:10 UTC: it used to come every 30 s (beat may have stopped)"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Rhythm("a", 60.2, NOW - 200, frozenset({NODE})), "no a since 14:10:00 UTC: it used to come every minute"),
        (Rhythm("a", 90, NOW - 300, frozenset({NODE})), "no a since 14:08:20 UTC: it used to come every 90 s"),
        (Rhythm("a", 300, NOW - 1000, frozenset({NODE})), "every 5 min "),
        (Rhythm("a", 3600, NOW - 43200 - 10_000, frozenset({NODE})), "no a since 2026-09-20 23:26:40 UTC: it used"),
        (Rhythm("a", 3601, NOW - 12_000, frozenset({NODE})), "every hour "),
    ],
)
def test_it_tells_how_often_it_came(one, words):
    assert words in said(well(heard=stream(flowing=90_000)) if one.every_s < 3600 else long(), one)


def long():
    return seen(worker(born=90_000), waiting=EMPTY, heard=stream(flowing=90_000))


def test_a_platform_is_not_needed():
    assert said(unmapped(worker(), waiting=EMPTY))


def test_a_queue_that_the_task_itself_names_is_known():
    named = replace(GONE, workers=frozenset({"celery@gone"}), queues=frozenset({"celery"}))

    assert said(well(), named)


def well_beside(*others, **fields):
    return seen(worker(), *others, **{"waiting": EMPTY, **fields})


SILENT = {
    "it is not late yet": (well(), replace(GONE, last_at=NOW - 89)),
    "it often rests for longer": (well(), replace(GONE, pause_s=200)),
    "we are blind": (well(heard=stream(echo=20)), GONE),
    "the observer says nothing": (well(heard=Unknown("the observer has said nothing for 9 s")), GONE),
    "we were blind a moment ago": (well(heard=stream(flowing=60)), GONE),
    "something was lost a moment ago": (well(heard=stream(lost_at=NOW - 60)), GONE),
    "nobody could take it until a moment ago": (seen(worker(born=60), waiting=EMPTY), GONE),
    "no worker is there": (seen(instances=[instance()], waiting=EMPTY), GONE),
    "its workers are silent": (seen(worker(silent=20), waiting=EMPTY), GONE),
    "one of its workers is silent": (seen(worker(), worker(1, silent=20), waiting=EMPTY), GONE),
    "its worker sends no heartbeats": (seen(worker(beats=0, last_heartbeat_at=None), waiting=EMPTY), GONE),
    "who took it is not known": (well(), replace(GONE, workers=frozenset({"celery@other"}))),
    "its worker tells of no tasks": (seen(worker(mute=True), waiting=EMPTY), GONE),
    "messages wait": (well(waiting={"celery": Waiting(3, NOW - 20)}), GONE),
    "it is not known whether messages wait": (well(waiting={}), GONE),
    "nobody consumes its queue": (well(), replace(GONE, queues=frozenset({"mails"}))),
    "nobody consumes one of its queues": (
        well(waiting=EMPTY | {"mails": Waiting(0)}),
        replace(GONE, queues=frozenset({"celery", "mails"})),
    ),
    "what another worker consumes is not known": (
        well_beside(worker(1), pools={worker().key: Pool("prefork", 4, ("celery",))}),
        GONE,
    ),
    "what its worker consumes is not known": (well(pool=None), GONE),
    "its worker's clock is behind": (seen(worker(sent=(1, NOW - 120)), waiting=EMPTY), GONE),
    "its worker's clock is ahead": (seen(worker(sent=(1, NOW + 120)), waiting=EMPTY), GONE),
}


@pytest.mark.parametrize(("look", "one"), SILENT.values(), ids=SILENT)
def test_whatever_else_may_explain_it_keeps_it_unsaid(look, one):
    assert not said(look, one)


def test_a_worker_that_is_not_plainly_well_may_hold_it():
    look = well()
    (finding,) = diagnose(look, LIMITS)

    assert said(look, findings=[finding])
    assert said(look, findings=[replace(finding, doubt=True)]), "its queue is empty: somebody takes what comes"
    assert not said(well(heard=stream(echo=20)), findings=[finding]), "we are blind"
    for changed in (
        replace(finding, suspect=True),
        replace(finding, verdict=Verdict.BUSY),
        replace(finding, verdict=Verdict.DEAF),
    ):
        assert not said(look, findings=[changed])


def test_one_that_was_in_doubt_is_waited_for_anew():
    assert not said(well(), doubted_at=NOW - 30)
    assert said(well(), doubted_at=NOW - 100)


def test_workers_that_are_gone_hold_nothing():
    look = seen(worker(), worker(1), waiting=EMPTY)
    first, second = diagnose(look, LIMITS)

    assert said(look, findings=[first, replace(second, verdict=Verdict.STOPPED)])
    assert said(look, findings=[first, replace(second, verdict=Verdict.CRASHED)])
    assert not said(look, findings=[replace(first, verdict=Verdict.STOPPED)])


def test_an_instance_that_is_no_worker_says_nothing():
    """Beat's own app may be watched too: it has never joined, and takes nothing."""
    look = well(instances=[instance(), instance(1)])

    assert len(diagnose(look, LIMITS)) == 2
    assert said(look)
