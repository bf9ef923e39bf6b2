"""The fallback through Kombu, on a real Redis and on transports without a server: bodies as JSON, our own echo, and a
broker that goes, stands still and comes back."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import redis
from celery import Celery

import harness
from adapters.broker_talk import LIFE, Heard, bodies, clocks, echo, failing, producer, publish
from adapters.redis_guarded import MASTER, sentinel_running
from adapters.redis_messages import CHANNEL, NO_EVENT
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.core.events import decode
from celeriac.core.fold import ECHO
from celeriac.ports import Condition
from celeriac.processes import running, spawn

LIMIT = 0.5


@pytest.fixture
def listen():
    """Open streams that are closed when the test ends."""
    opened = []

    def listening(url, **options):
        opened.append(KombuEvents(url, timeout=LIMIT, **options))
        opened[-1].receive(0.01)
        return opened[-1]

    yield listening
    for one in opened:
        one.close()


def keys(server):
    with redis.Redis(port=server.port) as look:
        return {key.decode() for key in look.scan_iter()}


def test_our_own_event_comes_back(redis_server, listen):
    """What is sent is received again as JSON bytes, in order."""
    stream = listen(redis_server.url)
    for number in range(3):
        stream.send(echo(number))
    found = bodies(stream, 3)

    assert all(isinstance(body, bytes) for body in found)
    assert [json.loads(body) for body in found] == [echo(number) for number in range(3)]
    assert clocks(found) == [0, 1, 2]


def test_silence_is_an_empty_list_after_the_time_asked_for(redis_server, listen):
    """No event is no error."""
    stream = listen(redis_server.url)
    begun = time.monotonic()

    assert stream.receive(0.3) == []
    assert 0.25 < time.monotonic() - begun < 1


def test_what_came_is_handed_over_at_once(redis_server, listen):
    """`within` is the longest wait, not a pause."""
    stream = listen(redis_server.url)
    stream.send(echo(1))
    begun = time.monotonic()

    assert len(stream.receive(10)) == 1
    assert time.monotonic() - begun < 2


def test_a_flood_comes_whole_and_in_order(redis_server, listen):
    """Thousands of events are neither lost nor repeated."""
    stream, other = listen(redis_server.url), listen(redis_server.url)
    for number in range(2500):
        other.send(echo(number))

    assert [json.loads(body)["clock"] for body in bodies(stream, 2500, 20)] == list(range(2500))


def test_two_observers_do_not_disturb_each_other(redis_server, listen):
    """Each gets every event, also after the other has gone."""
    one, two = listen(redis_server.url), listen(redis_server.url)
    one.send(echo(1))
    assert [len(bodies(stream, 1)) for stream in (one, two)] == [1, 1]

    one.close()
    two.send(echo(2))
    assert json.loads(bodies(two, 1)[0])["clock"] == 2


def test_an_event_of_celery_itself_is_read(redis_server, listen):
    """A producer's `task-sent` arrives as JSON that the core decodes."""
    stream = listen(redis_server.url)
    with producer(redis_server.url, task_send_sent_event=True) as app:
        sent = app.send_task("orders.price", [7], queue="orders")
    (event,), malformed = decode(bodies(stream, 1))

    assert malformed == 0
    assert (event.type, event.uuid, event.name, event.queue) == ("task-sent", sent.id, "orders.price", "orders")


def test_a_closed_stream_leaves_nothing_in_redis(redis_server, listen):
    """Neither a queue nor a binding nor a connection of ours stays."""
    streams = [listen(redis_server.url) for _ in range(2)]
    streams[0].send(echo(1))
    assert any("celeryev" in key for key in keys(redis_server))
    for stream in streams:
        stream.close()

    assert keys(redis_server) == set()
    with redis.Redis(port=redis_server.port) as look:
        assert not [one for one in look.client_list() if one["name"] == "celeriac-observer"]


def test_a_closed_stream_connects_again(redis_server, listen):
    """After `close` the next call makes a new connection, and closing twice is no error."""
    stream = listen(redis_server.url)
    stream.close()
    stream.close()
    stream.receive(0.01)
    stream.send(echo(1))

    assert len(bodies(stream, 1)) == 1


def test_a_redis_that_stands_still_is_unreachable_within_the_time_limit(redis_server, listen):
    """An open connection that is silent says so at the next send; a new one at once. Nothing blocks for ever."""
    stream = listen(redis_server.url)
    harness.freeze(redis_server.child.pid)
    try:
        assert stream.receive(0.1) == []
        for call in (lambda: stream.send(echo(1)), lambda: stream.receive(0.1), lambda: stream.send(echo(1))):
            took, said = failing(call)
            assert took < 2 * LIMIT + 0.5  # once for the call, once for saying goodbye
            assert "Timeout" in said or "time" in said
    finally:
        os.kill(redis_server.child.pid, signal.SIGCONT)
    stream.receive(0.01)
    stream.send(echo(2))
    assert json.loads(bodies(stream, 1)[-1])["clock"] == 2


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port):
    """No second try, and no pause before it: the observer has its own back-off."""
    took, said = failing(lambda: KombuEvents(f"redis://127.0.0.1:{free_port()}/0", timeout=LIMIT).receive(5))

    assert took < 1
    assert "refused" in said


def test_a_wrong_password_says_so(redis_server):
    """The error tells what Redis said, at once, and shows no secret."""
    with redis.Redis(port=redis_server.port) as admin:
        admin.config_set("requirepass", "right-secret")

    for password, wanted in (("wrong-secret", "invalid username-password pair"), ("", "Authentication required")):
        took, said = failing(
            lambda password=password: KombuEvents(
                f"redis://:{password}@127.0.0.1:{redis_server.port}/0", timeout=LIMIT
            ).receive(0.1)
        )
        assert took < 1
        assert wanted in said
        assert "secret" not in said


def observers(look):
    """Return the connections that listen, by Redis's own number of each."""
    return {one["id"] for one in look.client_list() if one["name"] == "celeriac-observer"}


@pytest.mark.parametrize("published", NO_EVENT.values(), ids=NO_EVENT)
def test_a_message_that_is_no_event_costs_itself_only(redis_server, listen, published):
    """Whatever anybody publishes there is malformed or dropped; the connection stays, and the next event is read."""
    stream, other, found = listen(redis_server.url), listen(redis_server.url), []
    with redis.Redis(port=redis_server.port) as look:
        before = observers(look)
        for number in range(3):
            assert look.publish(CHANNEL, published) == 2
            other.send(echo(number))

            def came(number=number):
                found.extend(stream.receive(0.1))
                return any(one.clock == number for one in decode(found)[0])

            harness.wait_until(came, 5, f"event {number} came", dump=lambda: found)
        assert observers(look) >= before

    decoded = [decode([body]) for body in found]
    assert [one.clock for events, _ in decoded for one in events] == [0, 1, 2]
    assert {malformed for events, malformed in decoded if not events} <= {1}
    assert len(found) <= 6


# Other content types, and what the reader knows of itself


def test_pickle_is_refused_unless_it_is_allowed(redis_server, listen):
    """What is refused is an empty body and is counted apart."""
    strict, lax = listen(redis_server.url), listen(redis_server.url, allow_pickle=True)
    publish(redis_server.url, echo(1), serializer="pickle")

    assert bodies(strict, 1) == [b""]
    assert strict.condition() == Condition("kombu", refused=1)
    assert [json.loads(body) for body in bodies(lax, 1)] == [echo(1)]
    assert lax.condition() == Condition("kombu")


def test_a_connection_that_ends_without_our_asking_is_a_cut(redis_server, listen, free_port):
    """A close of our own is none, and neither is a try that never succeeded."""
    stream = listen(redis_server.url)
    stream.close()
    stream.receive(0.01)
    assert stream.condition().cuts == 0
    with redis.Redis(port=redis_server.port) as look:
        for one in observers(look):
            look.client_kill_filter(_id=one)
    failing(lambda: stream.receive(5))
    assert stream.condition().cuts == 1

    never = KombuEvents(f"redis://127.0.0.1:{free_port()}/0", timeout=LIMIT)
    failing(lambda: never.receive(0.1))
    assert never.condition().cuts == 0


# Transports without a server


@pytest.mark.parametrize("url", ["memory://", "filesystem://"])
def test_any_transport_of_kombu_is_read(listen, tmp_path, monkeypatch, url):
    """A dispatcher's events come as JSON, single ones and lists, beside our own echo."""
    monkeypatch.chdir(tmp_path)  # where the file system transport has its folders, in and out
    (tmp_path / "data_in").mkdir()
    (tmp_path / "data_out").symlink_to("data_in")
    stream = listen(url)
    with (
        Celery("worker", broker=url, set_as_current=False) as app,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, "w@h", buffer_group={"task"}) as dispatcher,
    ):
        dispatcher.send("worker-heartbeat", freq=2.0)
        for uuid in ("a", "b"):
            dispatcher.send("task-received", uuid=uuid, name="orders.price")
        dispatcher.flush()
        stream.send(echo(7))
        publish(url, echo(8), serializer="pickle")
        found = bodies(stream, 4)

    events, malformed = decode(found)
    assert {(one.type, one.uuid) for one in events} == {
        ("worker-heartbeat", None), ("task-received", "a"), ("task-received", "b"), (ECHO, None),
    }  # fmt: skip
    assert malformed == 1
    assert stream.condition() == Condition("kombu", refused=1)


def test_a_sentinel_tells_where_redis_is(redis_server, listen, tmp_path):
    """Kombu wants the master's name apart from the URL."""
    with sentinel_running(tmp_path, redis_server) as guard:
        stream = listen(f"{guard.url}/0;sentinel://127.0.0.1:{harness.free_port()}/0?master_name={MASTER}")
        stream.send(echo(1))
        assert clocks(bodies(stream, 1)) == [1]
        stream.close()


LISTENER = """
import signal, sys
from celeriac.adapters.kombu_events import KombuEvents
stream = KombuEvents(sys.argv[1])
stream.receive(0.01)
print("listens", flush=True)
signal.pause()
"""


def test_observers_that_are_killed_leave_one_binding_at_most(redis_server, listen):
    """However many end without a goodbye, Redis remembers one queue of ours; who closes properly leaves none."""
    with redis.Redis(port=redis_server.port) as look:

        def bindings():
            return look.smembers("_kombu.binding.celeryev")

        for _ in range(3):
            argv = [sys.executable, "-c", LISTENER, redis_server.url]
            with running(spawn(argv, stdout=subprocess.PIPE)) as child, child.stdout as said:
                assert said.readline() == b"listens\n"
                child.kill()
                child.wait(5)
        assert len(bindings()) == 1
        stream = listen(redis_server.url)
        assert len(bindings()) == 1
        stream.close()
        assert bindings() == set()


# With real workers


@pytest.mark.live
def test_heartbeats_and_task_events_are_read(workers, listen):
    """A worker's beats and every step of a task are bytes that the core decodes."""
    node, child = workers.start("heard", "-c", "1")
    heard = Heard(listen(workers.redis.url))
    with producer(workers.redis.url, task_send_sent_event=True) as app:
        sent = app.send_task("orders.price", [6], queue="orders").id

    heard.wait_for(*LIFE)
    beat = heard.first("worker-heartbeat")
    assert (beat.hostname, beat.pid, beat.freq) == (node, child.pid, 2.0)
    assert heard.of_tasks() == {sent}
    assert heard.first("task-succeeded").result == "42"
    child.terminate()
    heard.wait_for("worker-offline")


@pytest.mark.live
def test_two_observers_hear_the_same_worker(workers, listen):
    """One that closes, opens and closes again costs the other nothing."""
    node, _ = workers.start("twice", "-c", "1")
    steady, other = listen(workers.redis.url), KombuEvents(workers.redis.url)

    def beats(stream):
        return [one for one in decode(stream.receive(0.3))[0] if one.hostname == node]

    for _ in range(2):
        harness.wait_until(lambda: beats(other), 10, "the other hears it")
        other.close()
    harness.wait_until(lambda: beats(steady), 10, "the steady one hears it still")
