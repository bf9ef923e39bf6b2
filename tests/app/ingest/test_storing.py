"""The observer: what it hears it stores, also when the store is away or slow for a while."""

import pytest

from app.virtual import STORED_S
from celeriac.app import flush, ingest
from celeriac.app.ingest import Observer
from celeriac.core.model import Incarnation
from celeriac.core.snapshot import Stream
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW


def test_what_is_heard_is_stored(stream, watch, history, tasks):
    """Workers and tasks are in the store within a second."""
    stream.say("worker-heartbeat", freq=2.0, processed=4)
    stream.say("task-received", uuid="t1", name="mail")
    watch(1)

    assert [one.key for one in history.incarnations()] == ["celery@a#7"]
    assert [one.name for one in tasks()] == ["mail"]


def test_each_flush_says_until_when_the_observer_has_listened(watch, history, clock):
    """The keeper judges silence by that time, also while nobody speaks."""
    watch(3)
    assert clock() - history.stream().observed_at < 1

    watch(30)
    assert clock() - history.stream().observed_at < 1


def test_what_cannot_be_read_is_counted(stream, watch, history):
    """A malformed message and an unknown event are not lost silently, and harm nothing else."""
    stream.waiting += [b"nonsense", b'[{"type":"worker-heartbeat","hostname":"celery@a","timestamp":1},{}]']
    stream.say("custom-thing")
    watch(1)

    heard = history.stream()
    assert (heard.malformed, heard.unknown_types) == (2, 1)
    assert len(history.incarnations()) == 1


def test_an_event_that_no_store_could_hold_does_not_stop_the_observer(stream, watch, history):
    """One poisoned message is counted, and what follows is stored."""
    stream.say("task-started", uuid="poison", timestamp=1e300)
    stream.say("worker-heartbeat", node="celery@b", pid=10**30)
    stream.say("worker-heartbeat")
    watch(1)

    assert [one.node for one in history.incarnations()] == ["celery@a"]
    assert history.stream().malformed == 2


def test_while_the_store_is_away_what_was_heard_is_kept(stream, watch, shelf, history, tasks):
    """It is stored when the store is back, nothing is missing, and people are told why it was late."""
    watch(1)
    shelf.away = True
    stream.say("task-received", uuid="t1", name="mail")
    watch(2)
    stream.say("task-started", uuid="t1")
    watch(2)
    assert tasks() == []

    shelf.away = False
    watch(6)
    assert [one.state for one in tasks()] == ["STARTED"]
    assert history.stream().dropped == 0
    assert [batch.stream.store_error for batch in shelf.batches].count("the disk is full") > 0
    assert history.stream().store_error is None


def test_a_store_that_is_away_for_long_is_asked_ever_more_rarely(watch, shelf):
    watch(1)
    shelf.away, before = True, len(shelf.batches)
    watch(60)

    assert len(shelf.batches) - before < 25


def test_while_the_store_is_slow_changes_gather(stream, watch, shelf, tasks):
    """The next batch has one row for each task, whatever happened to it meanwhile."""
    watch(1)
    shelf.slow, before = True, len(shelf.batches)
    stream.say("task-received", uuid="t0", name="mail")
    for kind in ("received", "started", "succeeded"):
        stream.say(f"task-{kind}", uuid="t1", name="mail")
        watch(1)
    assert len(shelf.batches) == before + 1

    shelf.slow = False
    watch(2)
    assert {one.uuid: one.state for one in tasks()} == {"t0": "RECEIVED", "t1": "SUCCESS"}
    assert sorted(one.uuid for one in shelf.batches[before + 1].tasks) == ["t0", "t1"]


def test_a_task_that_ends_within_a_moment_is_stored_once(stream, watch, shelf, tasks):
    """One under way waits for the next flush, and no longer."""
    watch(1)
    stream.say("task-received", uuid="short")
    stream.say("task-received", uuid="long")
    watch(0.1)
    stream.say("task-succeeded", uuid="short")
    watch(1)

    stored = [one.uuid for batch in shelf.batches for one in batch.tasks]
    assert sorted(stored) == ["long", "short"]
    assert {one.uuid: one.state for one in tasks()} == {"long": "RECEIVED", "short": "SUCCESS"}


def test_beyond_its_bound_what_cannot_be_stored_is_counted(stream, watch, shelf, observer, history, tasks):
    """Rows that gather stay within their bound; the events that find no room are counted, and told."""
    observer._state.max_tasks = 10
    watch(1)
    shelf.away = True
    stream.say("task-received", uuid="first")
    watch(1)
    for number in range(15):
        stream.say("task-received", uuid=f"t{number}")
    watch(1)
    shelf.away = False
    watch(6)

    assert len(tasks()) == 10
    assert history.stream().dropped == 6
    assert history.stream().lost_at is not None


def test_a_message_is_settled_when_its_rows_are_stored(stream, watch, shelf):
    """Until then the broker keeps it: a batch that is under way or that failed settles nothing."""
    watch(1)
    shelf.slow = True
    stream.say("task-received", uuid="t1")
    watch(1)
    under_way = stream.marked
    settled = list(stream.settled)
    watch(2)
    assert stream.settled == settled

    shelf.slow, shelf.away = False, True
    watch(3)
    assert stream.settled == settled

    shelf.away = False
    watch(6)
    assert stream.settled[len(settled) :]
    assert stream.settled[-1] >= under_way
    assert stream.settled == sorted(stream.settled)


def test_no_event_is_settled_before_its_own_row_is_stored(stream, watch, shelf, clock, tasks):
    """What is folded after a batch was made is not settled with that batch."""
    watch(1)
    for number in range(40):
        stream.say("task-received", uuid=f"t{number}")
        watch(0.3)
        stored = {one.uuid for one in tasks()}
        for mark in stream.settled:
            assert {uuid for uuid, at in stream.said.items() if at <= mark} <= stored


def test_workers_of_an_earlier_observer_are_known_again(stream, shelf, clock, history):
    """One that died while nobody watched must still be missed; one that goes on keeps its age and its beats."""
    gone = Incarnation("celery@gone", 7, NOW - 900, NOW - 100, beats=400, processed=3)
    there = Incarnation("celery@a", 7, NOW - 900, NOW - 100, beats=400, processed=3)
    shelf.record(Batch(Stream(clock()), incarnations=[gone, there]))
    shelf.busy()

    observer = Observer(CLUSTER, stream, shelf, shelf.open(), clock)
    stream.say("worker-heartbeat", active=0, processed=4)
    while clock() < NOW + STORED_S:
        observer.step()

    by_node = {one.node: one for one in history.incarnations()}
    assert by_node["celery@gone"] == gone
    assert (by_node["celery@a"].first_seen_at, by_node["celery@a"].beats) == (NOW - 900, 401)


def test_a_broker_that_cannot_be_told_is_no_fault_of_the_store(stream, watch, history, tasks):
    """What is stored is stored; what is not settled comes again."""
    watch(1)
    stream.unsettling = "Connection reset by peer"
    stream.say("task-received", uuid="t1")
    stream.say("task-succeeded", uuid="t1")
    watch(2)
    heard = history.stream()
    stream.unsettling = None
    watch(20)

    assert (heard.error, heard.store_error, heard.flowing_since) == ("Connection reset by peer", None, None)
    assert [one.state for one in tasks()] == ["SUCCESS"]
    assert (history.stream().error, history.stream().reconnects >= 1) == (None, True)


def test_much_that_waits_is_stored_in_parts(stream, watch, shelf, tasks, monkeypatch):
    """A batch stays so small that also a slow one is stored in time; the broker forgets what is in the last one."""
    monkeypatch.setattr(flush, "BATCH_ROWS", 10)
    watch(1)
    shelf.slow = True
    watch(1)
    for number in range(35):
        stream.say("task-succeeded", uuid=f"t{number}")
    watch(1)
    shelf.slow = False
    while len(tasks()) < 35:
        assert stream.settled[-1] < stream.said["t0"]
        watch(0.1)
    watch(1)

    assert [len(batch.tasks) for batch in shelf.batches if batch.tasks] == [10, 10, 10, 5]
    assert stream.settled[-1] >= stream.said["t34"]


def test_a_broker_that_keeps_its_messages_is_left_alone_while_memory_is_full(
    stream, watch, shelf, observer, history, tasks, monkeypatch
):
    """Nothing is lost: what is not settled comes again when the store takes something."""
    monkeypatch.setattr(ingest, "AT_ONCE", 40)
    observer._state.max_tasks, stream.keeps = 60, True
    watch(1)
    shelf.slow = True
    stream.say("task-received", uuid="first")
    watch(1)
    for number in range(45):
        stream.say("task-received", uuid=f"t{number}")
        watch(0.2)
    assert len(stream.waiting) > 15
    assert observer._seen.error.startswith("memory is full")

    shelf.slow = False
    watch(15)
    assert len(tasks()) == 46
    assert (history.stream().dropped, history.stream().error) == (0, None)


def test_what_waits_is_bounded_in_bytes_too(stream, watch, shelf, history, tasks, monkeypatch):
    """Rows may be long: when they take too much room, events of further tasks are counted as dropped."""
    monkeypatch.setattr(ingest, "MOST_BYTES", 2000)
    watch(1)
    shelf.slow = True
    watch(1)
    stream.say("task-received", uuid="long", args="x" * 3000)
    watch(1)
    stream.say("task-received", uuid="no-room")
    stream.say("task-succeeded", uuid="long")
    watch(1)
    shelf.slow = False
    watch(2)
    stream.say("task-received", uuid="room")
    watch(2)

    assert {one.uuid for one in tasks()} == {"long", "room"}
    assert history.stream().dropped == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_losses_are_remembered_by_the_next_observer(stream, shelf, watch, observer, clock, history, keeps):
    """And where the broker keeps nothing, what came between the two was heard by nobody."""
    stream.keeps = keeps
    stream.waiting.append(b"nonsense")
    stream.say("task-received", uuid="t1")
    watch(5)
    before = history.stream()
    clock.pass_(300)

    shelf = type(shelf)(history)
    observer = Observer(CLUSTER, stream, shelf, shelf.open(), clock)
    begun = clock()
    while clock() < begun + 5:
        observer.step()

    after = history.stream()
    assert (after.malformed, after.events, after.task_events, after.rows) == (1, 1, 1, 1)
    assert (before.gaps, after.gaps) == (0, 0 if keeps else 1)
    assert after.lost_at == before.lost_at if keeps else after.lost_at == begun
    assert after.flowing_since >= begun
