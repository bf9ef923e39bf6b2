"""The observer: what it hears it stores, and it knows when it cannot hear."""

import threading
from itertools import pairwise

import pytest

import harness
from app.virtual import MemoryStream
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.ingest import Observer
from celeriac.core.diagnose import blindness
from celeriac.core.errors import UnreachableError
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation
from celeriac.core.redact import Redaction
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.ports import Batch, Opening
from core.builders import CLUSTER, NOW, seen

EXTRA = 1.0
"""Seconds after which what was heard is surely stored."""


class Shelf:
    """A `Recorder` on a real history; while `away` nothing is stored, while `slow` nothing is stored yet."""

    def __init__(self, history) -> None:
        self._recorder = SqlRecorder(history._database, Redaction())
        self._batch: Batch | None = None
        self._rows = 0
        self.away = self.slow = False
        self.batches: list[Batch] = []
        self.closed = 0

    def open(self) -> Opening:
        return self._recorder.opening()

    def record(self, batch: Batch) -> None:
        assert self._batch is None, "one batch at a time"
        self._batch = batch
        self.batches.append(batch)

    def busy(self, within: float = 0.0) -> bool:
        if self._batch is None or self.slow:
            return self._batch is not None
        batch, self._batch = self._batch, None
        if self.away:
            message = "the disk is full"
            raise UnreachableError(message)
        self._rows += self._recorder.record(batch)
        return False

    def written(self) -> int:
        return self._rows

    def close(self) -> None:
        self.busy()
        self.closed += 1


@pytest.fixture
def stream(clock):
    return MemoryStream(clock)


@pytest.fixture
def shelf(history):
    return Shelf(history)


@pytest.fixture
def observer(stream, shelf, clock):
    return Observer(CLUSTER, stream, shelf, shelf.open(), clock)


@pytest.fixture
def tasks(store):
    """Return the stored tasks, newest first."""
    return lambda: [row.task for row in store.tasks(CLUSTER).find(TaskFilter(limit=1000)).rows]


@pytest.fixture
def watch(observer, clock, stream):
    """Let the observer work for so many seconds; while the broker is away it waits as `run` does."""

    def work(seconds: float) -> None:
        until = clock() + seconds
        while clock() < until:
            if not observer.step():
                clock.pass_(0.2)

    return work


def blind(history) -> str | None:
    """Return why the keeper would be blind, by the observer's last word."""
    return blindness(seen(heard=history.stream()), Limits())


# Storing -------------------------------------------------------------------------------------------------------------


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
    while clock() < NOW + EXTRA:
        observer.step()

    by_node = {one.node: one for one in history.incarnations()}
    assert by_node["celery@gone"] == gone
    assert (by_node["celery@a"].first_seen_at, by_node["celery@a"].beats) == (NOW - 900, 401)


def test_how_late_events_come_is_told(stream, watch, history, clock):
    """Our own event takes as long through broker and reader as everybody's."""
    watch(5)
    assert history.stream().lag_s == pytest.approx(0.1, abs=0.2)
    last = history.stream().last_event_at
    stream.say("worker-heartbeat")
    watch(1)

    assert last is None
    assert history.stream().last_event_at == pytest.approx(clock(), abs=1.5)


# Hearing -------------------------------------------------------------------------------------------------------------


def test_the_flow_begins_with_the_first_echo(watch, history, clock):
    """Before our own event has come back, silence says nothing."""
    assert history.stream() is None
    watch(EXTRA)
    first = history.stream()
    assert first.flowing_since is None or first.flowing_since > NOW

    watch(5)
    assert blind(history) is None
    assert NOW < history.stream().flowing_since < NOW + 1


def test_the_flow_goes_on_while_echoes_come(watch, history):
    """Its beginning stays where it was."""
    watch(5)
    since = history.stream().flowing_since
    watch(60)

    assert history.stream().flowing_since == since
    assert history.stream().reconnects == 0


def test_another_observers_echo_is_not_ours(stream, watch, history):
    """The echo of another cluster's observer, or of another process, proves nothing about this connection."""
    stream.half_open = True
    watch(1)
    stream.half_open = False
    stream.waiting.clear()
    stream.say("celeriac-echo", node=f"celeriac@{CLUSTER}", pid=1)
    stream.say("celeriac-echo", node="celeriac@other")
    watch(0.2)
    watch(EXTRA)

    assert history.stream().events >= 2
    assert history.incarnations() == []


def test_an_error_of_the_broker_ends_the_flow(stream, watch, history):
    """The reason is stored, and the keeper is blind with it."""
    watch(5)
    stream.away = "Connection refused"
    watch(2)

    assert history.stream().flowing_since is None
    assert blind(history) == "the broker cannot be read: Connection refused"


def test_after_an_outage_silence_counts_anew(stream, watch, history, clock):
    """The flow begins again with the first echo on the new connection."""
    watch(5)
    stream.away = "Connection refused"
    watch(20)
    back = clock()
    stream.away = None
    watch(25)

    assert blind(history) is None
    assert history.stream().flowing_since > back
    assert history.stream().reconnects == 1


def test_a_broker_that_is_away_is_asked_ever_more_rarely(stream, clock, observer):
    """Each pause is longer than the last, up to ten seconds, so that many observers do not storm a broker."""
    stream.away = "Connection refused"
    tries = []
    while clock() < NOW + 120:
        before = stream.closed
        observer.step()
        if stream.closed > before:
            tries.append(clock())
        clock.pass_(0.1)

    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps[0] < 1.2
    assert all(4.9 < gap < 10.5 for gap in gaps[6:])


def test_waiting_for_a_broker_is_no_pause_of_ours(stream, watch, history):
    """The longest pause is told to people as a fault of this machine."""
    stream.away = "Connection refused"
    watch(60)

    assert history.stream().longest_pause_s == 0


def test_a_late_echo_ends_the_flow(stream, watch, history):
    """The connection stands and nothing comes: after five seconds silence proves nothing about anybody."""
    watch(5)
    stream.half_open = True
    watch(7)

    assert history.stream().flowing_since is None
    assert "our own echo" in blind(history)


def test_a_half_open_connection_is_made_anew(stream, watch, history):
    """After ten seconds without our echo the connection is dropped, and the next one hears again."""
    watch(5)
    stream.half_open = True
    watch(13)
    assert (stream.closed, history.stream().reconnects) == (1, 1)
    assert blind(history) == "our own echo has not come back yet"

    stream.half_open = False
    watch(8)
    assert blind(history) is None


def test_a_new_connection_is_given_ten_seconds(stream, watch):
    """The echo of an earlier connection, long ago, does not count against the new one."""
    watch(5)
    stream.away = "Connection refused"
    watch(60)
    stream.away, closed = None, stream.closed
    watch(30)

    assert stream.closed == closed


@pytest.mark.parametrize("where", ["between two steps", "while receiving"])
def test_a_pause_of_our_own_ends_the_flow(stream, watch, history, clock, where):
    """We were stopped for a while: what came meanwhile says nothing about who was silent."""
    watch(5)
    before = history.stream().flowing_since
    if where == "while receiving":
        stream.delay = 60.0
    else:
        clock.pass_(60)
    stopped_until = clock() + stream.delay
    watch(6 + stream.delay)

    assert history.stream().longest_pause_s >= 60
    assert history.stream().flowing_since >= stopped_until > before


def test_the_echo_of_before_a_pause_does_not_start_the_flow_again(stream, clock, observer, history):
    """It was under way while we were stopped: only one that is sent now proves that we hear."""
    for _ in range(30):
        observer.step()
    stream.say("worker-heartbeat")
    observer._send_echo(clock())
    clock.pass_(60)
    observer._echo_due_at = clock() + 100

    for _ in range(6):
        observer.step()

    assert history.stream().flowing_since is None


def test_a_short_pause_is_none(watch, history, clock):
    """Four seconds of a busy machine end nothing."""
    watch(5)
    before = history.stream().flowing_since
    clock.pass_(4)
    watch(5)

    assert history.stream().flowing_since == before


# Running -------------------------------------------------------------------------------------------------------------


def test_what_was_heard_last_is_stored_before_it_ends(stream, observer, history, clock):
    """Told to stop, it stores and lets the connection go."""
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    try:
        harness.wait_until(lambda: clock() > NOW + 1, 10, "the observer works")
        stream.say("worker-heartbeat")
        harness.wait_until(lambda: not stream.waiting, 10, "the observer has taken it")
    finally:
        stopping.set()
        running.join(10)

    assert not running.is_alive()
    assert len(history.incarnations()) == 1
    assert stream.closed == 1


def test_a_stop_tries_again_where_the_store_was_away(stream, observer, shelf, tasks):
    """A batch that failed right before the end is not forgotten with it."""
    stream.say("task-received", uuid="t1")
    observer.step()
    shelf.away = True
    stream.say("task-received", uuid="t2")
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    harness.wait_until(lambda: observer._store_failures, 10, "the store has refused")
    stopping.set()
    shelf.away = False
    running.join(10)

    assert {one.uuid for one in tasks()} == {"t1", "t2"}


def test_while_the_broker_is_away_it_can_be_stopped(stream, observer, history):
    """It does not spin, and ends at once."""
    stream.away = "Connection refused"
    stopping = threading.Event()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    harness.wait_until(lambda: stream.closed, 10, "the observer has noticed")
    stopping.set()
    running.join(10)

    assert not running.is_alive()
    assert history.stream().error == "Connection refused"
