"""The observer knows when it cannot hear."""

import os
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from app.virtual import STORED_S
from celeriac.core.blindness import blindness
from celeriac.core.limits import Limits
from core.builders import CLUSTER, NOW, seen


def blind(history) -> str | None:
    """Return why the keeper would be blind, by the observer's last word."""
    return blindness(seen(heard=history.stream()), Limits())


def test_how_late_events_come_is_told(stream, watch, history, clock):
    """Our own event takes as long through broker and reader as everybody's."""
    watch(5)
    assert history.stream().lag_s == pytest.approx(0.1, abs=0.2)
    last = history.stream().last_event_at
    stream.say("worker-heartbeat")
    watch(1)

    assert last is None
    assert history.stream().last_event_at == pytest.approx(clock(), abs=1.5)


def test_the_flow_begins_with_the_first_echo(watch, history, clock):
    """Before our own event has come back, silence says nothing."""
    assert history.stream() is None
    watch(STORED_S)
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


def test_another_observers_echo_is_not_ours(stream, watch, shelf, history):
    """The echo of another cluster's observer, of another process or of another Celeriac proves nothing about this one."""
    stream.half_open = True
    watch(1)
    stream.half_open = False
    stream.waiting.clear()
    own = shelf.open().identity
    stream.say("celeriac-echo", node=f"celeriac@{CLUSTER}.{own}", pid=1)
    stream.say("celeriac-echo", node=f"celeriac@{CLUSTER}.another", pid=os.getpid())
    stream.say("celeriac-echo", node=f"celeriac@other.{own}", pid=os.getpid())
    watch(0.2)
    stream.half_open = True
    watch(STORED_S)

    assert history.stream().flowing_since is None
    assert history.incarnations() == []


def test_our_own_echoes_are_no_events_of_the_cluster(watch, history):
    """A cluster in which nobody speaks must not look alive."""
    watch(30)

    assert (history.stream().events, history.stream().last_event_at) == (0, None)


def test_an_echo_that_never_came_tells_of_a_gap(stream, watch, history):
    """A full queue drops its oldest, and says so to nobody."""
    watch(5)
    assert history.stream().gaps == 0
    stream.dropping = True
    watch(3)
    stream.dropping = False
    watch(5)

    assert history.stream().gaps == 1
    assert history.stream().lost_at is not None


@pytest.mark.parametrize("outage", ["the broker is away", "the connection is half open"])
def test_an_echo_that_a_lost_connection_took_along_is_no_further_gap(stream, watch, history, outage):
    """What a new connection misses is counted with the connection."""
    watch(5)
    if outage == "the broker is away":
        stream.away = "Connection refused"
    else:
        stream.half_open = True
    watch(20)
    stream.away, stream.half_open = None, False
    watch(20)

    assert history.stream().reconnects >= 1
    assert history.stream().gaps == 0


@pytest.mark.parametrize("keeps", [True, False])
def test_a_cut_is_a_loss_only_where_the_broker_keeps_nothing(stream, watch, history, keeps):
    stream.keeps = keeps
    watch(5)
    stream.away = "Connection reset"
    watch(5)
    stream.away = None
    watch(20)

    assert history.stream().reconnects == 1
    assert bool(history.stream().cuts) is not keeps
    assert (history.stream().lost_at is None) is keeps


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


def test_waiting_for_a_broker_is_no_pause_of_ours(stream, watch):
    """A pause is told to people as a fault of this machine."""
    stream.away = "Connection refused"
    with capture_logs() as said:
        watch(60)

    assert {one["event"] for one in said} == {"the broker cannot be read"}


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
    with capture_logs() as said:
        watch(6 + stream.delay)

    assert [one["seconds"] >= 60 for one in said if "paused" in one["event"]] == [True]
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
