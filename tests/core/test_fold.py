"""Folding events into incarnations and task rows, and what is bounded there."""

import pytest

from celeriac.core.events import Event
from celeriac.core.fold import ClusterState
from celeriac.core.model import Incarnation

NODE = "celery@a"
T0 = 1_790_000_000.0


def event(kind, at=0.0, *, host=NODE, pid=7, **fields) -> Event:
    """Return an event; like Celery's own, its logical clock goes on and each worker's heartbeat says what is active."""
    if kind == "worker-heartbeat":
        fields.setdefault("active", 0)
    fields.setdefault("clock", int(1000 + 10 * at))
    return Event(type=kind, hostname=host, timestamp=T0 + at, pid=pid, **fields)


def task_event(kind, at=0.0, *, uuid="t1", **fields) -> Event:
    return event(f"task-{kind}", at, uuid=uuid, **fields)


def folded(*events, state=None, lag=0.0) -> ClusterState:
    """Fold events that arrive in this order, each `lag` seconds after it was sent."""
    state = state or ClusterState()
    for one in events:
        state.fold([one], one.timestamp + lag)
    return state


def life(*events, lag=0.0) -> Incarnation:
    return folded(*events, lag=lag).incarnations[NODE, 7]


# Workers -------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_tells_of_its_worker():
    """A heartbeat's fields are kept, with the time of its receipt."""
    one = life(
        event("worker-online", 0, clock=10, freq=2.0, sw_ident="py-celery", sw_ver="5.7.0"),
        event("worker-heartbeat", 2, freq=3.0, active=1, processed=9, clock=12),
        lag=0.5,
    )

    assert (one.freq, one.active, one.processed, one.beats) == (3.0, 1, 9, 1)
    assert (one.first_seen_at, one.last_seen_at, one.last_heartbeat_at) == (T0 + 0.5, T0 + 2.5, T0 + 2.5)
    assert (one.software, one.sent) == ("py-celery 5.7.0", (12, T0 + 2))


def test_the_answer_to_a_control_heartbeat_takes_nothing_away():
    """A heartbeat that remote control asked for carries neither active nor processed: what is known stays."""
    one = life(event("worker-heartbeat", 0, active=1, processed=9), event("worker-heartbeat", 1, active=None))

    assert (one.active, one.processed, one.last_seen_at) == (1, 9, T0 + 1)
    assert one.beats == 1, "an answer to a broadcast is no habit of beating"


def test_heartbeats_out_of_order_do_not_turn_counters_back():
    """A late heartbeat counts as heard, and its older counters are ignored: that is no new life."""
    state = folded(event("worker-heartbeat", 4, processed=9), event("worker-heartbeat", 2, processed=7, freq=8.0))

    one = state.incarnations[NODE, 7]
    assert (one.processed, one.freq, one.beats) == (9, 2.0, 2)


def test_a_reconnect_is_no_new_life():
    """After a broker outage a worker comes online again with a counter that goes on."""
    one = life(
        event("worker-heartbeat", 0, processed=9),
        event("worker-online", 20, processed=9),
        event("worker-heartbeat", 22, processed=10),
    )

    assert (one.first_seen_at, one.beats) == (T0, 2)


def test_a_counter_that_falls_is_a_new_life():
    """A worker that came back under the same name and pid counts from the beginning: its beats count anew."""
    one = life(event("worker-heartbeat", 0, processed=9), event("worker-heartbeat", 20, processed=1))

    assert (one.first_seen_at, one.beats) == (T0 + 20, 1)


def test_coming_online_with_nothing_done_is_a_new_life():
    """A worker that beat before and comes online with nothing done has been started again."""
    one = life(
        event("worker-heartbeat", 0, processed=0),
        event("worker-online", 20, processed=0),
    )

    assert (one.first_seen_at, one.beats) == (T0 + 20, 0)


def test_a_clock_that_steps_back_is_no_new_life():
    """The wall clock of a worker may be set back by an hour; its logical clock goes on."""
    one = life(
        event("worker-heartbeat", 3600, processed=9, clock=500),
        event("worker-heartbeat", 2, processed=10, clock=510),
    )

    assert (one.first_seen_at, one.processed, one.beats, one.offline) == (T0 + 2, 10, 2, False)


def test_coming_online_with_a_younger_logical_clock_is_a_new_life():
    """A new process counts its logical clock from the beginning."""
    one = life(
        event("worker-heartbeat", 0, processed=None, clock=500),
        event("worker-online", 20, processed=3, clock=4),
    )

    assert one.first_seen_at == T0 + 20


@pytest.mark.parametrize("goodbye", [True, False])
def test_a_younger_logical_clock_at_a_later_time_is_a_new_life(goodbye):
    """A restart that nobody heard of, under the same node name and pid: its beats must not count as late ones."""
    before = [event("worker-heartbeat", at, processed=500, clock=1000 + at) for at in (0, 2, 4)]
    said = [event("worker-offline", 6, processed=500, clock=1010)] if goodbye else []
    after = [event("worker-heartbeat", at, processed=at - 60, active=1, clock=at - 55) for at in (60, 62, 64)]
    one = life(*before, *said, *after)

    assert (one.offline, one.processed, one.active, one.beats) == (False, 4, 1, 3)
    assert one.first_seen_at == T0 + 60


def test_a_word_that_comes_twice_is_no_new_life():
    """RabbitMQ delivers again what was not settled."""
    online = event("worker-online", 0, processed=0, clock=1)
    beats = [event("worker-heartbeat", at, processed=at, clock=10 + at) for at in (2, 4, 6)]
    state = folded(online, *beats)
    state.fold([online, *beats], T0 + 8)

    one = state.incarnations[NODE, 7]
    assert (one.first_seen_at, one.processed, one.beats) == (T0, 6, 6)


def test_another_pid_is_another_incarnation():
    """Node name and pid together name a life."""
    state = folded(event("worker-heartbeat", 0), event("worker-heartbeat", 1, pid=8))

    assert set(state.incarnations) == {(NODE, 7), (NODE, 8)}
    assert state.incarnations[NODE, 7].key == f"{NODE}#7"


def test_goodbye_means_draining_while_it_is_the_newest_word():
    """`worker-offline` is sent when a warm shutdown begins; task events that follow do not undo it."""
    one = life(
        event("worker-heartbeat", 0),
        event("worker-offline", 2),
        task_event("succeeded", 9, result="1"),
    )

    assert (one.offline, one.offline_at, one.goodbye) == (True, T0 + 2, (1020, T0 + 2))


@pytest.mark.parametrize("back", ["worker-online", "worker-heartbeat"])
def test_a_stale_goodbye_after_a_broker_outage_is_no_goodbye(back):
    """Written when the connection broke, and delivered after the outage just before the worker is back."""
    state = folded(event("worker-heartbeat", 0, processed=3))
    state.fold([event("worker-offline", 1, processed=3)], T0 + 12.9)
    state.fold([event(back, 12.95, processed=3)], T0 + 13)

    assert not state.incarnations[NODE, 7].offline


def test_a_stale_goodbye_that_arrives_after_the_return_is_no_goodbye():
    """The order of arrival does not matter: the worker's own clock says which came last."""
    state = folded(event("worker-online", 12.95, processed=3))
    state.fold([event("worker-offline", 1, processed=3)], T0 + 13)

    assert not state.incarnations[NODE, 7].offline


def test_producers_are_no_workers():
    """Whoever sends a task has a name like a node's, and is none."""
    assert folded(task_event("sent", host="gen123@web")).incarnations == {}


def test_a_tasks_own_events_make_no_worker():
    """`self.send_event("task-progress")` carries the pid of a pool's child: that is no second main process."""
    state = folded(event("worker-heartbeat", 0), task_event("progress", 1, pid=8))

    assert set(state.incarnations) == {(NODE, 7)}
    assert state.unknown_types == 1


def test_a_worker_without_heartbeats_is_known_by_its_tasks():
    """With --without-heartbeat a worker speaks through its tasks alone."""
    one = life(task_event("received", 1), task_event("started", 3))

    assert (one.beats, one.last_heartbeat_at, one.last_task_at, one.last_seen_at) == (0, None, T0 + 3, T0 + 3)


def test_events_that_nobody_knows_are_counted():
    """A plugin's own event is no fault, and is not lost silently."""
    assert folded(event("custom-thing"), task_event("progress")).unknown_types == 2


def test_our_own_echoes_are_given_back():
    """They are neither workers nor tasks, nor unknown."""
    state, echo = ClusterState(), event("celeriac-echo", 1)
    heard = event("worker-heartbeat", 1)

    assert state.fold([heard, echo, event("task-started", 2, uuid="t"), echo], T0 + 3) == [echo, echo]
    assert (set(state.incarnations), state.unknown_types) == ({(NODE, 7)}, 0)


def test_events_are_counted_by_whom_they_come_from():
    """Of the events of tasks, those of producers tell whether anybody says what he sends."""
    state = folded(
        task_event("sent", 1), task_event("received", 2), task_event("started", 3), event("worker-heartbeat", 4)
    )

    assert (state.task_events, state.sent_events) == (3, 1)


def test_many_events_at_once_are_as_many_one_by_one():
    """However the reader slices the stream, the workers are the same."""
    events = [
        task_event("received", 1),
        event("worker-heartbeat", 2, processed=0),
        task_event("started", 3),
        task_event("received", 3, uuid="t2", pid=8),
        task_event("started", 4, uuid="t2", pid=8),
        event("worker-online", 5, processed=0),
        task_event("succeeded", 6),
        event("worker-offline", 7),
    ]
    at_once, one_by_one = ClusterState(), ClusterState()
    at_once.fold(events, T0 + 10)
    for one in events:
        one_by_one.fold([one], T0 + 10)

    assert at_once.incarnations == one_by_one.incarnations
    assert at_once.changes() == one_by_one.changes()
    assert {key: one.started for key, one in at_once.incarnations.items()} == {(NODE, 7): 0, (NODE, 8): 1}


# Changes and bounds --------------------------------------------------------------------------------------------------


def test_what_changed_is_handed_over_once():
    """`changes` gives each changed row once; of the workers it gives copies that later events do not touch."""
    state = folded(task_event("received", 1), task_event("received", 2))
    assert state.changed == 1

    tasks, workers = state.changes()
    assert ([one.uuid for one in tasks], [one.key for one in workers]) == (["t1"], [f"{NODE}#7"])
    assert (state.changes(), state.changed) == (([], []), 0)

    folded(task_event("started", 3), state=state)
    assert (state.changed, workers[0].last_seen_at) == (1, T0 + 2)
    assert [one.state for one in state.changes()[0]] == ["STARTED"]


def test_finished_tasks_leave_memory_when_they_are_taken():
    """The store is the history: only unfinished tasks stay."""
    state = folded(task_event("received", uuid="open"), task_event("failed", uuid="done", exception="x"))
    state.changes()

    assert set(state.tasks) == {"open"}


def test_restored_workers_are_known_again():
    """What an earlier observer has stored is taken up, so that one that died meanwhile is missed."""
    state = ClusterState()
    state.restore([Incarnation(NODE, 7, T0, T0 + 5, beats=3, processed=9)], T0 + 10)
    folded(event("worker-heartbeat", 20, processed=10), state=state)

    one = state.incarnations[NODE, 7]
    assert (one.first_seen_at, one.beats) == (T0, 4)


def test_a_restored_worker_was_not_heard_in_the_future():
    """An earlier observer's clock may have been ahead: a worker that died meanwhile must not seem to speak."""
    state = ClusterState()
    state.restore([Incarnation(NODE, 7, T0, T0 + 5000)], T0 + 10)

    assert state.incarnations[NODE, 7].last_seen_at == T0 + 10


def test_what_is_under_way_is_due_with_the_next_flush():
    """Most tasks end within a moment, and are one row then; one that does not end waits for one flush and no longer."""
    state = folded(task_event("received", 1), task_event("received", 1, uuid="t2"), task_event("failed", 1, uuid="t3"))
    first, _ = state.due()
    folded(task_event("succeeded", 2), task_event("received", 2, uuid="t4"), state=state)
    waiting = state.changed
    second, _ = state.due()
    third, _ = state.due()

    assert [one.uuid for one in first] == ["t3"]
    assert waiting == 3
    assert [(one.uuid, one.state) for one in second] == [("t1", "SUCCESS"), ("t2", "RECEIVED")]
    assert [one.uuid for one in third] == ["t4"]
    assert (state.due(), state.changed, set(state.tasks)) == (([], []), 0, {"t2", "t4"})


def test_what_is_not_yet_due_is_bounded_too():
    state = ClusterState(max_tasks=10)
    for number in range(8):
        folded(task_event("received", number, uuid=f"t{number}"), state=state)
    state.due()
    for number in range(8, 16):
        folded(task_event("received", number, uuid=f"t{number}"), state=state)

    assert (state.changed, state.dropped) == (10, 6)


def test_a_finished_task_that_speaks_again_is_a_row_of_what_is_new():
    """The store has the rest, and merges the two."""
    state = folded(task_event("received", 1), task_event("succeeded", 2, result="1"))
    state.changes()
    folded(task_event("started", 1.5), state=state)

    (late,), _ = state.changes()
    assert (late.state, late.received_at, late.started_at) == ("STARTED", None, T0 + 1.5)


def test_when_memory_is_full_the_oldest_unfinished_tasks_go():
    """They live on in the store; the newest stay in memory."""
    state = ClusterState(max_tasks=10)
    for number in range(25):
        folded(task_event("received", number, uuid=f"t{number}"), state=state)
        state.changes()

    assert 9 <= len(state.tasks) <= 10
    assert "t24" in state.tasks
    assert state.dropped == 0


def test_when_nobody_takes_the_changes_events_of_further_tasks_are_counted_as_dropped():
    """The store is away for long: memory stays bounded, and every loss is counted."""
    state = ClusterState(max_tasks=10)
    for number in range(25):
        folded(task_event("received", number, uuid=f"t{number}"), state=state)
    folded(task_event("started", 30, uuid="t3"), state=state)

    tasks, _ = state.changes()
    assert (len(tasks), state.dropped) == (10, 15)
    assert next(one for one in tasks if one.uuid == "t3").state == "STARTED"


def test_when_there_are_too_many_workers_the_longest_silent_is_forgotten():
    """Names that never come back cannot fill the memory."""
    state = ClusterState(max_workers=3)
    for number in range(6):
        folded(event("worker-heartbeat", number, host=f"celery@{number}"), state=state)

    assert {node for node, _ in state.incarnations} == {"celery@3", "celery@4", "celery@5"}


def test_forgotten_workers_do_not_wait_for_the_store():
    """While it is away, ever new names fill nothing."""
    state = ClusterState(max_workers=50)
    for number in range(1000):
        folded(event("worker-heartbeat", number, host=f"celery@{number}"), state=state)

    _, workers = state.changes()
    assert len(state.incarnations) <= 50
    assert {(one.node, one.pid) for one in workers} == set(state.incarnations)
