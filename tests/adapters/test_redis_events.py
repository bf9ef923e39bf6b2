"""Our own reader on a real Redis: every body once and in order, whatever cuts the connection, and a cut is counted."""

import base64
import contextlib
import json
import os
import pickle
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import redis
from celery import Celery
from celery.events.event import get_exchange
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

import harness
from adapters.redis_guarded import MASTER, sentinel_running, tls_redis_running
from celeriac.adapters.content import Content
from celeriac.adapters.redis_events import RedisEvents
from celeriac.adapters.redis_events.envelope import opened, sealed
from celeriac.adapters.redis_events.subscription import AT_ONCE, Subscription
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.events import decode
from celeriac.core.fold import ECHO
from celeriac.ports import Condition

LIMIT = 0.5
CHANNEL = "/0.celeryev/task.multi"


def echo(number, **more):
    return {"type": ECHO, "hostname": "celeriac@demo", "timestamp": 1_795_000_000.5, "pid": 7, "clock": number} | more


@pytest.fixture
def listen():
    """Open streams that are closed when the test ends; no thread of theirs is left then."""
    opened = []

    def listening(url, **options):
        opened.append(RedisEvents(url, **{"timeout": LIMIT, **options}))
        opened[-1].receive(0.01)
        return opened[-1]

    yield listening
    for one in opened:
        one.close()
    assert drains() == []


@pytest.fixture
def look(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


def drains():
    return [one for one in threading.enumerate() if one.name == "redis-drain"]


def timed(call, kind=UnreachableError):
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    return time.monotonic() - begun, str(caught.value)


def bodies(stream, number, within=5.0):
    """Receive until so many bodies came."""
    found = []
    harness.wait_until(lambda: found.extend(stream.receive(0.1)) or len(found) >= number, within, f"{number} came")
    return found


def until_it_ends(stream):
    """Receive until the connection is lost, and return what came before."""
    found = []
    with contextlib.suppress(UnreachableError):
        while True:
            found += stream.receive(5)
    return found


def clocks(found):
    return [event.clock for event in decode(found)[0]]


def waiting(stream, least=1):
    """Wait until so many bytes are in memory and not handed over."""
    harness.wait_until(lambda: stream.condition().backlog_bytes >= least, 10, "something waits", dump=stream.condition)


def mine(look):
    return [one for one in look.client_list() if one["name"] == "celeriac-observer"]


def subscriber(look):
    (found,) = [one for one in mine(look) if "P" in one["flags"]]
    return found


# What Redis pushes, cut anywhere


class Scripted(socket.socket):
    """A socket that receives what the script says, and then its end."""

    def __init__(self, chunks):
        super().__init__()
        self._script = iter([chunk for chunk in chunks if chunk])

    def recv(self, size):
        return next(self._script, b"")


class OneConnection:
    """As much of a pool and its connection as a subscription needs."""

    def __init__(self, sock):
        self._sock = sock
        self.sent, self.released = [], 0

    def get_connection(self):
        return self

    def send_command(self, *command):
        self.sent.append(command)

    def disconnect(self):
        self._sock.close()

    def release(self, connection):
        self.released += 1


def pushed(payload, channel=b"/0.celeryev/x"):
    """Return a message as Redis sends it to a subscriber."""
    return b"*4\r\n$8\r\npmessage\r\n$13\r\n/0.celeryev/*\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(channel), channel, len(payload), payload,
    )  # fmt: skip


CONFIRMED = b"*3\r\n$10\r\npsubscribe\r\n$13\r\n/0.celeryev/*\r\n:1\r\n"
PONG = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
PAYLOADS = st.lists(st.one_of(st.binary(max_size=60), st.just(b"*4\r\n$8\r\npmessage\r\n"), st.none()), max_size=20)


def all_of(pool):
    """Return the payloads until the connection has ended."""
    subscription, found = Subscription(pool, "/0.celeryev/*", bound=1 << 20, within=5), []
    try:
        while True:
            found += subscription.payloads(5)
    except UnreachableError as error:
        return found, str(error)
    finally:
        subscription.close()


@given(PAYLOADS, st.lists(st.integers(0, 2000), max_size=20))
def test_payloads_are_the_same_wherever_the_bytes_are_cut(payloads, cuts):
    """A chunk may end anywhere, also inside a length or a line's end; an answer to a PING between is no message."""
    wire = CONFIRMED + b"".join(PONG if payload is None else pushed(payload) for payload in payloads)
    at = sorted({0, len(wire), *(cut % len(wire) for cut in cuts)})
    pool = OneConnection(Scripted([wire[begin:end] for begin, end in pairwise(at)]))
    found, why = all_of(pool)

    assert found == [payload for payload in payloads if payload is not None]
    assert why == "Redis: the connection was closed by the server"
    assert pool.sent == [("PSUBSCRIBE", "/0.celeryev/*")]
    assert pool.released == 1
    assert drains() == []


@given(PAYLOADS, st.integers(1, 200))
def test_a_message_that_is_cut_short_is_not_handed_over(payloads, missing):
    whole = [payload for payload in payloads if payload is not None]
    wire = CONFIRMED + b"".join(map(pushed, whole)) + pushed(b"x" * 200)[:-missing]
    found, _ = all_of(OneConnection(Scripted([wire])))

    assert found == whole


EVENTS = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=9)), max_size=5)


@given(EVENTS)
def test_what_is_sealed_is_opened(event):
    assert [json.loads(body) for body in opened([sealed(event, "x")], Content())] == [event]


@given(st.lists(st.binary(max_size=100), max_size=5), EVENTS)
def test_each_payload_has_one_body_whatever_it_is(payloads, event):
    """What is no envelope is an empty body, in its place."""
    found = opened([*payloads, sealed(event, "x"), *payloads], Content())

    assert found[: len(payloads)] == found[len(payloads) + 1 :] == [b""] * len(payloads)
    assert json.loads(found[len(payloads)]) == event


# Talking to Redis


def test_our_own_event_comes_back(redis_server, listen):
    """What is sent is received again as JSON bytes, in order."""
    stream = listen(redis_server.url)
    for number in range(3):
        stream.send(echo(number))

    assert [json.loads(body) for body in bodies(stream, 3)] == [echo(number) for number in range(3)]


def test_the_database_of_the_url_is_part_of_the_channel(redis_server, listen):
    """Redis's pub/sub ignores the database, and Kombu writes it into the channel."""
    url = redis_server.url[:-1]
    three, four = listen(f"{url}3"), listen(f"{url}4")
    four.send(echo(4))
    three.send(echo(3))

    assert clocks(bodies(three, 1)) == [3]
    assert clocks(bodies(four, 1)) == [4]


def test_silence_is_an_empty_list_after_the_time_asked_for(redis_server, listen):
    """No event is no error, and neither is the answer to our own PING."""
    stream = listen(redis_server.url)
    begun = time.monotonic()

    assert stream.receive(3 * LIMIT) == []
    assert 3 * LIMIT - 0.05 < time.monotonic() - begun < 3
    assert stream.condition() == Condition("redis")


def test_what_came_is_handed_over_at_once(redis_server, listen):
    """`within` is the longest wait, not a pause."""
    stream = listen(redis_server.url)
    stream.send(echo(1))
    begun = time.monotonic()

    assert len(stream.receive(10)) == 1
    assert time.monotonic() - begun < 2


def test_a_flood_comes_whole_in_order_and_in_parts(redis_server, listen, look):
    """No more is handed over at once than the caller can fold between two flushes."""
    stream = listen(redis_server.url)
    text = "x" * 1000
    with look.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.publish(CHANNEL, sealed(echo(number, args=text), "x"))
        assert set(pipe.execute()) == {1}
    waiting(stream, 2 * AT_ONCE)
    found = []
    while len(found) < 5000:
        part = stream.receive(5)
        assert 0 < sum(map(len, part)) <= AT_ONCE
        found += part

    assert clocks(found) == list(range(5000))
    assert stream.condition() == Condition("redis")


def test_two_observers_do_not_disturb_each_other(redis_server, listen):
    """Each gets every event, also after the other has gone."""
    one, two = listen(redis_server.url), listen(redis_server.url)
    one.send(echo(1))
    assert [clocks(bodies(stream, 1)) for stream in (one, two)] == [[1], [1]]

    one.close()
    two.send(echo(2))
    assert clocks(bodies(two, 1)) == [2]


def test_a_closed_stream_leaves_nothing_behind(redis_server, listen, look):
    """Neither a key nor a connection nor a thread of ours stays; closing twice is no error."""
    stream = listen(redis_server.url)
    stream.send(echo(1))
    assert (len(mine(look)), len(drains())) == (2, 1)
    bodies(stream, 1)
    stream.close()
    stream.close()

    assert drains() == []
    harness.wait_until(lambda: not mine(look), 5, "its connections are gone", dump=look.client_list)
    assert look.keys() == []


def test_a_closed_stream_connects_again(redis_server, listen):
    stream = listen(redis_server.url)
    stream.close()
    assert stream.receive(0.01) == []
    stream.send(echo(1))

    assert clocks(bodies(stream, 1)) == [1]
    assert stream.condition().cuts == 0


def test_a_mark_moves_with_what_was_received(redis_server, listen):
    """Pub/sub keeps nothing, so there is nothing to settle."""
    stream = listen(redis_server.url)
    before = stream.mark()
    stream.receive(0.01)

    assert stream.mark() > before
    stream.settle(stream.mark())


# Celery itself


def test_celery_reads_what_we_send(redis_server, listen):
    """Our envelope is Kombu's: any receiver of events understands it."""
    stream, heard = listen(redis_server.url), []
    with (
        Celery("monitor", broker=redis_server.url, set_as_current=False) as app,
        app.connection() as connection,
        ThreadPoolExecutor(1) as thread,
        redis.Redis(port=redis_server.port) as look,
    ):
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        ended = thread.submit(receiver.capture, timeout=10, wakeup=False)
        harness.wait_until(lambda: sum("P" in one["flags"] for one in look.client_list()) == 2, 10, "Celery listens")
        stream.send(echo(1))
        harness.wait_until(lambda: heard, 10, "Celery hears it")
        receiver.should_stop = True
        ended.result(10)

    assert {key: heard[0][key] for key in echo(1)} | {"clock": 1} == echo(1)


def test_a_dispatcher_of_celery_is_read(redis_server, listen):
    """Single events and the lists of a buffered group, as a worker sends them."""
    stream = listen(redis_server.url)
    with (
        Celery("worker", broker=redis_server.url, set_as_current=False) as app,
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, "w@h", buffer_group={"task"}) as dispatcher,
    ):
        dispatcher.send("worker-heartbeat", freq=2.0)
        for uuid in ("a", "b", "c"):
            dispatcher.send("task-received", uuid=uuid, name="orders.price")
        dispatcher.flush()
        events, malformed = decode(bodies(stream, 2))

    assert malformed == 0
    assert [(one.type, one.hostname, one.uuid) for one in events] == [
        ("worker-heartbeat", "w@h", None), *(("task-received", "w@h", uuid) for uuid in "abc"),
    ]  # fmt: skip


def publish(url, event, **how):
    """Publish through Kombu, as a dispatcher with other settings would."""
    with Connection(url) as connection, connection.Producer() as sender:
        exchange = get_exchange(connection)
        sender.publish(event, exchange=exchange, declare=[exchange], routing_key="task.sent", **how)


@pytest.mark.parametrize(
    "how", [{"serializer": "yaml"}, {"compression": "gzip"}, {"serializer": "yaml", "compression": "bzip2"}], ids=str
)
def test_other_content_types_become_json(redis_server, listen, how):
    """They take the careful way, each for itself, and those around them do not."""
    stream = listen(redis_server.url)
    for number in range(3):
        publish(redis_server.url, echo(number), **(how if number == 1 else {}))

    assert [json.loads(body) for body in bodies(stream, 3)] == [echo(number) for number in range(3)]
    assert stream.condition().refused == 0


def test_pickle_is_refused_unless_it_is_allowed(redis_server, listen):
    """What is refused is an empty body and is counted apart."""
    strict, lax = listen(redis_server.url), listen(redis_server.url, allow_pickle=True)
    publish(redis_server.url, echo(1), serializer="pickle")

    assert bodies(strict, 1) == [b""]
    assert strict.condition().refused == 1
    assert [json.loads(body) for body in bodies(lax, 1)] == [echo(1)]
    assert lax.condition().refused == 0


def envelope(**changes):
    parts = {
        "body": base64.b64encode(json.dumps(echo(5)).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"body_encoding": "base64"},
    }
    return json.dumps({key: value for key, value in (parts | changes).items() if value is not ...})


ODD = {
    "a body that is no base64 by its own word": envelope(body=json.dumps(echo(5)), properties={}),
    "no headers": envelope(headers=...),
    "null headers": envelope(headers=None),
    "another character set": envelope(**{"content-encoding": "ascii"}),
    "more than we know": envelope(more=[{}], headers={"hostname": "h", "x": [1]}),
}
NO_EVENT = {
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "another table": '{"a":1}',
    "no JSON": "{cut sh",
    "no text": b"\xff\xfe",
    "nothing": "",
    "two envelopes": envelope() + "," + envelope(),
    "a null body": envelope(body=None),
    "a number for a body": envelope(body=5),
    "no properties": envelope(properties=None),
    "no base64": envelope(body="x"),
    "odd base64": envelope(body="e30=\n"),
    "no type": envelope(**{"content-type": ...}),
    "very deep": '{"a":' + "[" * 100_000,
    "unheard-of compression": envelope(headers={"compression": "zip"}),
    "a bomb": envelope(body=base64.b64encode(b"\0" * 50).decode(), headers={"compression": "application/x-gzip"}),
    "pickle that is none": envelope(
        body=base64.b64encode(pickle.dumps(1)[:-1]).decode(), **{"content-type": "application/x-python-serialize"}
    ),
}


@pytest.mark.parametrize("published", ODD.values(), ids=ODD)
def test_an_envelope_that_celery_would_not_write_is_read(redis_server, listen, look, published):
    stream = listen(redis_server.url)
    look.publish(CHANNEL, published)

    assert [json.loads(body) for body in bodies(stream, 1)] == [echo(5)]


@pytest.mark.parametrize("published", NO_EVENT.values(), ids=NO_EVENT)
def test_a_message_that_is_no_event_costs_itself_only(redis_server, listen, look, published):
    """Whatever anybody publishes there is one empty body in its place; the connection stays."""
    stream = listen(redis_server.url, allow_pickle=True)
    before = subscriber(look)["id"]
    for number in range(2):
        look.publish(CHANNEL, published)
        stream.send(echo(number))
    found = bodies(stream, 4)

    assert [body and json.loads(body)["clock"] for body in found] == [b"", 0, b"", 1]
    assert subscriber(look)["id"] == before
    assert stream.condition() == Condition("redis")


def test_messages_on_other_channels_are_not_ours(redis_server, listen, look):
    stream = listen(redis_server.url)
    for channel in ("/0.celery.pidbox", "/1.celeryev/x", "0.celeryev/x", "/0.celeryevx"):
        assert look.publish(channel, envelope()) == 0
    stream.send(echo(1))

    assert clocks(bodies(stream, 1)) == [1]


# Connections that end


def test_a_connection_that_redis_kills_is_a_cut_and_is_made_anew(redis_server, listen, look):
    """The error says so once; the next call listens again."""
    stream = listen(redis_server.url)
    look.client_kill_filter(_id=subscriber(look)["id"])
    took, said = timed(lambda: stream.receive(5))
    assert took < 2
    assert said.startswith("Redis: ")
    assert stream.condition().cuts == 1

    assert stream.receive(0.01) == []
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]
    assert stream.condition().cuts == 1


@pytest.mark.parametrize("end", ["killed", "closed"])
def test_what_had_come_before_the_end_is_handed_over_first(redis_server, listen, look, end):
    """Whether Redis or we ended the connection: what is in memory is not lost with it."""
    stream = listen(redis_server.url)
    payloads = [sealed(echo(number, args="x" * 1000), "x") for number in range(1000)]
    for payload in payloads:
        look.publish(CHANNEL, payload)
    waiting(stream, sum(len(pushed(payload, CHANNEL.encode())) for payload in payloads))
    if end == "killed":
        look.client_kill_filter(_id=subscriber(look)["id"])
        found = until_it_ends(stream)
    else:
        stream.close()
        assert drains() == []
        found = bodies(stream, 1000)

    assert clocks(found) == list(range(1000))
    assert stream.condition() == Condition("redis", cuts=end == "killed")
    assert stream.receive(0.01) == []
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]


def test_a_reader_that_is_too_slow_is_cut_off_and_knows_it(redis_server, listen, look):
    """A full buffer stops the reading, then Redis ends the connection by its own limit: counted, and made anew."""
    look.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    stream = listen(redis_server.url, buffer_bytes=100_000)
    sent, event = 0, sealed(echo(0, args="x" * 100_000), "x")
    while look.publish(CHANNEL, event):
        sent += 1
        assert sent < 2000, "Redis never cuts it off"
    assert 100_000 <= stream.condition().backlog_bytes <= 300_000

    found = until_it_ends(stream)
    assert len(found) < sent
    assert set(found) <= {found[0]}
    assert stream.condition() == Condition("redis", cuts=1)
    assert stream.receive(0.01) == []
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]


def test_a_redis_that_is_gone_is_unreachable_and_may_come_back(redis_server, listen, tmp_path):
    """Reading, and then each new try, fails at once; after a restart on the same port the next one works."""
    stream = listen(redis_server.url)
    redis_server.child.kill()
    redis_server.child.wait(5)

    for call in (lambda: stream.receive(5), lambda: stream.receive(5), lambda: stream.send(echo(1))):
        took, said = timed(call)
        assert took < 1
        assert said.startswith("Redis: ")
    assert drains() == []
    with harness.redis_running(tmp_path / "again", port=redis_server.port):
        assert stream.receive(0.01) == []
        stream.send(echo(2))
        assert clocks(bodies(stream, 1)) == [2]
    assert stream.condition().cuts == 1


def test_a_redis_that_stands_still_is_noticed_by_a_ping(redis_server, listen):
    """The connection stays open and silent: a PING without an answer ends it, and nothing blocks for longer."""
    stream = listen(redis_server.url)
    harness.freeze(redis_server.child.pid)
    try:
        took, said = timed(lambda: stream.receive(20))
        assert 2 * LIMIT - 0.1 < took < 5
        assert said == "Redis: no answer to a PING"
        for call in (lambda: stream.receive(0.1), lambda: stream.send(echo(1))):
            took, said = timed(call)
            assert took < 2 * LIMIT + 0.5
            assert "Timeout" in said
        assert drains() == []
    finally:
        os.kill(redis_server.child.pid, signal.SIGCONT)
    stream.receive(0.01)
    stream.send(echo(2))
    assert clocks(bodies(stream, 1)) == [2]
    assert stream.condition().cuts == 1


def test_closing_does_not_wait_for_a_redis_that_stands_still(redis_server, listen):
    stream = listen(redis_server.url, timeout=30)
    harness.freeze(redis_server.child.pid)
    begun = time.monotonic()
    stream.close()
    os.kill(redis_server.child.pid, signal.SIGCONT)

    assert time.monotonic() - begun < 2
    assert drains() == []


def test_closing_ends_a_reader_whose_buffer_is_full(redis_server, listen, look):
    """Its thread waits for room; it must not wait for ever."""
    stream = listen(redis_server.url, buffer_bytes=1000)
    look.publish(CHANNEL, b"x" * 100_000)
    waiting(stream, 1000)
    stream.close()

    assert drains() == []


def test_a_server_that_is_no_redis_is_unreachable(listen):
    """What it says cannot be parsed; nothing hangs."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:

        def answer():
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread.submit(answer)
        stream = RedisEvents(f"redis://127.0.0.1:{server.getsockname()[1]}/0", timeout=LIMIT)
        for _ in range(2):
            _, said = timed(lambda: stream.receive(1))
            assert said.startswith("Redis: ")
        stream.close()


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port):
    """No second try, and no pause before it: the observer has its own back-off."""
    stream = RedisEvents(f"redis://127.0.0.1:{free_port()}/0", timeout=LIMIT)
    took, said = timed(lambda: stream.receive(5))

    assert took < 1
    assert "refused" in said
    assert stream.condition().cuts == 0


def test_failed_tries_use_nothing_up(redis_server, listen, look):
    """However often it failed, the next try has a connection to use."""
    look.acl_setuser("deaf", enabled=True, passwords=["+x"], commands=["+@all"], keys=["*"], reset_channels=True)
    stream = RedisEvents(f"redis://deaf:x@127.0.0.1:{redis_server.port}/0", timeout=LIMIT)
    for _ in range(150):
        timed(lambda: stream.receive(0.1), RefusedError)
    stream.close()

    assert drains() == []
    harness.wait_until(lambda: not mine(look), 5, "its connections are gone", dump=look.client_list)


# Logging in


def test_a_wrong_password_is_refused_and_not_shown(redis_server, look):
    """It is an answer, so asking again does not help."""
    look.config_set("requirepass", "right-secret")

    for password, wanted in (("wrong-secret", "invalid username-password pair"), ("", "Authentication required")):
        stream = RedisEvents(f"redis://:{password}@127.0.0.1:{redis_server.port}/0", timeout=LIMIT)
        for call in (lambda stream=stream: stream.receive(0.1), lambda stream=stream: stream.send(echo(1))):
            took, said = timed(call, RefusedError)
            assert took < 1
            assert wanted in said
            assert "secret" not in said


def test_a_restricted_user_needs_the_channels_only(redis_server, listen, look):
    """These commands are all that is used; without the channels the sentence says what is missing."""
    channels = "/0.celeryev/*"
    rights = {"enabled": True, "passwords": ["+x"], "commands": ["+psubscribe", "+publish", "+ping", "+client|setname"]}
    look.acl_setuser("observer", channels=[channels], **rights)
    look.acl_setuser("deaf", reset_channels=True, **rights)
    address = f"x@127.0.0.1:{redis_server.port}/0"
    stream = listen(f"redis://observer:{address}")
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]

    _, said = timed(lambda: RedisEvents(f"redis://deaf:{address}", timeout=LIMIT).receive(1), RefusedError)
    assert "channel" in said
    assert len(drains()) == 1


def test_tls_is_spoken_and_the_certificate_checked(tmp_path, listen):
    """One whose authority is not known is unreachable, unless checking is turned off as Celery spells it."""
    with tls_redis_running(tmp_path) as url:
        stream = listen(url)
        for number in range(300):
            stream.send(echo(number, args="x" * 1000))
        assert clocks(bodies(stream, 300)) == list(range(300))
        assert stream.receive(3 * LIMIT) == []  # a PING over TLS

        bare = url.partition("?")[0]
        _, said = timed(lambda: RedisEvents(bare, timeout=LIMIT).receive(0.1))
        assert "certificate verify failed" in said
        listen(f"{bare}?ssl_cert_reqs=CERT_NONE")


def test_a_sentinel_tells_where_redis_is(redis_server, listen, look, tmp_path):
    """The user, the password and the database are the master's; a Sentinel that is gone is passed over."""
    look.config_set("requirepass", "secret")
    with sentinel_running(tmp_path, redis_server) as guard, redis.Redis(port=guard.port) as sentinel:
        sentinel.sentinel_set(MASTER, "auth-pass", "secret")
        before = {one["id"] for one in sentinel.client_list()}
        address, gone = f"sentinel://:secret@127.0.0.1:{guard.port}/3", f"127.0.0.1:{harness.free_port()}"
        stream = listen(f"{address};sentinel://{gone}/3?master_name={MASTER}")
        other = listen(f"sentinel://:secret@{gone}/3;{address}?master_name={MASTER}")
        other.send(echo(1))
        assert clocks(bodies(stream, 1)) == [1]
        wrong = RedisEvents(f"{address}?master_name=nobody", timeout=LIMIT)
        _, said = timed(lambda: wrong.receive(0.1))
        assert "No master found for 'nobody'" in said
        assert "secret" not in said
        for one in (stream, other, wrong):
            one.close()
        harness.wait_until(
            lambda: {one["id"] for one in sentinel.client_list()} <= before, 5, "no connection to the Sentinel is left"
        )


# With real workers


@pytest.mark.live
def test_heartbeats_and_task_events_are_read(workers, listen):
    """A worker's beats and every step of a task are bytes that the core decodes."""
    node, child = workers.start("read", "-c", "1")
    stream, events = listen(workers.redis.url), []
    with Celery("producer", broker=workers.redis.url, set_as_current=False) as app:
        app.conf.task_send_sent_event = True
        sent = app.send_task("orders.price", [6], queue="orders").id

    def heard(*kinds):
        found, malformed = decode(stream.receive(0.2))
        assert malformed == 0
        events.extend(found)
        return set(kinds) <= {one.type for one in events}

    harness.wait_until(
        lambda: heard("task-sent", "task-received", "task-started", "task-succeeded", "worker-heartbeat"), 15,
        "all is heard", dump=lambda: events,
    )  # fmt: skip
    assert {one.uuid for one in events if one.type.startswith("task-")} == {sent}
    assert {one.pid for one in events if one.hostname == node} == {child.pid}
    child.terminate()
    harness.wait_until(lambda: heard("worker-offline"), 10, "it says goodbye", dump=lambda: events)
