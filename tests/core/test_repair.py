"""Live repair: when the keeper makes one by itself, what holds it, and what proves it."""

import pytest

from celeriac.core.diagnose import diagnose
from celeriac.core.incident import HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Consumer, Inspection, Mode, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.repair import Repair, RepairKind
from celeriac.core.stuck import Runs, Stuck
from celeriac.core.work import Waiting
from core.builders import (
    AUTO,
    LIMITS,
    NOTHING,
    NOW,
    after,
    but,
    finding,
    guid,
    incident,
    only,
    order,
    plan_for,
    remedy,
    seen,
    steps,
    unmapped,
    worker,
)

NODE = f"celery@{guid()}"
ADD = Repair(RepairKind.ADD_CONSUMER, "celery", ("celery",))
GROW = Repair(RepairKind.POOL_GROW, "4", ("celery",))
NAMED = Limits(live_repair=("celery",))
FETCHING = Consumer(10, fetching=True, idle_s=0.0)


def idle(**fields):
    return worker(**{"active": 0, "last_start_at": NOW - 70, **fields})


def look(life=None, *, says=Inspection(), make=seen, **fields):  # noqa: B008 (frozen)
    """Return a look at a worker for which work waits and which says to consume nothing."""
    fields = {"waiting": {"celery": Waiting(3, NOW - 70)}, "inspected": {NODE: Known(says, NOW)}, **fields}
    return make(life or idle(), **{"consumer": FETCHING, **fields})


def decided(these=None, past=None, policy=AUTO, limits=NAMED):
    return plan_for(these or look(), *([past] if past else []), policy=policy, limits=limits)


def test_what_a_policy_names_is_repaired_by_itself():
    (act,) = decided().acts

    assert (act.remedy.kind, act.remedy.repair) == (RemedyKind.LIVE_REPAIR, ADD)
    assert (act.remedy.node, act.remedy.pid, act.instance.guid) == (NODE, 7, guid())
    assert steps(act.incident) == ["opened", "intended"]
    assert "have it consume celery again, decided by the keeper" in act.incident.steps[-1].text


@pytest.mark.parametrize("limits", [LIMITS, Limits(live_repair=("other",))])
def test_else_people_are_asked(limits):
    """They cancel consumers on purpose."""
    held = only(decided(limits=limits))

    assert (held.held_reason, held.remedy, held.repair) == (HeldReason.MODE, RemedyKind.LIVE_REPAIR, ADD)
    assert "it may be so on purpose" in held.steps[-1].text


def test_an_empty_pool_grows_to_what_it_had():
    (act,) = decided(look(says=Inspection(("celery",), processes=0))).acts

    assert act.remedy.repair == GROW


def test_it_needs_no_platform():
    (act,) = decided(look(make=unmapped)).acts

    assert (act.remedy.repair, act.instance) == (ADD, None)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(mode=Mode.AUTO, paused="ana looks"), HeldReason.PAUSED),
        (Policy(mode=Mode.OBSERVE), HeldReason.MODE),
        (Policy(mode=Mode.APPROVE), HeldReason.MODE),
        (Policy(mode=Mode.AUTO, maintenance="window"), HeldReason.MAINTENANCE),
    ],
    ids=["paused", "observe", "approve", "maintenance"],
)
def test_what_holds_it(policy, reason):
    assert only(decided(policy=policy)).held_reason is reason


def test_a_deploy_holds_it():
    """Somebody may be at work in this very worker."""
    assert only(decided(look(changes=Unknown("403: not authorized", NOW)))).held_reason is HeldReason.DEPLOY


def test_what_is_undone_again_is_not_mended_again_and_again():
    made = remedy(kind=RemedyKind.LIVE_REPAIR, repair=ADD, state=RemedyState.VERIFIED, acted_at=NOW - 300, guid=None)
    past = after_one(made)

    assert only(decided(past=past)).held_reason is HeldReason.COOLDOWN


def test_a_repair_counts_for_no_restart_and_a_restart_for_no_repair():
    """They stop different things."""
    restarted = remedy(state=RemedyState.VERIFIED, acted_at=NOW - 300)
    assert decided(past=after_one(restarted)).acts

    mended = remedy(kind=RemedyKind.LIVE_REPAIR, repair=ADD, state=RemedyState.VERIFIED, acted_at=NOW - 300)
    zombie = look(pings={NODE: Known(value=False, at=NOW)}, inspected={}, consumer=None, named=False)
    (act,) = decided(zombie, past=after_one(mended)).acts
    assert act.remedy.kind is RemedyKind.RESTART_INSTANCE


def after_one(made):
    return but(NOTHING, remedies=(made,))


# A person's order


def asked(**fields):
    fields = {"kind": RemedyKind.LIVE_REPAIR, "repair": ADD, "guid": guid(), **fields}
    held = incident(state=IncidentState.HELD, verdict=Verdict.DEAF, remedy=RemedyKind.LIVE_REPAIR, repair=ADD)
    return but(NOTHING, incidents=(held,), remedies=(order(**fields),))


def test_a_person_is_obeyed_in_every_mode():
    (act,) = decided(past=asked(), policy=Policy(mode=Mode.OBSERVE), limits=LIMITS).acts

    assert (act.remedy.id, act.remedy.repair, act.remedy.actor) == ("order", ADD, "ana")


@pytest.mark.parametrize(
    ("these", "fields", "why"),
    [
        (look(idle(pid=8)), {}, "pid 7 became 8"),
        (look(says=Inspection(("celery",), processes=0)), {}, "what it lacks has changed"),
        (look(waiting={}), {}, "what it lacks has changed"),
    ],
    ids=["another process", "another lack", "it is well"],
)
def test_an_order_lapses_when_what_it_was_for_has_changed(these, fields, why):
    plan = decided(these, past=asked(**fields), limits=LIMITS)

    assert plan.acts == ()
    assert [one.state for one in plan.remedies] == [RemedyState.LAPSED]
    assert why in plan.remedies[0].note


def test_without_a_platform_an_order_is_obeyed_too():
    bare = look(make=unmapped)
    place = diagnose(bare, LIMITS)[0].place
    held = incident(place=place, verdict=Verdict.DEAF, remedy=RemedyKind.LIVE_REPAIR, repair=ADD, guid=None)
    past = but(
        NOTHING,
        incidents=(held,),
        remedies=(order(place=place, kind=RemedyKind.LIVE_REPAIR, repair=ADD, guid=None),),
    )
    assert len(decided(bare, past=past, limits=LIMITS).acts) == 1


# The proof


def under_proof(repair=ADD, **fields):
    told = incident(state=IncidentState.VERIFYING, remedy_id="remedy-0", deadline_at=NOW + 60, verdict=Verdict.DEAF)
    made = remedy(kind=RemedyKind.LIVE_REPAIR, repair=repair, state=RemedyState.ACTED, acted_at=NOW - 10, **fields)
    return but(NOTHING, incidents=(told,), remedies=(made,))


def mended(**fields):
    """Return a look at the worker as it should be: it says to consume, answers, and has begun a task."""
    fields = {"says": Inspection(("celery",), processes=4), "pings": {NODE: Known(value=True, at=NOW)}, **fields}
    life = fields.pop("life", worker(active=1, last_start_at=NOW - 2))
    return look(life, **fields)


def test_it_is_proven_by_what_it_consumes_and_begins():
    plan = decided(mended(), past=under_proof())

    assert (only(plan).state, [one.state for one in plan.remedies]) == (IncidentState.RESOLVED, [RemedyState.VERIFIED])
    assert only(plan).steps[-1].text == "the same process; answers a ping; it consumes celery again; began a task"


def test_where_no_work_waits_it_needs_to_begin_none():
    plan = decided(mended(life=idle(last_start_at=NOW - 900), waiting={"celery": Waiting(0)}), past=under_proof())

    assert only(plan).steps[-1].text.endswith("idle: no task waits for it")


LACKING = {
    "another process": mended(life=worker(pid=8, active=1, last_start_at=NOW - 2)),
    "no answer": mended(pings={}),
    "still nothing consumed": mended(says=Inspection((), processes=4)),
    "it does not say": mended(inspected={}),
    "it begins nothing": mended(life=worker(active=0, last_start_at=NOW - 40)),
}


@pytest.mark.parametrize("these", LACKING.values(), ids=LACKING)
def test_without_each_proof_it_waits_on_and_is_escalated_at_its_deadline(these):
    assert [one for one in decided(these, past=under_proof()).incidents if one.over] == []
    late = under_proof()
    late = but(late, incidents=(but(late.incidents[0], deadline_at=NOW - 1),))

    plan = decided(these, past=late)
    assert (only(plan).state, plan.remedies[0].state) == (IncidentState.ESCALATED, RemedyState.UNVERIFIED)


def test_a_pool_and_a_slot_are_proven_in_their_own_way():
    def last(repair, these):
        return only(decided(these, past=under_proof(repair))).steps[-1].text

    revoke = Repair(RepairKind.REVOKE, "t", ("shop.pay",))
    held = {NODE: (Stuck("t", "shop.pay", 900.0, Runs(99, 1.0)),)}
    assert "its pool has 4 processes" in last(GROW, mended())
    assert "the task t holds its slot no more" in last(revoke, mended())
    assert decided(mended(says=Inspection(("celery",), processes=0)), past=under_proof(GROW)).remedies == ()
    assert decided(mended(stuck=held), past=under_proof(revoke)).remedies == ()


def test_an_unclear_answer_is_judged_anew():
    """Whether it took effect shows in the worker itself; growing a pool twice would be wrong."""
    told = incident(state=IncidentState.REMEDYING, remedy_id="remedy-0", verdict=Verdict.DEAF)
    made = remedy(kind=RemedyKind.LIVE_REPAIR, repair=GROW, ago=LIMITS.unclear_s)
    plan = decided(mended(), past=but(NOTHING, incidents=(told,), remedies=(made,)))

    assert (only(plan).state, plan.remedies[0].state) == (IncidentState.OPEN, RemedyState.LAPSED)


def test_a_plan_that_is_journalled_repairs_once():
    plan = decided()
    again = decided(past=after(after_one(plan.remedies[0]), plan))

    assert again.acts == ()


def test_a_deaf_worker_that_runs_nothing_is_nobody_to_keep():
    """It would stand in the way of its own restart: `min_healthy` keeps those who still take work."""
    zombie = finding(
        idle(), consumer=FETCHING, waiting={"celery": Waiting(3, NOW - 70)}, pings={NODE: Known(value=False, at=NOW)}
    )
    busy = finding(
        idle(active=2, last_start_at=NOW - 900),
        waiting={"celery": Waiting(3, NOW - 70)},
        pings={NODE: Known(value=False, at=NOW)},
    )

    assert (zombie.verdict, zombie.still_works) == (Verdict.DEAF, False)
    assert (busy.verdict, busy.still_works) == (Verdict.DEAF, True)
