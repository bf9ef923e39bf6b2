"""What becomes of tasks that were in flight when a worker died: example by example, then as laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from celeriac.core import casualties
from celeriac.core.casualties import GRACE_S, NAMED_AT_MOST, SETTLED_S, Fate, Whereabouts
from celeriac.core.fates import RETURNS_S, WATCHED_S, Sight, looked
from celeriac.core.tasks import FINAL, STATES, Former, Task
from core.builders import CLUSTER, NOW, stream, worker

DEAD = worker(silent=10, node="w@a", pid=7)
DIED = DEAD.last_seen_at
OTHER = worker(1, node="w@b", pid=8)
UNSEEN = Whereabouts(unknown="RabbitMQ shows no message")


def task(uuid="t1", state="STARTED", *, node="w@a", pid=7, at=DIED - 1, former=None, **fields) -> Task:
    return Task(uuid, state, "work", node, first_at=at, state_at=at, pid=pid, former=former, **fields)


def record(*found: Task, ended=NOW):
    one = casualties.casualties("incident", CLUSTER, DEAD, ended)
    return casualties.named(one, found, len(found))


def sight(*rows: Task, at=NOW, where=Whereabouts(), heard=None, lives=(DEAD, OTHER), **fields) -> Sight:  # noqa: B008
    heard = stream(now=at) if heard is None else heard
    by_life = {(one.node, one.pid): one for one in lives}
    return Sight(at, {one.uuid: one for one in rows}, where, heard, by_life, **fields)


def fate(one: Task, *sights: Sight, was: Task | None = None):
    """Return what becomes of a task that was as `was` at first, after these looks."""
    known = record(was or one)
    for each in sights:
        known = looked(known, each)
    (found,) = known.tasks
    return found


def twice(one: Task, **fields) -> tuple[Sight, Sight]:
    return sight(one, **fields), sight(one, **{"at": NOW + 6, **fields})


# Which tasks are named


def test_what_was_received_or_started_there_is_in_flight():
    found = record(task("t1", "STARTED"), task("t2", "RECEIVED"))

    assert [(one.uuid, one.state) for one in found.tasks] == [("t1", "STARTED"), ("t2", "RECEIVED")]


def test_what_ended_there_or_runs_elsewhere_or_in_another_life_is_not():
    ended = [task(state, state) for state in sorted(FINAL | {"RETRY"})]

    assert not record(*ended, task("t1", node="w@b"), task("t2", pid=9), task("t3", "PENDING")).tasks


def test_what_another_has_received_since_is_named_as_it_was_left():
    found = record(task(node="w@b", pid=8, at=NOW, former=Former(DIED, "RECEIVED", "w@a", 7)))

    assert [(one.uuid, one.state, one.at) for one in found.tasks] == [("t1", "RECEIVED", DIED)]


def test_what_was_retried_there_before_another_received_it_is_not_named():
    assert not record(task(node="w@b", pid=8, former=Former(DIED, "RETRY", "w@a", 7))).tasks


def test_what_history_shows_late_is_added_once():
    one = casualties.named(record(task("t1")), [task("t1"), task("t2")], 2)

    assert [each.uuid for each in one.tasks] == ["t1", "t2"]
    assert one.more == 0


def test_of_very_many_some_are_named_and_all_are_counted():
    many = [task(f"t{number}") for number in range(NAMED_AT_MOST)]
    one = casualties.casualties("incident", CLUSTER, DEAD, NOW)

    for _ in range(2):
        one = casualties.named(one, many, NAMED_AT_MOST + 500)

    assert (len(one.tasks), one.more) == (NAMED_AT_MOST, 500)


# What becomes of one


def test_what_is_in_unacked_comes_back():
    where = Whereabouts(unacked=frozenset(["t1"]))

    assert fate(task(), sight(task(), where=where)).fate is Fate.UNACKED


def test_what_is_in_a_queue_waits_there():
    found = fate(task(), sight(task(), where=Whereabouts(queued={"t1": "orders"})))

    assert (found.fate, found.why) == (Fate.QUEUED, "waits in orders")


def test_what_has_a_result_had_ended_though_nobody_heard_it():
    found = fate(task(), sight(task(), ended=frozenset(["t1"])))

    assert (found.fate, found.why) == (Fate.FINISHED, "its result is stored, though its end was not heard")


def test_what_has_a_result_and_is_not_acknowledged_runs_again():
    where = Whereabouts(unacked=frozenset(["t1"]))
    found = fate(task(), sight(task(), where=where, ended=frozenset(["t1"])))

    assert (found.fate, found.why) == (
        Fate.FINISHED,
        "its result is stored; its message is not acknowledged, so it comes back and runs again",
    )


def test_what_had_ended_stays_so_though_it_is_not_asked_for_again():
    assert fate(task(), sight(task(), ended=frozenset(["t1"])), *twice(task(), at=NOW + 12)).fate is Fate.FINISHED


def test_that_it_is_received_again_is_told_all_the_same():
    again = task(node="w@b", pid=8, state="STARTED", at=NOW, former=Former(DIED, "STARTED", "w@a", 7))
    found = fate(again, sight(task(), ended=frozenset(["t1"])), sight(again, at=NOW + 6), was=task())

    assert found.fate is Fate.REDELIVERED


def test_a_result_backend_that_cannot_be_asked_is_a_doubt():
    known = looked(record(task()), sight(task(), unasked="away"))

    assert "whether they have ended is not known: away" in known.doubts


def test_what_another_life_has_received_is_redelivered():
    now = task(node="w@b", pid=8, state="SUCCESS", at=NOW, former=Former(DIED, "RECEIVED", "w@a", 7))
    found = fate(now, sight(now), was=task(state="RECEIVED"))

    assert (found.fate, found.why) == (Fate.REDELIVERED, "SUCCESS at w@b")


def test_an_earlier_holder_that_is_dead_too_has_not_received_it_since():
    """Its clock was ahead, so its word seems to be the newest."""
    gone = worker(1, silent=300, node="w@b", pid=8)
    now = task(node="w@b", pid=8, at=NOW, former=Former(DIED, "RECEIVED", "w@a", 7))
    where = Whereabouts(unacked=frozenset(["t1"]))

    assert fate(now, sight(now, where=where, lives=(DEAD, gone))).fate is Fate.UNACKED


def test_an_end_that_is_heard_late_counts():
    assert fate(task(), sight(task(state="SUCCESS")), was=task()).fate is Fate.FINISHED
    assert fate(task(), sight(task(state="RETRY")), was=task()).fate is Fate.FINISHED


def test_what_nobody_has_at_two_looks_is_lost():
    first, second = twice(task())

    assert fate(task(), first).fate is Fate.AWAITED
    assert fate(task(), first, second).fate is Fate.LOST
    assert "acknowledged at its start" in fate(task(), first, second).why


@pytest.mark.parametrize("there", [Whereabouts(queued={"t1": "orders"}), Whereabouts(unacked=frozenset({"t1"}))])
def test_what_was_there_to_be_taken_and_is_gone_is_never_called_lost(there):
    """A worker may have taken it of which no event tells."""
    first, second = twice(task())
    found = fate(task(), first, sight(task(), where=there), first, second)

    assert found.fate is Fate.UNSURE
    assert "ran unheard" in found.why


def test_a_life_born_since_that_began_more_than_it_told_of_may_have_it():
    """RabbitMQ gives the task back at once; the new life has it before its task events are on."""
    born = replace(OTHER, hello=(5, NOW), first_seen_at=NOW + 1, last_seen_at=NOW + 4, processed=1, started=0)
    told, old = replace(born, started=1), replace(born, first_seen_at=NOW - 900, processed=5000, started=10)
    looks = [twice(task(), lives=(DEAD, life)) for life in (born, told, old)]

    assert [fate(task(), *each).fate for each in looks] == [Fate.UNSURE, Fate.LOST, Fate.LOST]


def test_a_broker_that_shows_no_messages_proves_nothing_lost():
    late = sight(task(), where=UNSEEN, at=NOW + WATCHED_S)

    assert fate(task(), *twice(task(), where=UNSEEN)).fate is Fate.AWAITED
    assert fate(task(), *twice(task(), where=UNSEEN), late).fate is Fate.UNSURE


def test_with_empty_queues_what_had_started_and_came_to_nobody_is_lost():
    looks = twice(task(), where=UNSEEN, drained=True)

    assert fate(task(), *looks).fate is Fate.LOST


def test_with_empty_queues_what_had_not_started_is_never_called_lost():
    one = task(state="RECEIVED")

    assert fate(one, *twice(one, where=UNSEEN, drained=True)).fate is Fate.AWAITED


def test_while_events_were_lost_nothing_is():
    found = fate(task(), *twice(task(), heard=stream(lost_at=NOW - 2)))

    assert found.fate is Fate.UNSURE
    assert "events were lost" in found.why


def test_events_that_were_lost_before_it_began_do_not_matter():
    assert fate(task(), *twice(task(), heard=stream(lost_at=DIED - 60, now=NOW + 6))).fate is Fate.LOST


def test_while_another_worker_sends_no_task_events_nothing_is_lost():
    looks = twice(task(), lives=(DEAD, replace(OTHER, mute=True)))

    assert "w@b has not sent events of all its tasks" in fate(task(), *looks).why


def test_while_our_echo_has_not_come_back_since_nothing_is_lost():
    looks = twice(task(), heard=stream(echo=20))

    assert fate(task(), *looks).fate is Fate.AWAITED


def test_a_worker_that_speaks_again_has_lost_nothing():
    alive = replace(DEAD, last_seen_at=NOW + SETTLED_S + 1)

    assert fate(task(), *twice(task(), lives=(alive,))).fate is Fate.UNSURE


# What an open read took along


def sent(uuid="s1", *, at=DIED + 1, state="PENDING", queue="celery", **fields) -> Task:
    return Task(uuid, state, "work", None, queue, at, at, **fields)


def frozen(*looks, tasks=None):
    tasks = [sent()] if tasks is None else tasks
    known = casualties.casualties("incident", CLUSTER, DEAD, NOW, ("celery",))
    for each in looks:
        known = looked(known, each, tasks)
    assert all("open read" in one.why for one in known.tasks)
    return [(one.uuid, one.fate) for one in known.tasks]


def test_what_was_sent_as_it_froze_and_is_nowhere_at_two_looks_was_taken_along():
    first, second = twice(sent())

    assert frozen(first) == []
    assert frozen(first, second) == [("s1", Fate.LOST)]
    assert frozen(first, second, sight(sent(), at=NOW + 12)) == [("s1", Fate.LOST)]


@pytest.mark.parametrize(
    "fields",
    [
        {"where": Whereabouts(queued={"s1": "celery"})},
        {"where": Whereabouts(unacked=frozenset(["s1"]))},
        {"where": Whereabouts(unknown="not all were looked at")},
        {"heard": stream(lost_at=NOW - 1)},
        {"heard": stream(echo=20)},
        {"lives": (DEAD, replace(OTHER, mute=True))},
    ],
)
def test_it_is_not_told_of_what_may_be_somewhere(fields):
    assert frozen(*twice(sent(), **fields)) == []


def test_it_is_not_told_of_one_that_was_received_or_sent_elsewhere_or_at_another_time():
    for one in (task("s1", "RECEIVED", node="w@b", pid=8), sent(queue="other"), sent(at=DIED - 9), sent(at=DIED + 30)):
        assert frozen(*twice(one), tasks=(one,)) == []


def test_of_several_that_are_nowhere_none_is_told():
    both = (sent("s1"), sent("s2"))

    assert frozen(*(sight(*both, at=at) for at in (NOW, NOW + 6)), tasks=both) == []


def test_what_was_taken_along_and_is_received_after_all_is_redelivered():
    """Somebody has sent it again under its id."""
    known = casualties.casualties("incident", CLUSTER, DEAD, NOW, ("celery",))
    again = task("s1", "SUCCESS", node="w@b", pid=8, at=NOW)
    for each in (*twice(sent()), sight(again, at=NOW + 12)):
        known = looked(known, each, (sent(),))

    assert [one.fate for one in known.tasks] == [Fate.REDELIVERED]


# When it is looked at


def test_it_waits_until_the_last_words_are_stored_then_looks_often_then_rarely_then_no_more():
    one = replace(record(task()), ended_at=DIED)

    assert not one.due(DIED + 1)
    assert one.due(DIED + SETTLED_S)
    one = looked(one, sight(task(), at=DIED + 4, where=Whereabouts(unacked=frozenset(["t1"]))))
    assert not one.due(DIED + 6)
    assert one.due(DIED + 9)
    one = replace(one, looked_at=DIED + GRACE_S)
    assert not one.due(DIED + GRACE_S + 9)
    one = looked(one, sight(task(), at=DIED + RETURNS_S, where=Whereabouts(unacked=frozenset(["t1"]))))
    assert one.closed
    assert not one.due(DIED + 2 * RETURNS_S)


def test_it_is_closed_when_all_is_known_and_late_events_have_had_their_time():
    early = looked(record(task()), sight(task(state="SUCCESS")))
    late = looked(record(task()), sight(task(state="SUCCESS"), at=NOW + GRACE_S))

    assert (early.closed, late.closed) == (False, True)


# What is said of it


def test_the_story_tells_the_number_of_each_fate():
    tasks = [task("t1"), task("t2"), task("t3", "RECEIVED")]
    known = record(*tasks)
    for at in (NOW, NOW + 6):
        known = looked(known, sight(*tasks, at=at, where=Whereabouts(unacked=frozenset(["t3"]))))

    assert casualties.summary(known) == "3 tasks were in flight on w@a: 2 lost, 1 in unacked"
    assert casualties.counts([known]) == {"lost": 2, "in unacked": 1}


def test_a_loss_of_events_within_its_life_is_said():
    heard = stream(lost_at=DEAD.first_seen_at + 1)
    known = looked(record(), sight(heard=heard))

    assert casualties.summary(known).startswith("no task was in flight on w@a; events were lost within its life")


def test_task_events_that_were_off_are_said():
    mute = replace(DEAD, mute=True, missed=3)
    known = looked(record(), sight(lives=(mute,)))

    assert known.doubts == (
        "its task events are off: what it ran is not known",
        "3 tasks that it began were never heard of",
    )


# Laws

PLACES = st.sampled_from(["unacked", "queue", "nowhere"])
LIVES = st.sampled_from([("w@a", 7), ("w@b", 8), ("w@a", 9)])


@st.composite
def looks(draw) -> list[Sight]:
    """Draw some looks at one task, each as any cluster may be."""
    found, at = [], NOW
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.sampled_from([5.0, 60.0, 700.0]))
        node, pid = draw(LIVES)
        row = task(state=draw(st.sampled_from(sorted(set(STATES.values()) - {"PENDING"}))), node=node, pid=pid)
        place = draw(PLACES)
        where = Whereabouts(
            frozenset(["t1"] if place == "unacked" else []),
            {"t1": "orders"} if place == "queue" else {},
            draw(st.sampled_from([None, "not all were looked at"])),
        )
        heard = draw(st.sampled_from([stream(now=at), stream(now=at, lost_at=NOW), stream(now=at, echo=900.0), None]))
        lives = {("w@a", 7): DEAD, ("w@b", 8): replace(OTHER, last_seen_at=at, mute=draw(st.booleans()))}
        found.append(Sight(at, {"t1": row}, where, heard, lives, drained=draw(st.booleans())))
    return found


@given(looks())
def test_no_task_is_called_lost_that_somebody_has_or_may_have(sights):
    known = record(task())
    for each in sights:
        known = looked(known, each)
        (one,) = known.tasks
        if one.fate is Fate.LOST:
            assert one.uuid not in {*each.where.unacked, *each.where.queued}
            assert (each.rows["t1"].worker, each.rows["t1"].pid) == ("w@a", 7)
            assert each.rows["t1"].state in casualties.UNDER_WAY
            assert each.stream is not None
            assert each.stream.lost_at is None
            assert each.where.unknown is None or each.drained
            assert not any(life.mute for life in each.lives.values())


@given(looks())
def test_every_task_that_was_named_stays_named_with_a_reason(sights):
    known = record(task())
    for each in sights:
        known = looked(known, each)
        assert [one.uuid for one in known.tasks] == ["t1"]
        assert known.tasks[0].why
