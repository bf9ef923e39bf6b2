"""What stands between a verdict and a restart: quorum, cool-down and budget."""

import pytest

from celeriac.core.decide import scene
from celeriac.core.diagnose import diagnose
from celeriac.core.guard import guard
from celeriac.core.incident import HeldReason, RemedyState
from celeriac.core.ledger import Ledger
from celeriac.core.limits import Policy
from celeriac.core.model import InstanceState, Mode, Place
from celeriac.core.snapshot import Lived
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    LIMITS,
    NOW,
    PLATFORM,
    but,
    guid,
    instance,
    place,
    remedy,
    said_goodbye,
    seen,
    worker,
)

ORDERS = (PLATFORM, APP)


def hold_on(look, *made, policy=AUTO):
    """Return what holds the restart of the first place."""
    everyone = diagnose(look, LIMITS)
    return guard(everyone[0], scene(everyone, Ledger(made), look, policy))


def reason(look, *made, policy=AUTO):
    hold = hold_on(look, *made, policy=policy)
    return hold.reason if hold else None


def cluster(*silences, calm=0, **fields):
    """Return a cluster of workers silent for so long, and so many that are well."""
    workers = [worker(index, silent=silent) for index, silent in enumerate((*silences, *[0.5] * calm))]
    return seen(*workers, **fields)


def test_one_dead_worker_is_restarted():
    """Nothing stands against the first restart in auto."""
    assert hold_on(cluster(35, calm=3)) is None


def test_a_worker_whose_platform_cannot_be_read_waits():
    """Of several platforms one is away: its instances are as last known, and who is at work there is not known."""
    away = instance(0, state=InstanceState.UNKNOWN, guid=guid(0), details="as last known: 503")
    look = cluster(35, calm=1, instances=[away, instance(1)])
    finding = but(diagnose(cluster(35, calm=1), LIMITS)[0], site=diagnose(look, LIMITS)[0].site)
    hold = guard(finding, scene((finding,), Ledger(()), look, AUTO))
    assert hold is not None
    assert (hold.reason, hold.text) == (
        HeldReason.DEPLOY,
        "whether somebody changes the app cannot be told: as last known: 503",
    )


# Quorum --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look", "held"),
    [
        (cluster(35), False),
        (cluster(35, 35), True),
        (cluster(35, 35, calm=4), True),
        (cluster(35, 35, calm=5), False),
        (cluster(35, 35, 35, calm=7), False),
        (cluster(35, 35, 35, 35, calm=6), True),
        (cluster(35, 45, calm=2), True),
        (cluster(35, 46, calm=2), False),
        (cluster(35, 25, calm=2), True),
        (cluster(35, 13, calm=2), False),
    ],
    ids=[
        "the only worker", "both of two", "two of six", "two of seven", "three of ten", "four of ten",
        "within ten seconds", "eleven seconds apart", "one of them is only suspect", "long after it",
    ],
)  # fmt: skip
def test_many_that_fall_silent_together_have_one_cause(look, held):
    """More than three tenths (and more than one) silent within ten seconds: the cause is not in each of them."""
    assert reason(look) is (HeldReason.QUORUM if held else None)


@pytest.mark.parametrize(
    "explained",
    [
        (said_goodbye(35, index=1), instance(1)),
        (worker(1, silent=35), instance(1, life=2, state=InstanceState.CRASHED)),
        (worker(1, silent=35), instance(1, life=2, state=InstanceState.STARTING, uptime=4)),
        (worker(1, silent=35), instance(1, state=InstanceState.STOPPING)),
    ],
    ids=["draining", "crashed", "starting", "stopping"],
)
def test_silence_that_is_explained_does_not_count(explained):
    """Who drains, crashed, starts or is stopped has a reason of its own."""
    life, there = explained
    workers = [worker(0, silent=35), life, *[worker(index) for index in range(2, 5)]]
    instances = [instance(0), there, *[instance(index) for index in range(2, 5)]]

    assert reason(seen(*workers, instances=instances, lived=(Lived(guid(1), place(1), NOW - 40),))) is None


def test_what_is_stopped_is_no_worker_to_count():
    """Two of six fell silent; that four more are stopped makes them no fewer."""
    stopped = [instance(index, state=InstanceState.STOPPING) for index in range(6, 10)]
    look = seen(
        *[worker(index, silent=35 if index < 2 else 0.5) for index in range(6)],
        instances=[*[instance(index) for index in range(6)], *stopped],
    )

    assert reason(look) is HeldReason.QUORUM


# Cool-down -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "held"), [(599, True), (600, False)], ids=["just before ten minutes", "after ten minutes"]
)
@pytest.mark.parametrize("state", [RemedyState.ACTED, RemedyState.VERIFIED, RemedyState.UNVERIFIED])
def test_one_worker_is_restarted_once_in_ten_minutes(state, ago, held):
    """Whether it helped or not; a remedy that still runs holds the app besides."""
    expected = HeldReason.COOLDOWN if held else HeldReason.BUDGET if state is RemedyState.ACTED else None

    assert reason(cluster(35), remedy(state=state, ago=ago)) is expected


def test_the_cool_down_counts_from_the_act():
    """A restart that was repeated counts from its last attempt."""
    late = remedy(state=RemedyState.VERIFIED, ago=700, acted_at=NOW - 500)

    assert reason(cluster(35), late) is HeldReason.COOLDOWN


@pytest.mark.parametrize("state", [RemedyState.LAPSED, RemedyState.REFUSED, RemedyState.REQUESTED])
def test_what_was_never_done_cools_nothing(state):
    """A lapsed or refused remedy restarted nothing."""
    assert reason(cluster(35), remedy(state=state)) is None


def test_another_workers_restart_cools_only_that_one():
    """The cool-down is of the place."""
    assert reason(cluster(35, calm=2), remedy(1, state=RemedyState.VERIFIED)) is None


def test_a_neighbours_restart_cools_the_whole_container():
    """A restart stops every node of the index."""
    beside = remedy(state=RemedyState.VERIFIED, place=place(0, node="w2@x"))

    assert reason(cluster(35), beside) is HeldReason.COOLDOWN


def test_an_instance_that_is_being_restarted_is_not_restarted_besides():
    """Its own restart is under way, under another place's name."""
    moved = remedy(state=RemedyState.ACTED, place=place(7), ago=5)
    hold = hold_on(cluster(35, calm=29), moved)

    assert (hold.reason, hold.text) == (HeldReason.BUDGET, "a restart of its container is already under way")


def test_a_persons_restart_cools_down_too():
    """Right after a person has restarted it, it is given its time."""
    assert reason(cluster(35), remedy(state=RemedyState.VERIFIED, actor="ana")) is HeldReason.COOLDOWN


# Budget --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instances", "running", "held"),
    [(5, 0, False), (5, 1, True), (19, 1, True), (20, 1, False), (20, 2, True)],
)
def test_a_tenth_of_an_app_is_restarted_at_once(instances, running, held):
    """At most a tenth of its instances, and at least one."""
    made = [remedy(index + 1, state=RemedyState.ACTED) for index in range(running)]

    assert reason(cluster(35, calm=instances - 1), *made) is (HeldReason.BUDGET if held else None)


def test_another_apps_restarts_leave_this_one_free():
    """The budget at once is of the app."""
    other = remedy(1, state=RemedyState.INTENDED, place=Place(CLUSTER, PLATFORM, "mail", "worker", 0))

    assert reason(cluster(35, calm=3), other) is None


def test_a_persons_running_restart_fills_the_budget_at_once():
    """Whoever ordered it: as many instances are missing."""
    assert reason(cluster(35, calm=3), remedy(1, state=RemedyState.ACTED, actor="ana")) is HeldReason.BUDGET


@pytest.mark.parametrize(("made", "ago", "held"), [(4, 1000, False), (5, 1000, True), (5, 3601, False)])
def test_five_restarts_an_hour(made, ago, held):
    """Then a person should look."""
    past = [remedy(index + 1, state=RemedyState.VERIFIED, ago=ago) for index in range(made)]

    assert reason(cluster(35, calm=9), *past) is (HeldReason.BUDGET if held else None)


def test_what_people_restart_is_not_counted_by_the_hour():
    """The budget bounds the keeper."""
    past = [remedy(index + 1, state=RemedyState.VERIFIED, ago=1000, actor="ana") for index in range(9)]

    assert reason(cluster(35, calm=9), *past) is None


def test_the_attempts_of_one_remedy_count_once():
    """One remedy, asked for again and again, is one restart; the same id replaces itself."""
    ledger = Ledger(())
    for attempt in range(4):
        ledger.add(remedy(state=RemedyState.INTENDED, attempts=attempt, acted_at=NOW - 40 + attempt))

    assert (ledger.within_hour(NOW), ledger.running(ORDERS), ledger.last_at(place())) == (1, 1, NOW - 37)


def test_an_empty_ledger_holds_nothing():
    """Nothing was ever restarted."""
    ledger = Ledger(())

    assert (ledger.within_hour(NOW), ledger.running(ORDERS), ledger.last_at(place())) == (0, 0, None)


def test_a_budget_of_none_holds_everything():
    """`budget_per_hour = 0` leaves every restart to people."""
    assert reason(cluster(35), policy=Policy(mode=Mode.AUTO, budget_per_hour=0)) is HeldReason.BUDGET


# The order of the reasons --------------------------------------------------------------------------------------------


def test_people_hear_the_reason_that_they_can_change_first():
    """Paused, then the mode, then the quorum, then cool-down and budget."""
    many, made = cluster(35, 35), remedy(state=RemedyState.ACTED)

    assert reason(many, made, policy=Policy(mode=Mode.APPROVE, paused="x")) is HeldReason.PAUSED
    assert reason(many, made, policy=Policy(mode=Mode.APPROVE)) is HeldReason.MODE
    assert reason(many, made) is HeldReason.QUORUM
    assert reason(cluster(35), made) is HeldReason.COOLDOWN
    assert reason(cluster(35, calm=1), remedy(1, state=RemedyState.ACTED)) is HeldReason.BUDGET
