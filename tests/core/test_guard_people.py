"""What holds a restart because of people: deploys, maintenance windows, the breaker, and those who must stay well."""

import pytest

from celeriac.core.changes import Versions
from celeriac.core.decide import scene
from celeriac.core.desk import Past
from celeriac.core.diagnose import diagnose
from celeriac.core.guard import guard, passed
from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.ledger import Ledger
from celeriac.core.limits import Policy
from celeriac.core.model import Mode, Place, Process, Verdict
from celeriac.core.readings import Unknown
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    LIMITS,
    NOW,
    PLATFORM,
    app,
    but,
    change,
    incident,
    instance,
    place,
    plan_for,
    remedy,
    said_goodbye,
    seen,
    worker,
)


def frozen(*changes, calm=3, **fields):
    """Return a look at one frozen worker and some that are well, with what people did lately."""
    workers = [worker(0, silent=35), *[worker(index) for index in range(1, calm + 1)]]
    return seen(*workers, changes=fields.pop("changes", changes), **fields)


def hold_on(look, *made, policy=AUTO, one=None):
    everyone = diagnose(look, LIMITS)
    return guard(everyone[0], scene(everyone, Ledger(made), look, policy), one)


def reason(look, *made, policy=AUTO):
    hold = hold_on(look, *made, policy=policy)
    return hold.reason if hold else None


# Deploys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (change("restarted", ago=599), True),
        (change("restarted", ago=600), False),
        (change("restarted", ago=-5), True),
        (change("scaled", actor=None), True),
        (change("deploys", ago=7200, active=True), True),
        (change("restarted", app="mail"), False),
        (change("restarted", platform="other"), False),
        (change("restarted instance 2", index=2), True),
    ],
    ids=[
        "just before ten minutes", "after ten minutes", "by a clock that is ahead", "by nobody that is named",
        "a deployment that never ends", "of another app", "on another platform", "one instance of it",
    ],
)  # fmt: skip
def test_an_app_that_somebody_changes_is_left_alone(one, held):
    """What looks ill may be on its way, and a restart would be in theirs."""
    assert reason(frozen(one)) is (HeldReason.DEPLOY if held else None)


def test_the_wait_after_a_change_is_a_setting():
    """Who deploys by the minute waits less."""
    assert reason(frozen(change(ago=60)), policy=but(AUTO, deploy_wait_s=30)) is None


def test_the_hold_names_who_did_what():
    """The operator knows whom to ask."""
    assert (
        hold_on(frozen(change("scaled process worker to 3", ago=85))).text == "bo scaled process worker to 3 85 s ago"
    )


def test_what_is_under_way_is_named_before_what_is_over():
    """A deployment that goes on says more than an older restart."""
    both = frozen(change("restarted", ago=5), change("deploys", ago=90, active=True))

    assert hold_on(both).text == "bo deploys 90 s ago"


@pytest.mark.parametrize("unread", [Unknown("no answer within 8 s"), None], ids=["it fails", "not asked yet"])
def test_a_source_that_fails_is_never_no_deploy(unread):
    """Whether somebody is at it cannot be told: the keeper waits."""
    look = but(frozen(), changes=unread)

    assert hold_on(look).reason is HeldReason.DEPLOY
    assert hold_on(look).text.startswith("whether somebody changes the app cannot be told: ")


OURS = remedy(1, state=RemedyState.VERIFIED, ago=100)


@pytest.mark.parametrize(
    ("one", "held"),
    [
        (change("restarted instance 1", index=1, ago=90, own=True), False),
        (change("restarted instance 1", index=1, ago=90, own=False), True),
        (change("restarted instance 2", index=2, ago=90, own=True), True),
        (change("restarted instance 1", index=1, ago=-250, own=True), True),
        (change("restarted", ago=90, own=True), True),
    ],
    ids=["ours", "by another account", "another index", "long after ours", "the whole app"],
)
def test_our_own_restart_is_no_deploy(one, held):
    """The same account may be a person's too: only what the journal tells of is ours."""
    assert reason(frozen(one), OURS) is (HeldReason.DEPLOY if held else None)


@pytest.mark.parametrize("state", [RemedyState.LAPSED, RemedyState.REFUSED])
def test_a_restart_that_was_given_up_may_have_been_ours(state):
    """Its answer was unclear, and the platform tells that it had taken effect."""
    one = change("restarted instance 1", index=1, ago=90, own=True)

    assert reason(frozen(one), remedy(1, state=state, ago=100)) is None
    assert reason(frozen(one), remedy(1, state=state, ago=100, attempts=0)) is HeldReason.DEPLOY


def test_an_unclear_restart_is_repeated_though_the_platform_tells_of_it():
    """Its own event is no reason to lapse: the same guid is still there after 40 seconds."""
    unclear = incident(state=IncidentState.REMEDYING, remedy_id="remedy-0")
    look = seen(worker(silent=90), changes=[change("restarted instance 0", index=0, ago=44, own=True)])

    (act,) = plan_for(look, Past((unclear,), (remedy(ago=45),))).acts
    assert act.remedy.attempts == 2


@pytest.mark.parametrize("kind", [RemedyKind.RESTART_INSTANCE, RemedyKind.RECYCLE, RemedyKind.LIVE_REPAIR])
def test_a_change_of_the_whole_app_is_never_ours(kind):
    """Whatever we had done: a person may use the same account."""
    changes = (change("restarted", ago=95, own=True), change("updated the app", ago=80, own=True))

    assert reason(frozen(*changes), but(OURS, kind=kind)) is HeldReason.DEPLOY


# Versions of processes -----------------------------------------------------------------------------------------------


def versioned(version, guid="app-guid"):
    return but(app(instance()), guid=guid, processes=(Process("worker", 1, version=version),))


def test_a_new_version_is_a_change():
    """Whoever started the app anew, and whether or not its event was heard."""
    watch = Versions()

    assert watch.look((versioned("v1"),), NOW) == ()
    assert watch.look((versioned("v1"),), NOW + 10) == ()
    (one,) = watch.look((versioned("v2"),), NOW + 20)
    assert (one.app, one.at, one.what) == (APP, NOW + 20, "started process worker in a new version")
    assert watch.look((versioned("v2"),), NOW + 30) == (one,)


def test_a_change_of_version_is_forgotten_after_an_hour():
    """And a platform that tells no version tells no change."""
    watch = Versions()
    watch.look((versioned("v1"),), NOW)
    watch.look((versioned("v2"),), NOW + 1)

    assert watch.look((versioned(None),), NOW + 3601) != ()
    assert watch.look((versioned("v2"),), NOW + 3602) == ()


# Maintenance ---------------------------------------------------------------------------------------------------------


def test_nothing_is_restarted_in_a_maintenance_window():
    """The window's own words are the reason."""
    hold = hold_on(frozen(), policy=but(AUTO, maintenance="backup, until 04:00"))

    assert (hold.reason, hold.text) == (HeldReason.MAINTENANCE, "backup, until 04:00")


# Breaker -------------------------------------------------------------------------------------------------------------


def failed(number, ago=1000.0, **fields):
    """Return so many restarts of other indexes that did not prove well."""
    return [
        remedy(index, state=RemedyState.UNVERIFIED, ago=ago + 200, ended_at=NOW - ago, **fields)
        for index in range(1, number + 1)
    ]


@pytest.mark.parametrize(
    ("number", "ago", "held"), [(2, 1000, False), (3, 1000, True), (3, 3599, True), (3, 3601, False)]
)
def test_three_restarts_that_did_not_help_stop_the_keeper_for_an_hour(number, ago, held):
    """One more would be one more turn; after the hour it may try again."""
    many = but(AUTO, budget_per_hour=99)

    assert reason(frozen(), *failed(number, ago), policy=many) is (HeldReason.BREAKER if held else None)


def test_what_did_help_does_not_count():
    """The breaker is for remedies that failed."""
    proven = [but(one, state=RemedyState.VERIFIED) for one in failed(4)]

    assert reason(frozen(), *proven, policy=but(AUTO, budget_per_hour=99)) is None


def test_another_apps_failures_leave_this_one_alone():
    """The breaker is of one app."""
    other = failed(3, place=Place(CLUSTER, PLATFORM, "mail", "worker", 0))

    assert reason(frozen(), *other, policy=but(AUTO, budget_per_hour=99)) is None


@pytest.mark.parametrize(("ago", "held"), [(500, False), (2000, True)], ids=["after them", "before them"])
def test_a_person_who_acts_lets_the_keeper_try_again(ago, held):
    """Whoever restarted it by hand has looked."""
    by_hand = remedy(9, state=RemedyState.VERIFIED, ago=ago, actor="ana")
    policy = but(AUTO, budget_per_hour=99)

    assert reason(frozen(), *failed(3), by_hand, policy=policy) is (HeldReason.BREAKER if held else None)


@pytest.mark.parametrize(("breaker", "held"), [(0, False), (1, True), (2, False)])
def test_the_breaker_is_a_setting(breaker, held):
    """Zero is none."""
    policy = but(AUTO, breaker=breaker)

    assert reason(frozen(), *failed(1), policy=policy) is (HeldReason.BREAKER if held else None)


# Who must stay well --------------------------------------------------------------------------------------------------


def draining(calm, ill=0, **fields):
    """Return a worker that drains for too long, beside some that are well and some that are frozen."""
    others = [worker(index, silent=0.5 if index <= calm else 35) for index in range(1, calm + ill + 1)]
    return seen(said_goodbye(2000), *others, **fields)


def holds(look, *, policy=AUTO):
    everyone = diagnose(look, LIMITS)
    return [one.reason for one in passed(everyone[0], scene(everyone, Ledger(()), look, policy))]


@pytest.mark.parametrize(
    ("calm", "ill", "least", "held"),
    [
        (1, 0, (0, 0.5), False),
        (0, 1, (0, 0.5), True),
        (0, 0, (0, 0.5), False),
        (2, 2, (0, 0.5), False),
        (2, 3, (0, 0.5), True),
        (2, 2, (3, 0), True),
        (3, 1, (3, 0), False),
        (0, 4, (0, 0), False),
    ],
    ids=[
        "one of two stays", "none of two stays", "the only one", "half of five, rounded down", "a third of six",
        "less than a number", "just a number", "nobody must stay",
    ],
)  # fmt: skip
def test_what_still_works_is_not_stopped_while_too_few_others_are_well(calm, ill, least, held):
    """A number, or a share of the wanted instances rounded down."""
    number, share = least
    policy = but(AUTO, min_healthy=number, min_healthy_share=share)

    assert (HeldReason.MIN_HEALTHY in holds(draining(calm, ill), policy=policy)) is held


def test_a_proven_dead_one_is_nobody_to_protect():
    """It does nothing, so nothing is lost by stopping it."""
    alone = seen(worker(0, silent=35), worker(1, silent=90), worker(2, silent=150))

    assert diagnose(alone, LIMITS)[0].still_works is False
    assert hold_on(alone, policy=but(AUTO, min_healthy=3)) is None


def test_the_hold_tells_how_many_would_stay():
    """The sentence has both numbers."""
    look = draining(0, 1)
    everyone = diagnose(look, LIMITS)
    texts = [one.text for one in passed(everyone[0], scene(everyone, Ledger(()), look, AUTO))]

    assert "0 of 2 would stay well, and at least 1 must" in texts


# What a person passes ------------------------------------------------------------------------------------------------


def test_a_person_is_shown_everything_that_they_pass():
    """All of it, and not only the first reason."""
    policy = Policy(mode=Mode.APPROVE, maintenance="backup", budget_per_hour=3)
    everyone = diagnose(look := frozen(change()), LIMITS)
    all_of_it = passed(everyone[0], scene(everyone, Ledger((*failed(3), remedy(ago=60))), look, policy))

    assert [one.reason for one in all_of_it] == [
        HeldReason.MODE,
        HeldReason.DEPLOY,
        HeldReason.MAINTENANCE,
        HeldReason.BREAKER,
        HeldReason.COOLDOWN,
    ]


def test_nothing_is_passed_where_the_keeper_would_act_itself():
    """In auto, with nothing in the way."""
    assert holds(frozen()) == []


# What `observe` tells ------------------------------------------------------------------------------------------------

OBSERVE = Policy(mode=Mode.OBSERVE)


@pytest.mark.parametrize(
    ("look", "made", "text", "only_mode"),
    [
        (frozen(), (), "would have restarted it (mode observe)", True),
        (frozen(change("scaled")), (), "would have held it by deploy: bo scaled 60 s ago (mode observe)", False),
        (
            seen(worker(silent=700), pool="solo"), (),
            "would have asked for a person's approval: pool solo may be silent while a long task runs (mode observe)",
            False,
        ),
    ],
    ids=["a restart", "a hold", "a question"],
)  # fmt: skip
def test_observe_tells_what_auto_would_have_done(look, made, text, only_mode):
    """Only where nothing but the mode is in the way it would have been a restart."""
    hold = hold_on(look, *made, policy=OBSERVE)

    assert (hold.reason, hold.text, hold.only_mode) == (HeldReason.MODE, text, only_mode)


@pytest.mark.parametrize(("look", "only_mode"), [(frozen(), True), (frozen(change()), False)])
def test_approve_knows_whether_only_the_mode_is_in_the_way(look, only_mode):
    """The report counts the same decisions in both modes."""
    assert hold_on(look, policy=Policy(mode=Mode.APPROVE)).only_mode is only_mode


def test_an_incident_that_a_person_holds_is_held_before_the_mode():
    """Nothing is done for it, whatever else would hold it."""
    mine = incident(held_by="ana", held_why="I debug it")

    hold = hold_on(frozen(), policy=OBSERVE, one=mine)
    assert (hold.reason, hold.text) == (HeldReason.HELD_BY_USER, "ana holds it: I debug it")
    assert hold_on(frozen(), policy=but(OBSERVE, paused="x"), one=mine).reason is HeldReason.PAUSED


def test_a_place_of_the_whole_cluster_is_none_of_a_worker():
    """Its name says so."""
    assert (Place(CLUSTER).whole, Place(CLUSTER).name, place().whole) == (True, "the whole cluster", False)
    assert Verdict.HUNG is diagnose(frozen(), LIMITS)[0].verdict
