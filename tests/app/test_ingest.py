"""The observer: what it hears it stores, and it knows when it cannot hear."""

import threading
from dataclasses import dataclass
from itertools import pairwise

import pytest

import harness
from app.virtual import MemoryStream
from celeriac.app.ingest import Observer
from celeriac.core.diagnose import blindness
from celeriac.core.errors import UnreachableError
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.ports import Batch
from core.builders import CLUSTER, NOW, seen

EXTRA = 1.0
"""Seconds after which what was heard is surely stored."""


@dataclass
class Store:
    """A history that can be away; everything else is done by the real one."""

    real: object
    away: bool = False

    def record(self, batch: Batch) -> None:
        self._be_there()
        self.real.record(batch)

    def incarnations(self):
        self._be_there()
        return self.real.incarnations()

    def _be_there(self):
        if self.away:
            message = "the disk is full"
            raise UnreachableError(message)


@pytest.fixture
def stream(clock):
    return MemoryStream(clock)


@pytest.fixture
def shelf(history):
    return Store(history)


@pytest.fixture
def observer(stream, shelf, clock):
    return Observer(CLUSTER, stream, shelf, clock)


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


def test_what_is_heard_is_stored(stream, watch, history):
    """Workers and tasks are in the store within a second."""
    stream.say("worker-heartbeat", freq=2.0, processed=4)
    stream.say("task-received", uuid="t1", name="mail")
    watch(1)

    assert [one.key for one in history.incarnations()] == ["celery@a#7"]
    assert [row.task.name for row in history.tasks(TaskFilter())] == ["mail"]


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


def test_while_the_store_is_away_what_was_heard_is_kept(stream, watch, shelf, history):
    """It is stored when the store is back, and nothing is missing."""
    watch(1)
    shelf.away = True
    stream.say("task-received", uuid="t1", name="mail")
    watch(2)
    stream.say("task-started", uuid="t1")
    watch(2)
    assert history.tasks(TaskFilter()) == []

    shelf.away = False
    watch(2)
    assert [row.task.state for row in history.tasks(TaskFilter())] == ["STARTED"]
    assert history.stream().dropped == 0


def test_a_store_that_is_away_at_the_start_is_waited_for(stream, watch, shelf, history):
    """The observer begins all the same."""
    shelf.away = True
    stream.say("worker-heartbeat")
    watch(2)
    shelf.away = False
    watch(1)

    assert len(history.incarnations()) == 1


def test_workers_of_an_earlier_observer_are_known_again(stream, watch, history, clock):
    """One that died while nobody watched must still be missed; one that goes on keeps its age and its beats."""
    gone = Incarnation("celery@gone", 7, NOW - 900, NOW - 100, beats=400, processed=3)
    there = Incarnation("celery@a", 7, NOW - 900, NOW - 100, beats=400, processed=3)
    history.record(Batch(Stream(clock()), incarnations=[gone, there]))

    stream.say("worker-heartbeat", active=0, processed=4)
    watch(EXTRA)

    by_node = {one.node: one for one in history.incarnations()}
    assert by_node["celery@gone"] == gone
    assert (by_node["celery@a"].first_seen_at, by_node["celery@a"].beats) == (NOW - 900, 401)


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
