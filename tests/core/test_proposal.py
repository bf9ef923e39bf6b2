"""The restart of an app as the keeper proposes it: when, with what words, how it ends, and what an approval of it does."""

import pytest

from celeriac.core.incident import Deed, Ending, HeldReason, IncidentState, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Consumer, Inspection, InstanceState, Mode, Place, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.work import Waiting
from core.builders import (
    APP,
    AUTO,
    CLUSTER,
    NOTHING,
    NOW,
    PLATFORM,
    after,
    but,
    guid,
    incident,
    instance,
    order,
    place,
    plan_for,
    remedy,
    said_goodbye,
    seen,
    steps,
    stream,
    word,
    worker,
)

WHOLE = Place(CLUSTER, PLATFORM, APP)
SILENT = 35.0
NOT_FETCHING = Consumer(10, fetching=False, idle_s=40.0)


def look(deaf=(), hung=(), of=4, *, now=NOW, apart=15.0, says=(), **fields):
    """Return a look at an app whose workers of these indexes are deaf or hung; the hung fell silent one by one."""
    quiet = {index: SILENT + apart * number for number, index in enumerate(hung)}
    lives = [
        worker(index, silent=quiet.get(index, 0.5), active=0, last_start_at=now - (70 if index in deaf else 1), now=now)
        for index in range(of)
    ]
    node = {index: f"celery@{guid(index)}" for index in range(of)}
    answers = {node[index]: Known(index not in {*deaf, *hung}, now) for index in range(of)}
    inspected = {node[index]: Known(Inspection(tuple(says)), now) for index in deaf} if says else {}
    fields = {
        "consumer": NOT_FETCHING,
        "pings": answers,
        "waiting": {"celery": Waiting(3, now - 70)},
        "inspected": inspected,
        **fields,
    }
    return seen(*lives, now=now, **fields)


def judged(these, past=NOTHING, policy=AUTO):
    """Return the plan and the journal with it."""
    plan = plan_for(these, past, policy)
    return plan, after(past, plan)


def proposal(past):
    """Return the newest incident of the app."""
    found = sorted((one for one in past.incidents if one.place == WHOLE), key=lambda one: one.opened_at)
    return found[-1] if found else None


def proposed(these=None, policy=AUTO, past=NOTHING):
    """Return the journal in which the restart of an app with three deaf of four is proposed."""
    return judged(these or look(deaf=(1, 2, 3)), past, policy)[1]


def approved(past, **fields):
    one = proposal(past)
    nothing = {"guid": None, "node": None, "pid": None}
    asked = order(kind=RemedyKind.RESTART_APP, place=WHOLE, incident=one.id, verdict=one.verdict, **nothing, **fields)
    return but(past, remedies=(*past.remedies, asked))


CASES = {
    "two of three": (look(deaf=(0, 1), of=3), False),
    "three of three": (look(deaf=(0, 1, 2), of=3), True),
    "three of five": (look(deaf=(0, 1, 2), of=5), True),
    "three of six": (look(deaf=(0, 1, 2), of=6), False),
    "deaf and hung together": (look(deaf=(0, 1), hung=(2,)), True),
    "three hung, each at another time": (look(hung=(0, 1, 2)), True),
    "three that fell silent together": (look(hung=(0, 1, 2), apart=1), False),
    "deaf ones beside two that fell silent together": (look(deaf=(0, 1), hung=(2, 3), apart=1), False),
    "a live repair would do": (look(deaf=(0, 1, 2), says=("other",)), False),
    "nobody": (look(), False),
    "three that drain for too long": (seen(*[said_goodbye(1900 + 15 * n, index=n) for n in range(3)]), False),
    "of which only three run": (
        look(deaf=(0, 1, 2), of=6, instances=[instance(n, state=InstanceState.CRASHED if n > 2 else InstanceState.RUNNING) for n in range(6)]),
        True,
    ),
    "no platform knows them": (look(deaf=(0, 1, 2), platform=None), False),
    "the platform cannot be read": (look(deaf=(0, 1, 2), platform=Unknown("502", NOW)), False),
    "we hear nothing": (look(deaf=(0, 1, 2), heard=stream(echo=20)), False),
    "two nodes in each container": (
        seen(
            *[worker(n, node=f"{name}@{guid(n)}", silent=SILENT + 15 * n) for n in range(3) for name in "ab"],
            instances=[instance(n) for n in range(3)],
        ),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("case", CASES)
def test_when_it_is_proposed(case, mode):
    these, wanted = CASES[case]
    assert (proposal(judged(these, policy=Policy(mode=mode))[1]) is not None) is wanted


@pytest.mark.parametrize("mode", Mode)
def test_it_waits_for_a_person_in_every_mode_and_says_who_is_ill(mode):
    one = proposal(proposed(look(deaf=(1, 3), hung=(2,)), Policy(mode=mode)))

    assert (one.state, one.held_reason, one.remedy) == (
        IncidentState.HELD,
        HeldReason.MODE,
        RemedyKind.RESTART_APP,
    )
    assert (one.verdict, one.would_hold, one.awaits_person) == (Verdict.DEAF, HeldReason.MODE, True)
    assert steps(one) == ["opened", "held"]
    assert one.steps[0].text == "3 of 4 running instances are deaf or hung"
    assert "needs one in every mode, also in auto" in one.steps[1].text
    assert "orders-worker/1 deaf, orders-worker/2 hung, orders-worker/3 deaf" in one.steps[1].text


def test_the_ill_ones_come_first_and_all_are_named():
    one = proposal(proposed())

    assert one.members == (place(1), place(2), place(3), place(0))
    assert one.evidence[-1].reading == "orders-worker/1, orders-worker/2, orders-worker/3, orders-worker/0"


def test_look_after_look_it_is_the_same_one():
    past = proposed()
    later = judged(look(deaf=(0, 1, 2), now=NOW + 2), past)[1]

    assert (proposal(later).id, steps(proposal(later))) == (proposal(past).id, ["opened", "held"])
    assert proposal(later).members[0] == place(0)


def test_the_workers_own_incidents_go_their_way():
    """In `auto` deaf ones are restarted one at a time meanwhile, and the proposal restarts nobody."""
    plan, past = judged(look(deaf=(1, 2, 3)))
    assert [(act.remedy.place, act.remedy.kind) for act in plan.acts] == [(place(1), RemedyKind.RESTART_INSTANCE)]
    assert judged(look(deaf=(1, 2, 3), now=NOW + 2), past)[0].acts == ()


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE])
def test_nothing_happens_without_an_approval(mode):
    past, now = NOTHING, NOW
    for _ in range(100):
        plan, past = judged(look(deaf=(1, 2, 3), now=now), past, Policy(mode=mode))
        assert plan.acts == ()
        now += 30
    assert proposal(past).state is IncidentState.HELD


@pytest.mark.parametrize("mode", Mode)
def test_those_who_fell_silent_together_stay_out_of_it_when_fewer_are_silent(mode):
    past = judged(look(hung=(0, 1, 2), apart=1), policy=Policy(mode=mode))[1]
    later = look(deaf=(3, 4), hung=(0,), of=5)
    assert proposal(judged(later, past, Policy(mode=mode))[1]) is None
    assert proposal(judged(later, policy=Policy(mode=mode))[1]) is not None


def test_it_ends_by_itself_when_fewer_are_ill_for_a_while():
    past = judged(look(deaf=(1,), now=NOW + 2), proposed())[1]
    assert proposal(past).state is IncidentState.HELD
    past = judged(look(deaf=(1,), now=NOW + 63), past)[1]

    one = proposal(past)
    assert (one.state, one.ending) == (IncidentState.RESOLVED, Ending.RECOVERED)
    assert "recovered alone: for 60 s too few were ill" in one.steps[-1].text


def test_a_moment_with_fewer_does_not_count():
    past = judged(look(deaf=(1,), now=NOW + 2), proposed())[1]
    past = judged(look(deaf=(1, 2, 3), now=NOW + 30), past)[1]
    past = judged(look(deaf=(1,), now=NOW + 63), past)[1]
    assert proposal(past).state is IncidentState.HELD


def test_an_app_that_is_not_watched_any_more_needs_no_restart():
    past = judged(look(now=NOW + 2, instances=[], platform=Known((), NOW + 2)), proposed())[1]
    past = judged(look(now=NOW + 63, platform=Known((), NOW + 63)), past)[1]
    assert proposal(past).state is IncidentState.RESOLVED


@pytest.mark.parametrize(
    ("heard", "reason"),
    [(stream(echo=20, now=NOW + 100), HeldReason.BROKER_OUTAGE), (Unknown("old", NOW), HeldReason.STALE)],
)
def test_while_we_are_blind_it_is_held_for_that(heard, reason):
    past = judged(look(now=NOW + 100, heard=heard), proposed())[1]
    assert (proposal(past).held_reason, proposal(past).healthy_since) == (reason, None)

    past = judged(look(deaf=(1, 2, 3), now=NOW + 102), past)[1]
    assert proposal(past).held_reason is HeldReason.MODE


def test_a_pause_holds_it():
    assert proposal(proposed(policy=but(AUTO, paused="we move"))).held_reason is HeldReason.PAUSED


def test_a_person_holds_it_and_lets_it_go():
    past = proposed()
    said = word(Deed.HOLD, incident=proposal(past).id)
    past = judged(look(deaf=(1, 2, 3), now=NOW + 2), but(past, words=(said,)))[1]
    assert proposal(past).held_reason is HeldReason.HELD_BY_USER

    plan, later = judged(look(deaf=(1, 2, 3)), approved(past))
    assert next(one.note for one in plan.remedies if one.id == "order").startswith("ana holds the incident")

    blind = judged(look(heard=stream(echo=20)), past)[1]
    assert proposal(blind).held_reason is HeldReason.HELD_BY_USER

    said = word(Deed.RELEASE, incident=proposal(later).id)
    past = judged(look(deaf=(1, 2, 3), now=NOW + 4), but(later, words=(said,)))[1]
    assert proposal(past).held_reason is HeldReason.MODE


def test_who_closes_it_is_not_asked_again():
    past = proposed()
    said = word(Deed.CLOSE, incident=proposal(past).id)
    past = judged(look(deaf=(1, 2, 3), now=NOW + 2), but(past, words=(said,)))[1]
    past = judged(look(deaf=(0, 1, 2, 3), now=NOW + 4), past)[1]
    assert [one.state for one in past.incidents if one.place == WHOLE] == [IncidentState.CLOSED]


# What an approval does


def test_an_approval_begins_with_the_ill_ones_and_goes_on_in_the_same_incident():
    past = proposed(policy=Policy(mode=Mode.APPROVE))
    begun, past = judged(look(deaf=(1, 2, 3)), approved(past), Policy(mode=Mode.APPROVE))
    one = proposal(past)
    assert (one.state, begun.acts) == (IncidentState.REMEDYING, ())
    assert one.steps[-1].text.startswith(
        "ana approved a restart of orders-worker: 4 instances, one at a time: orders-worker/1,"
    )

    (act,) = judged(look(deaf=(1, 2, 3)), past, Policy(mode=Mode.APPROVE))[0].acts
    assert (act.remedy.place, act.remedy.actor) == (place(1), "ana")
    assert len([one for one in past.incidents if one.place == WHOLE]) == 1


def test_it_goes_through_all_of_them_and_ends():
    past, turns = approved(proposed(policy=Policy())), []
    id = proposal(past).id
    for turn in range(12):
        plan, past = judged(look(deaf=(1, 2, 3), now=NOW + turn), past, Policy())
        turns += [act.remedy.place.index for act in plan.acts]
        done = {act.remedy.id for act in plan.acts}
        past = but(
            past,
            remedies=tuple(but(one, state=RemedyState.VERIFIED) if one.id in done else one for one in past.remedies),
            incidents=tuple(one for one in past.incidents if one.place == WHOLE or one.state is IncidentState.HELD),
        )

    assert turns == [1, 2, 3, 0]
    ended = next(one for one in past.incidents if one.id == id)
    assert (ended.state, ended.ending) == (IncidentState.RESOLVED, Ending.PROVEN)


@pytest.mark.parametrize(
    ("these", "fields", "policy", "why"),
    [
        (look(deaf=(1, 2)), {}, AUTO, "the evidence has changed: now 2 of 4 running instances are deaf or hung"),
        (look(deaf=(1, 2, 3)), {"ago": 901.0}, AUTO, "it is older than 15 min"),
        (look(deaf=(1, 2, 3)), {}, but(AUTO, paused="we move"), "paused: we move"),
        (look(deaf=(1, 2, 3), heard=stream(echo=20)), {}, AUTO, "blind: "),
    ],
    ids=["fewer are ill", "old", "paused", "blind"],
)
def test_an_approval_that_lapses(these, fields, policy, why):
    plan, past = judged(these, approved(proposed(policy=Policy()), **fields), policy)

    assert why in next(one.note for one in plan.remedies if one.id == "order")
    assert not any(act.remedy.by_person for act in plan.acts)
    assert "lapsed" in steps(proposal(past))


def test_an_approval_of_one_that_is_over_lapses():
    past = approved(proposed(policy=Policy()))
    past = but(past, incidents=tuple(one for one in past.incidents if one.place != WHOLE))
    plan = plan_for(look(deaf=(1, 2, 3)), past, Policy())
    assert next(one.note for one in plan.remedies if one.id == "order") == "the incident is over"


def test_a_persons_own_order_takes_the_proposal_over():
    """Else two incidents of one app would be open."""
    nothing = {"guid": None, "node": None, "pid": None, "incident": None}
    asked = order(kind=RemedyKind.RESTART_APP, place=WHOLE, **nothing)
    past = proposed(policy=Policy())
    past = judged(look(deaf=(1, 2, 3)), but(past, remedies=(asked,)), Policy())[1]
    (one,) = [one for one in past.incidents if one.place == WHOLE]
    assert one.state is IncidentState.REMEDYING
    assert one.steps[-1].text.startswith(
        "ana ordered a restart of orders-worker: 4 instances, one at a time: orders-worker/1,"
    )


@pytest.mark.parametrize("state", [IncidentState.REMEDYING, IncidentState.ESCALATED])
def test_none_is_proposed_while_one_is_under_way_or_has_stopped(state):
    there = incident(place=WHOLE, state=state, remedy_id="roll", members=(place(0), place(1)))
    under_way = remedy(kind=RemedyKind.RESTART_APP, place=WHOLE, id="roll", left=(place(0),), turn="gone", actor="ana")
    past = but(NOTHING, incidents=(there,), remedies=(under_way,) if state is IncidentState.REMEDYING else ())
    past = judged(look(deaf=(1, 2, 3)), past)[1]
    assert [one.id for one in past.incidents if one.place == WHOLE] == [there.id]
    assert "held" not in steps(proposal(past))
