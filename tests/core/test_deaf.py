"""Workers that speak while work waits: which are deaf, which are only idle, and what is proposed for each."""

import pytest

from celeriac.core.diagnose import diagnose
from celeriac.core.incident import HeldReason, RemedyKind, RemedyState
from celeriac.core.logs import Logged
from celeriac.core.model import Clients, Consumer, Inspection, Status, Taking, Verdict
from celeriac.core.readings import Known, Unknown
from celeriac.core.work import Held, Share, Waiting
from core.builders import (
    LIMITS,
    NOTHING,
    NOW,
    after,
    but,
    finding,
    guid,
    instance,
    plan_for,
    seen,
    stream,
    unmapped,
    worker,
)

HEALTHY, DEAF, DRAINING = Verdict.HEALTHY, Verdict.DEAF, Verdict.DRAINING
NONE, ALERT, RESTART = RemedyKind.NONE, RemedyKind.ALERT, RemedyKind.RESTART_INSTANCE
REPAIR, RECYCLE = RemedyKind.LIVE_REPAIR, RemedyKind.RECYCLE
NODE, KEY = f"celery@{guid()}", f"celery@{guid()}#7"
FETCHING, IDLE = Consumer(10, fetching=True, idle_s=0.0), Consumer(10, fetching=False, idle_s=40.0)
RABBIT, UNSEEN = stream(reader="rabbitmq"), Unknown("it does not answer", NOW)


def idle(for_s=70.0, **fields):
    """Return a worker that beats, runs nothing, and began its last task so many seconds ago."""
    return worker(**{"active": 0, "last_start_at": NOW - for_s, **fields})


def waits(for_s=70.0, depth=3, **fields):
    return {"celery": Waiting(depth, NOW - for_s, **fields)}


def says(queues=("celery",), **fields):
    return {NODE: Known(Inspection(queues, **fields), NOW)}


def holds(ago=70.0, number=1):
    """It has received tasks so long ago, and not begun them; its queue is empty."""
    return {"waiting": {}, "held": {KEY: Held(number, NOW - ago, "shop.pay")}}


def silent(why=None):
    return {NODE: Unknown(why, NOW) if why else Known(value=False, at=NOW)}


def alone(theirs, workers=2):
    """Return the share of one whose siblings began so many tasks meanwhile."""
    return {KEY: Share(theirs, workers)}


def look(life=None, **fields):
    return finding(life or idle(), **{"consumer": FETCHING, "waiting": waits(), **fields})


def managed(queues=(), lasting=15.0, *, listed=1, counted=1, held=None, life=None, **fields):
    """Judge one on RabbitMQ whose management API shows it to consume these queues, and as many consumers of `celery`."""
    consumer = Consumer(1, fetching=True, idle_s=0.0, taking=Taking(queues, lasting, held=held or {}))
    takers = None if listed is None else {"celery": listed}
    told = {"waiting": waits(consumers=counted), "takers": takers, "inspected": says(reserved=2)}
    return look(life, **{"consumer": consumer, "heard": stream(reader="rabbitmq"), **told, **fields})


CASES = {
    # What makes somebody worth a look
    "nothing waits": (look(waiting={}), HEALTHY, NONE, False, ""),
    "the queue is empty": (look(waiting={"celery": Waiting(0)}), HEALTHY, NONE, False, ""),
    "another's queue waits": (look(waiting={"other": Waiting(9, NOW - 900)}), HEALTHY, NONE, False, ""),
    "it waits since a moment": (look(waiting=waits(29)), HEALTHY, NONE, False, ""),
    "it waits for half a minute": (look(waiting=waits(31)), HEALTHY, NONE, True, ""),
    "it began one lately": (look(idle(29)), HEALTHY, NONE, False, ""),
    "it began one half a minute ago": (look(idle(31)), HEALTHY, NONE, True, ""),
    "all its slots are busy": (look(idle(900, active=4)), HEALTHY, NONE, False, ""),
    "a slot is free": (look(idle(900, active=3), pings=silent()), DEAF, RESTART, False, "answers no ping"),
    "its beats tell nothing of its work": (look(idle(active=None), pings=silent()), HEALTHY, NONE, False, ""),
    "it is young": (look(idle(900, born=50)), HEALTHY, NONE, True, ""),
    "we hear since a moment": (look(idle(900), heard=stream(flowing=50), pings=silent()), HEALTHY, NONE, True, ""),
    # What proves it
    "it answers no ping": (look(pings=silent()), DEAF, RESTART, False, "sends heartbeats, but answers no ping"),
    "it consumes nothing": (look(inspected=says(())), DEAF, REPAIR, False, "it consumes celery no more"),
    "it consumes another queue": (look(inspected=says(("other",))), DEAF, REPAIR, False, "it consumes celery no more"),
    "its pool is empty": (look(inspected=says(processes=0)), DEAF, REPAIR, False, "its pool has no processes"),
    "it does not fetch": (look(inspected=says(processes=4), consumer=IDLE), DEAF, RESTART, False, "takes no message"),
    "its connections have no names": (look(inspected=says(), consumer=None, named=False), DEAF, RESTART, False, "takes no"),
    "AMQP tells nothing of fetching": (
        look(inspected=says(), heard=RABBIT), DEAF, RESTART, False, "takes no message",
    ),
    "nobody takes it": (look(waiting=waits(unacked=0), inspected=silent("no answer")), DEAF, RESTART, False, "no message of it is unacknowledged"),
    "nobody consumes it": (look(waiting=waits(consumers=0), inspected=silent("no answer")), DEAF, RESTART, False, "the queue has no consumers"),
    "RabbitMQ has no consumer of it": (managed(), DEAF, RESTART, False, "it says that it consumes celery, but RabbitMQ has no consumer"),
    "RabbitMQ has none, and a rate limit": (managed(inspected=says(limited=True)), DEAF, RESTART, False, "RabbitMQ has no consumer"),
    "RabbitMQ has nobody's": (managed(listed=0, counted=0), DEAF, RESTART, False, "RabbitMQ has no consumer"),
    "RabbitMQ has only its other one": (managed(("other",)), DEAF, RESTART, False, "RabbitMQ has no consumer"),
    "RabbitMQ has none, it cannot be asked": (managed(inspected=silent("no answer")), DEAF, RESTART, False, "RabbitMQ has no consumer"),
    "RabbitMQ has none of a threads pool": (managed(pool="threads"), DEAF, RESTART, False, "RabbitMQ has no consumer"),
    "RabbitMQ has none as it was canceled": (managed(inspected=says(())), DEAF, REPAIR, False, "it consumes celery no more"),
    "RabbitMQ has its consumer, it holds nothing": (
        managed(("celery",), inspected=says()), DEAF, RESTART, False, "it says that it consumes its queues, but takes no message",
    ),
    # What proves nothing
    "RabbitMQ has its consumer": (managed(("celery",)), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ has none since a moment": (managed(lasting=14), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ does not list all": (managed(listed=1, counted=2), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ lists nothing": (managed(listed=None), HEALTHY, NONE, True, "it holds 2 messages"),
    "the queue does not count": (managed(counted=None), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ has none of a green pool": (managed(pool="gevent"), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ has none of an unknown pool": (managed(pool="unknown"), HEALTHY, NONE, True, "it holds 2 messages"),
    "RabbitMQ has none, it was not asked yet": (managed(inspected={}), HEALTHY, NONE, True, "not asked yet"),
    "RabbitMQ gives it nothing": (
        managed(("celery",), inspected=says(), held={"celery": "its prefetch is used up"}), HEALTHY, NONE, True, "cannot tell why: its prefetch",
    ),
    "RabbitMQ gives it nothing of another": (
        managed(("celery",), inspected=says(), held={"other": "its prefetch is used up"}), DEAF, RESTART, False, "takes no message",
    ),
    "on RabbitMQ only its share tells": (
        managed(("celery",), waiting={}, shares=alone(30), inspected=says()), HEALTHY, NONE, True, "been quicker",
    ),
    "it was not asked": (look(), HEALTHY, NONE, True, "cannot tell why: remote control: not asked yet"),
    "it cannot be asked": (
        look(inspected=silent("no way"), pings=silent("no way")), HEALTHY, NONE, True, "cannot tell why: remote control: no way",
    ),
    "it was not asked yet": (look(waiting=waits(unacked=0)), HEALTHY, NONE, True, "not asked yet"),
    "others have messages on their way": (look(waiting=waits(unacked=1), inspected=silent("no answer")), HEALTHY, NONE, True, "cannot tell why"),
    "its connection fetches": (look(inspected=says()), HEALTHY, NONE, True, "its connection to the broker fetches"),
    "a rate limit": (look(inspected=says(limited=True), consumer=IDLE), HEALTHY, NONE, True, "have a rate limit"),
    "messages that it holds": (look(inspected=says(reserved=2), consumer=IDLE), HEALTHY, NONE, True, "holds 2 messages"),
    "all that it may hold is for later": (
        look(inspected=says(prefetch=8, later=8), consumer=IDLE), HEALTHY, NONE, True,
        "it may hold 8 messages at once: it runs 0 and keeps 8 for later",
    ),
    "all that it may hold runs, or is for later": (
        look(idle(900, active=2), inspected=says(prefetch=4, later=2), consumer=IDLE), HEALTHY, NONE, True, "runs 2 and keeps 2",
    ),
    "all that it may hold is for later, and AMQP tells nothing of fetching": (
        look(inspected=says(prefetch=8, later=8), heard=RABBIT), HEALTHY, NONE, True, "keeps 8 for later",
    ),
    "it may hold one more": (look(inspected=says(prefetch=9, later=8), consumer=IDLE), DEAF, RESTART, False, "takes no message"),
    "it may hold as many as there are": (look(inspected=says(prefetch=0), consumer=IDLE), DEAF, RESTART, False, "takes no message"),
    "its pool was shrunk, and is busy": (
        look(idle(900, active=2), inspected=says(processes=2), consumer=IDLE), HEALTHY, NONE, False, "",
    ),
    "its pool was shrunk, and has a slot": (
        look(idle(900, active=1), inspected=says(processes=2), consumer=IDLE), DEAF, RECYCLE, False, "takes no message",
    ),
    # Siblings take everything
    "its siblings began much": (
        look(waiting={}, shares=alone(30), pings=silent(), consumer=IDLE), DEAF, RESTART, False, "answers no ping",
    ),
    "its siblings began much, and it fetches": (
        look(waiting={}, shares=alone(30), pings=silent()), HEALTHY, NONE, True, "its connection to the broker fetches",
    ),
    "its siblings began much, and whether it fetches is not seen": (
        look(waiting={}, shares=alone(30), pings=silent(), consumers=UNSEEN), HEALTHY, NONE, True, "fetches cannot be seen",
    ),
    "its siblings began little": (look(waiting={}, shares=alone(15), pings=silent()), HEALTHY, NONE, True, "no ping; whether"),
    "only its share tells": (
        look(waiting={}, shares=alone(30), inspected=says(), consumer=None, named=False), HEALTHY, NONE, True, "been quicker",
    ),
    "its share, and no fetch": (
        look(waiting={}, shares=alone(30), inspected=says(), consumer=IDLE), DEAF, RESTART, False, "takes no message",
    ),
    "it has no siblings": (look(waiting={}, shares=alone(99, workers=1)), HEALTHY, NONE, False, ""),
    "of many siblings each begins little": (look(waiting={}, shares=alone(100, workers=40)), HEALTHY, NONE, False, ""),
    "it took itself out": (look(waiting={}, shares=alone(30), inspected=says(())), DEAF, REPAIR, False, "celery no more"),
    # It holds all the work itself
    "it holds a task and was not asked": (look(**holds()), HEALTHY, NONE, True, "cannot tell why: remote control: not asked yet"),
    "it holds a task since a moment": (look(**holds(59)), HEALTHY, NONE, False, ""),
    "it began one since": (look(idle(59), **holds(900)), HEALTHY, NONE, False, ""),
    "it runs one and prefetches": (look(idle(900, active=1), **holds(900)), HEALTHY, NONE, False, ""),
    "another life held it": (look(idle(pid=8), **holds()), HEALTHY, NONE, False, ""),
    "it holds a task in an empty pool": (look(inspected=says(reserved=1, processes=0), **holds()), DEAF, REPAIR, False, "its pool has no processes"),
    "it holds a task, and its pool is there": (
        look(inspected=says(reserved=1, processes=4), **holds()), HEALTHY, NONE, True, "holds 1 messages that it does not begin; cannot tell why",
    ),
    "it holds a task by a rate limit": (look(inspected=says(reserved=1, limited=True, processes=4), **holds()), HEALTHY, NONE, True, "have a rate limit"),
    "it holds none any more": (look(inspected=says(processes=0), **holds()), HEALTHY, NONE, False, ""),
    "it holds a task and consumes no more": (look(inspected=says((), reserved=1, processes=4), **holds()), HEALTHY, NONE, True, "cannot tell why"),
    "it holds a task and does not hear us": (look(pings=silent(), **holds()), HEALTHY, NONE, True, "it answers no ping; it holds tasks"),
    "it holds a task and does not fetch": (
        look(inspected=says(reserved=1, processes=4), consumer=IDLE, **holds()), HEALTHY, NONE, True, "cannot tell why",
    ),
    # Nothing waits, and it does not hear us
    "no ping and no work": (look(waiting={}, pings=silent()), HEALTHY, NONE, True, "whether it takes tasks cannot be told"),
    "a ping is lost": (look(waiting={}, pings=silent("asked 1 times")), HEALTHY, NONE, False, ""),
    # Other verdicts come first
    "it said goodbye": (look(idle(goodbye=(2, NOW), offline_at=NOW - 9), pings=silent()), DRAINING, NONE, False, ""),
}  # fmt: skip


@pytest.mark.parametrize(("found", "verdict", "remedy", "doubt", "note"), CASES.values(), ids=CASES)
def test_the_verdict(found, verdict, remedy, doubt, note):
    """What waits, what it says of itself, and what the broker shows give its verdict and its remedy."""
    assert (found.verdict, found.remedy, found.doubt) == (verdict, remedy, doubt), found.notes
    assert note in "; ".join(found.notes)
    assert not found.suspect


def test_a_deaf_worker_is_online():
    """It beats, and Flower would show nothing wrong."""
    assert look(pings=silent()).status is Status.ONLINE
    assert not look(pings=silent()).well


BY_A_PERSON = {
    "it still runs tasks": (look(idle(900, active=2), pings=silent()), "it still runs 2 tasks"),
    "RabbitMQ tells, it does not": (managed(inspected=silent("no answer")), "it cannot be asked what it consumes"),
    "nobody could ask it": (look(waiting=waits(unacked=0), inspected=silent("no answer")), "whether it still consumes the queue is not known"),
    "it does not hear us, and fetches": (look(pings=silent()), "its connection to the broker fetches"),
    "it does not hear us, and whether it fetches is not seen": (look(pings=silent(), consumers=UNSEEN), "fetches cannot be seen"),
    "its connections have no names, and it has no siblings": (look(inspected=says(), consumer=None, named=False), "the cause may be elsewhere"),
    "nobody's connections are seen": (look(inspected=says(), shares=alone(30), consumers=UNSEEN), "who fetches cannot be seen: it does not answer"),
    "AMQP tells nothing of fetching": (look(inspected=says(), heard=RABBIT), "x-single-active-consumer"),
    "it stands by on RabbitMQ": (look(inspected=says(), heard=RABBIT, shares=alone(30)), "x-single-active-consumer"),
    "it may keep more than is counted": (look(inspected=says(prefetch=5000), consumer=IDLE), "how many messages it keeps for later is not known"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "why"), BY_A_PERSON.values(), ids=BY_A_PERSON)
def test_a_weaker_proof_needs_approval(found, why):
    """A worker that may still do something is not restarted by the keeper alone."""
    assert (found.verdict, found.remedy) == (DEAF, RESTART)
    assert why in found.approval


def test_full_proof_needs_none():
    """Work waits, it answers no ping, it runs nothing."""
    assert look(pings=silent(), consumer=IDLE).approval is None
    assert look(pings=silent(), consumer=None, named=False).approval is None
    assert look(inspected=says(prefetch=8, later=7), consumer=IDLE).approval is None
    assert look(inspected=says(), consumer=None, named=False, shares=alone(30)).approval is None, (
        "its siblings take them"
    )


def test_one_that_works_is_recycled_by_a_person_where_the_broker_does_not_tell():
    """It may be well, and a queue's only consumer may be another on purpose."""
    found = look(idle(900, active=2), inspected=says(), heard=RABBIT)

    assert (found.verdict, found.remedy) == (DEAF, RECYCLE)
    assert "x-single-active-consumer" in found.approval


def test_a_well_worker_whose_messages_are_all_for_later_is_left_alone():
    """`worker_eta_task_limit` is reached: it fetches no more until the first of them is due (Celery 5.6 and later)."""
    both = (idle(), worker(1, active=4))
    these = seen(*both, consumer=IDLE, waiting=waits(), inspected=says(prefetch=8, later=8))

    assert plan_for(these).acts == ()
    assert plan_for(these).incidents == ()


def test_the_log_tells_a_cancelled_queue_where_nobody_can_ask():
    """As in a recording, or while remote control fails."""
    found = look(logged={NODE: Known(Logged(cancelled=("celery",)), NOW)})

    assert (found.verdict, found.remedy) == (DEAF, REPAIR)
    assert ("log", "it canceled the queue celery") in [(one.signal, one.reading) for one in found.evidence]


def test_what_is_owed_is_evidence():
    """With its numbers, so that people can judge for themselves."""
    lines = {one.signal: one.reading for one in look(pings=silent(), waiting=waits(unacked=0)).evidence}

    assert lines["work"] == (
        "3 messages in celery, 0 unacknowledged, not empty for 70 s; it has begun nothing for 70 s and runs nothing"
    )
    lines = {
        one.signal: one.reading for one in look(waiting={}, shares=alone(30), inspected=says(processes=4)).evidence
    }
    assert lines["work"] == (
        "the 2 workers of its queues began 30 tasks since it began its last (by chance: 9e-10); "
        "it has begun nothing for 70 s and runs nothing"
    )
    assert lines["remote control"] == (
        "it consumes celery and holds 0 messages that are not begun; its pool has 4 processes"
    )
    lines = {one.signal: one.reading for one in look(inspected=says(prefetch=8, later=3)).evidence}
    assert lines["remote control"] == (
        "it consumes celery and holds 0 messages that are not begun, and 3 for later, of 8 that it may hold"
    )


def test_what_rabbitmq_tells_of_its_consumers_is_evidence():
    """With what it holds back; where the management API does not answer, with the reason."""
    there = Consumer(1, fetching=True, idle_s=0.0, taking=Taking(("celery",), 20, 4, {"celery": "it has its fill"}))
    lines = {one.signal: one.reading for one in look(consumer=there).evidence}
    assert lines["broker"] == (
        "the connection of its remote control has consumers on celery, so for 20 s; 4 messages unacknowledged; it has its fill"
    )
    fallen = Known(Clients({NODE: but(there, taking=None)}, unread="the management API refuses"), NOW)
    found = diagnose(but(seen(idle(), waiting=waits()), clients=fallen), LIMITS)[0]
    assert [one.reading for one in found.evidence if one.signal == "broker"] == [
        "1 connections, fetching; the management API refuses"
    ]


def test_who_still_runs_tasks_without_a_consumer_is_recycled():
    """What it runs ends first."""
    found = managed(life=idle(900, active=2))

    assert (found.verdict, found.remedy, found.approval) == (DEAF, RemedyKind.RECYCLE, None)


def test_the_longest_wait_counts():
    """A worker of several queues owes the oldest of them."""
    there = {"fresh": Waiting(5, NOW - 40), "celery": Waiting(1, NOW - 70)}
    found = look(waiting=there, inspected=says(("fresh",)))

    assert "it consumes celery no more" in found.notes[0]


def test_of_two_processes_of_one_name_neither_is_judged():
    """Whichever answered, it answered for both."""
    both = (idle(pid=7, born=3600), idle(pid=8, born=1800))
    found = diagnose(seen(*both, instances=[instance()], waiting=waits(), pings=silent()), LIMITS)

    assert [one.verdict for one in found] == [HEALTHY]


def test_without_a_platform_people_are_told():
    """There is nothing that could be restarted."""
    found = diagnose(unmapped(idle(), consumer=FETCHING, waiting=waits(), pings=silent()), LIMITS)[0]

    assert (found.verdict, found.remedy) == (DEAF, ALERT)


def test_one_of_several_in_a_container_is_not_restarted_for_its_own_sake():
    """The others in it work."""
    both = (idle(node=f"w1@{guid()}"), worker(node=f"w2@{guid()}", pid=8))
    ping = {f"w1@{guid()}": Known(value=False, at=NOW)}
    found = diagnose(seen(*both, instances=[instance()], waiting=waits(), pings=ping), LIMITS)

    assert {(one.node, one.verdict, one.remedy) for one in found} == {
        (f"w1@{guid()}", DEAF, ALERT),
        (f"w2@{guid()}", HEALTHY, NONE),
    }


def test_after_an_outage_that_leaves_many_deaf_they_are_restarted_one_at_a_time():
    """All in one look; the next one when the one before is proven."""
    lives = [worker(index, active=0, last_start_at=NOW - 70) for index in range(4)]
    pings = {one.node: Known(value=False, at=NOW) for one in lives}
    these = seen(*lives, consumer=IDLE, waiting=waits(), pings=pings)
    first = plan_for(these)
    journal = after(NOTHING, first)
    held = plan_for(these, journal)

    assert len(first.acts) == 1
    assert held.acts == ()
    single = [one.held_reason for one in journal.incidents if not one.place.of_app and one.held_reason]
    assert single == [HeldReason.BUDGET] * 3
    assert [one.held_reason for one in journal.incidents if one.place.of_app] == [HeldReason.MODE]
    proven = but(journal, remedies=tuple(but(one, state=RemedyState.VERIFIED) for one in journal.remedies))
    proven = but(proven, incidents=tuple(one for one in proven.incidents if one.id != first.acts[0].incident.id))
    later = [one for one in plan_for(these, proven).acts if one.incident.place != first.acts[0].incident.place]
    assert len(later) == 1


def test_the_tasks_that_it_holds_are_evidence():
    found = look(inspected=says(reserved=1, processes=0), **holds(900, 3))
    text = next(one.reading for one in found.evidence if one.signal == "work")

    assert text.startswith(
        "3 tasks received and not begun, the oldest one (shop.pay) 900 s ago; it has begun nothing for 70 s"
    )
