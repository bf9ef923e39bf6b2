"""Recycling: when it is proposed, what it does one order at a time, what ends it, and whose crash its end is."""

import pytest

from celeriac.core.crashes import loop, recycled
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import HeldReason, IncidentState, Recycling, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Consumer, Inspection, InstanceState, Mode, Verdict
from celeriac.core.readings import Known
from celeriac.core.recycle import given
from celeriac.core.work import Waiting
from core.builders import (
    AUTO,
    NOTHING,
    NOW,
    after,
    app,
    but,
    crash,
    guid,
    incident,
    instance,
    only,
    order,
    place,
    plan_for,
    remedy,
    seen,
    steps,
    stream,
    worker,
)

NODE = f"celery@{guid()}"
NOT_FETCHING = Consumer(10, fetching=False, idle_s=40.0)
BOTH = [instance(0), instance(1)]


def deaf(**fields):
    """Return a worker that runs one task of four, and has begun none for long."""
    return worker(**{"active": 1, "last_start_at": NOW - 70, **fields})


def look(life=None, *, says=Inspection(("celery",)), **fields):  # noqa: B008 (frozen)
    """Return a look at it beside a well one: work waits for it, and it says that it consumes."""
    fields = {"waiting": {"celery": Waiting(3, NOW - 70)}, "inspected": {NODE: Known(says, NOW)}, **fields}
    fields = {"consumer": NOT_FETCHING, "instances": BOTH, **fields}
    return seen(life or deaf(), worker(1, active=0, last_start_at=NOW - 1), **fields)


def under_way(step=None, *, asked=60.0, told=20.0, queues=("celery",), policy=AUTO, actor="keeper", **fields):
    """Return the journal of a recycling whose last order was given so many seconds ago."""
    made = remedy(
        kind=RemedyKind.RECYCLE, ago=asked, step=step, queues=queues if step else (), actor=actor,
        acted_at=NOW - told if step else None,
    )  # fmt: skip
    fields = {"remedy": RemedyKind.RECYCLE, "remedy_id": made.id, "verdict": Verdict.DEAF, **fields}
    return but(NOTHING, incidents=(incident(state=IncidentState.REMEDYING, **fields),), remedies=(made,))


def first(plan):
    return next(one for one in plan.incidents if one.place == place())


# When it is proposed


def test_a_deaf_worker_that_still_runs_tasks_is_recycled_by_itself():
    """Where a restart had to wait for approval, as it would cut off a task."""
    plan = plan_for(look())

    assert plan.acts == (), "it is asked first what it consumes"
    assert (first(plan).state, steps(first(plan))) == (IncidentState.REMEDYING, ["opened", "intended"])
    (made,) = plan.remedies
    assert (made.kind, made.step, made.guid, made.node, made.pid) == (RemedyKind.RECYCLE, None, guid(), NODE, 7)


def test_one_that_runs_none_is_restarted():
    (act,) = plan_for(look(deaf(active=0))).acts
    assert act.remedy.kind is RemedyKind.RESTART_INSTANCE


@pytest.mark.parametrize(
    "fields",
    [
        {"platform": Known((but(app(*BOTH), restarts_ended=False),), NOW)},
        {"life": deaf(beats=0)},
    ],
    ids=["a platform that leaves ended what has ended", "no heartbeats"],
)
def test_what_cannot_be_recycled_waits_for_approval(fields):
    found = next(one for one in diagnose(look(**fields), Limits()) if one.place == place())
    assert (found.remedy, found.approval) in {
        (RemedyKind.RESTART_INSTANCE, "it still runs 1 tasks"),
        (RemedyKind.NONE, None),
    }


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(mode=Mode.APPROVE), HeldReason.MODE),
        (Policy(mode=Mode.AUTO, paused="ana looks"), HeldReason.PAUSED),
        (Policy(mode=Mode.AUTO, maintenance="window"), HeldReason.MAINTENANCE),
        (Policy(mode=Mode.AUTO, min_healthy=2), HeldReason.MIN_HEALTHY),
    ],
    ids=["approve", "paused", "maintenance", "min_healthy"],
)
def test_what_holds_it(policy, reason):
    assert first(plan_for(look(), policy=policy)).held_reason is reason


def test_it_is_made_at_most_twice_within_five_minutes():
    made = [
        remedy(kind=RemedyKind.RECYCLE, state=RemedyState.VERIFIED, ago=ago, acted_at=NOW - ago, id=f"r{ago}")
        for ago in (200, 290)
    ]
    often = but(AUTO, cooldown_s=60)
    assert first(plan_for(look(), but(NOTHING, remedies=tuple(made)), often)).held_reason is HeldReason.COOLDOWN
    assert first(plan_for(look(), but(NOTHING, remedies=(made[0],)), often)).state is IncidentState.REMEDYING

    plan = plan_for(look(), but(NOTHING, remedies=(*made, order(kind=RemedyKind.RECYCLE, incident=None))), often)
    refused = next(one for one in plan.remedies if one.id == "order")
    assert (refused.state, refused.note) == (
        RemedyState.LAPSED,
        "recycled 2 times within 5 min: the platform would make it wait",
    )


# A person's order


def ordered(**fields):
    return but(NOTHING, remedies=(order(**{"kind": RemedyKind.RECYCLE, "incident": None, **fields}),))


def test_a_person_recycles_a_healthy_worker_in_every_mode():
    plan = plan_for(seen(worker()), ordered(), Policy(mode=Mode.OBSERVE))

    assert only(plan).steps[0].text == "ana ordered a recycling of orders-worker/0"
    assert (only(plan).state, plan.remedies[0].id) == (IncidentState.REMEDYING, "order")


@pytest.mark.parametrize(
    ("these", "why"),
    [
        (seen(worker(), worker(node=f"other@{guid()}"), instances=[instance()]), "no instance at this place any more"),
        (seen(worker(), platform=Known((but(app(instance()), restarts_ended=False),), NOW)), "exit code 0"),
        (seen(worker(pid=8)), "pid 7 became 8"),
        (seen(worker(), instances=[instance(life=2)]), "the instance has changed"),
    ],
    ids=["shared container", "no restart", "another process", "another instance"],
)
def test_an_order_for_what_cannot_be_recycled_lapses(these, why):
    (refused,) = plan_for(these, ordered()).remedies
    assert (refused.state, why in refused.note) == (RemedyState.LAPSED, True)


# One order at a time


def test_first_it_consumes_no_more_what_it_says_that_it_consumes():
    (act,) = plan_for(look(), under_way()).acts

    assert (act.remedy.step, act.remedy.queues, act.remedy.attempts) == (Recycling.DRAIN, ("celery",), 1)
    assert act.incident.steps[-1].kind == "drain"


def test_what_it_does_not_say_cannot_be_given_back():
    plan = plan_for(look(inspected={}), under_way())
    assert (only(plan).state, steps(only(plan))[-1]) == (IncidentState.OPEN, "lapsed")


IDLE = Inspection(())


def idle(**fields):
    return deaf(**{"active": 0, **fields})


def test_it_is_told_to_end_once_it_is_idle():
    (act,) = plan_for(look(idle(), says=IDLE), under_way(Recycling.DRAIN)).acts

    assert (act.remedy.step, act.remedy.attempts) == (Recycling.SHUTDOWN, 2)
    assert act.incident.deadline_at == NOW + 180


@pytest.mark.parametrize(
    "these",
    [
        look(says=IDLE),
        look(idle(), says=Inspection((), reserved=1)),
        look(idle(last_heartbeat_at=NOW - 19), says=IDLE),
        look(idle(active=None), says=IDLE),
        look(idle(), inspected={}),
        look(idle(), inspected={NODE: Known(IDLE, NOW - 21)}),
    ],
    ids=["a task", "a message", "an old heartbeat", "no number", "no answer", "an old answer"],
)
def test_what_may_still_have_a_task_is_not_told_to_end(these):
    assert plan_for(these, under_way(Recycling.DRAIN)).acts == ()


@pytest.mark.parametrize(("told", "again"), [(5, False), (12, True)])
def test_a_lost_order_is_given_again(told, again):
    acts = plan_for(look(), under_way(Recycling.DRAIN, told=told)).acts
    assert [act.remedy.step for act in acts] == ([Recycling.DRAIN] if again else [])

    acts = plan_for(look(idle(), says=IDLE), under_way(Recycling.SHUTDOWN, told=told, deadline_at=NOW + 60)).acts
    assert [act.remedy.step for act in acts] == ([Recycling.SHUTDOWN] if again else [])


def test_one_that_is_not_idle_in_time_consumes_again():
    (act,) = plan_for(look(says=Inspection((), reserved=2)), under_way(Recycling.DRAIN, asked=301)).acts

    assert act.remedy.step is Recycling.GIVE_BACK
    assert act.remedy.note == "it was not idle within 300 s: 1 tasks under way, 2 messages held"


def test_one_that_goes_on_though_it_was_told_to_end_consumes_again():
    (act,) = plan_for(look(idle(), says=IDLE), under_way(Recycling.SHUTDOWN, deadline_at=NOW - 1)).acts
    assert act.remedy.step is Recycling.GIVE_BACK


def test_one_that_speaks_no_more_and_stays_is_for_a_person():
    plan = plan_for(look(idle(silent=10), says=IDLE), under_way(Recycling.SHUTDOWN, deadline_at=NOW - 1))
    assert (only(plan).state, plan.acts) == (IncidentState.ESCALATED, ())


def test_what_comes_in_between_ends_it():
    window = but(AUTO, maintenance="window")
    (act,) = plan_for(look(idle(), says=IDLE), under_way(Recycling.DRAIN), window).acts
    assert (act.remedy.step, act.remedy.note) == (Recycling.GIVE_BACK, "maintenance: window")

    (act,) = plan_for(look(idle(), says=IDLE), under_way(Recycling.DRAIN, actor="ana"), window).acts
    assert act.remedy.step is Recycling.SHUTDOWN, "a person's order passes it"


def test_blindness_lets_it_wait():
    assert plan_for(look(heard=stream(echo=20)), under_way(Recycling.DRAIN, asked=400)).acts == ()


PAUSED = but(AUTO, paused="ana looks")


@pytest.mark.parametrize("actor", ["keeper", "ana"])
def test_a_pause_does_not_leave_it_without_its_queues(actor):
    (act,) = plan_for(look(), under_way(Recycling.DRAIN, actor=actor), PAUSED).acts
    assert (act.remedy.step, act.remedy.note) == (Recycling.GIVE_BACK, "paused: ana looks")

    (act,) = plan_for(look(), under_way(Recycling.GIVE_BACK, deadline_at=NOW + 60), PAUSED).acts
    assert act.remedy.step is Recycling.GIVE_BACK, "a lost order is given again"


def test_in_a_pause_nothing_else_is_ordered():
    assert plan_for(look(), under_way(), PAUSED).acts == ()
    told = under_way(Recycling.SHUTDOWN, deadline_at=NOW + 60)
    assert plan_for(look(idle(), says=IDLE), told, PAUSED).acts == ()

    late = under_way(Recycling.SHUTDOWN, deadline_at=NOW - 1)
    (act,) = plan_for(look(idle(), says=IDLE), late, PAUSED).acts
    assert act.remedy.step is Recycling.GIVE_BACK, "it goes on, though it was told to end before the pause"


def hung_while_drained():
    """Return the journal after a look in which the drained worker was hung, in a mode that leaves it to a person."""
    past, approve = under_way(Recycling.DRAIN), Policy(mode=Mode.APPROVE)
    return after(past, plan_for(look(deaf(silent=40, active=0), says=IDLE), past, approve)), approve


def test_one_that_hung_while_it_was_drained_has_its_queues_back_once_it_speaks():
    """It has recovered alone, and nobody else would tell it to consume again."""
    past, approve = hung_while_drained()
    assert [one.state for one in past.remedies] == [RemedyState.LAPSED]
    (act,) = plan_for(look(idle(), says=IDLE), past, approve).acts

    assert (act.remedy.step, act.remedy.queues, act.remedy.state) == (
        Recycling.GIVE_BACK, ("celery",), RemedyState.INTENDED,
    )  # fmt: skip
    assert act.incident.state is IncidentState.REMEDYING
    over = given(act, NOW, "add consumer")
    past = but(past, incidents=(over.incident,), remedies=(over.remedy,))
    assert plan_for(look(idle()), past, approve).acts == (), "once"


@pytest.mark.parametrize(
    "these", [look(deaf(silent=40, active=0), says=IDLE), look(idle(pid=8))], ids=["still hung", "another process"]
)
def test_who_speaks_no_more_or_began_anew_is_given_nothing_back(these):
    past, approve = hung_while_drained()
    assert plan_for(these, past, approve).acts == ()


@pytest.mark.parametrize(
    ("these", "why"),
    [(look(deaf(silent=40, active=0)), "the worker is now hung"), (look(deaf(pid=8)), "pid 7 became 8")],
    ids=["hung", "another process"],
)
def test_another_case_is_judged_anew(these, why):
    plan = plan_for(these, under_way(Recycling.DRAIN))
    (ended,) = plan.remedies
    assert (plan.acts, ended.state, why in ended.note) == ((), RemedyState.LAPSED, True)


def test_consumers_that_cannot_be_given_back_are_for_a_person():
    past = under_way(Recycling.GIVE_BACK, deadline_at=NOW - 1)
    assert "`celery control add_consumer`" in only(plan_for(look(), past)).steps[-1].text


def test_its_next_instance_is_verified():
    """Also where the keeper was killed after the order and before it could tell of it."""
    next_life = look(idle(life=2), instances=[instance(life=2), instance(1)], says=IDLE)
    plan = plan_for(next_life, under_way(Recycling.SHUTDOWN, deadline_at=NOW + 60))

    assert (only(plan).state, plan.acts) == (IncidentState.VERIFYING, ())
    assert only(plan).steps[-1].text.startswith("it has ended, and the platform starts it again")
    assert plan.remedies[0].state is RemedyState.ACTED


# Whose end it is

CLEAN = "APP/PROC/WORKER: Exited with status 0"


def test_the_end_that_we_asked_for_is_no_crash():
    gone = [instance(life=1, state=InstanceState.CRASHED, guid=None), instance(1)]
    these = look(idle(silent=5), instances=gone, crashes=[crash(text=CLEAN)])
    plan = plan_for(these, under_way(Recycling.SHUTDOWN, deadline_at=NOW + 60))
    assert (first(plan).crashes, first(plan).state) == ((), IncidentState.VERIFYING)

    plan = plan_for(these, under_way(Recycling.DRAIN))
    assert first(plan).crashes == ("crash-0-1",), "nobody had told it to end yet"


def test_it_counts_for_no_crash_loop():
    made = under_way(Recycling.SHUTDOWN).remedies
    three = [crash(text=CLEAN, id=f"c{life}", life=life) for life in (1, 2, 3)]
    looped = seen(worker(), crashes=three)
    assert len(loop(place(), looped, Limits())) == 3
    assert loop(place(), but(looped, recycled=recycled(made)), Limits()) == []

    counted = seen(worker(), crashes=[crash(text=CLEAN), but(crash(life=2, ago=3), count=3)])
    assert loop(place(), counted, Limits())
    assert loop(place(), but(counted, recycled=recycled(made)), Limits()) == []


def test_a_repaired_worker_that_crashes_has_crashed():
    mended = remedy(kind=RemedyKind.LIVE_REPAIR, state=RemedyState.VERIFIED, acted_at=NOW - 100)
    plan = plan_for(seen(worker(), crashes=[crash()]), but(NOTHING, remedies=(mended,)))
    assert only(plan).crashes == ("crash-0-1",)
