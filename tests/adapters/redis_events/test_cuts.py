"""Whatever ends the connection to Redis, what had come is handed over, the cut is counted, and the next call reads on."""

import contextlib
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from adapters.broker_talk import bodies, clocks, echo, failing
from adapters.redis_events.inside import LIMIT, drains, mine, subscriber, waiting
from adapters.redis_messages import CHANNEL, pushed
from celeriac.adapters.redis_events import RedisEvents
from celeriac.adapters.redis_events.envelope import sealed
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.ports import Condition


def until_it_ends(stream):
    """Receive until the connection is lost, and return what came before."""
    found = []
    with contextlib.suppress(UnreachableError):
        while True:
            found += stream.receive(5)
    return found


def test_a_connection_that_redis_kills_is_a_cut_and_is_made_anew(redis_server, listen, look):
    """The error says so once; the next call listens again."""
    stream = listen(redis_server.url)
    look.client_kill_filter(_id=subscriber(look)["id"])
    took, said = failing(lambda: stream.receive(5))
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


def test_a_redis_that_stands_still_is_noticed_by_a_ping(redis_server, listen):
    """The connection stays open and silent: a PING without an answer ends it, and nothing blocks for longer."""
    stream = listen(redis_server.url)
    harness.freeze(redis_server.child.pid)
    try:
        took, said = failing(lambda: stream.receive(20))
        assert 2 * LIMIT - 0.1 < took < 5
        assert said == "Redis: no answer to a PING"
        for call in (lambda: stream.receive(0.1), lambda: stream.send(echo(1))):
            took, said = failing(call)
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
            _, said = failing(lambda: stream.receive(1))
            assert said.startswith("Redis: ")
        stream.close()


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port):
    """No second try, and no pause before it: the observer has its own back-off."""
    stream = RedisEvents(f"redis://127.0.0.1:{free_port()}/0", timeout=LIMIT)
    took, said = failing(lambda: stream.receive(5))

    assert took < 1
    assert "refused" in said
    assert stream.condition().cuts == 0


def test_failed_tries_use_nothing_up(redis_server, listen, look):
    """However often it failed, the next try has a connection to use."""
    look.acl_setuser("deaf", enabled=True, passwords=["+x"], commands=["+@all"], keys=["*"], reset_channels=True)
    stream = RedisEvents(f"redis://deaf:x@127.0.0.1:{redis_server.port}/0", timeout=LIMIT)
    for _ in range(150):
        failing(lambda: stream.receive(0.1), RefusedError)
    stream.close()

    assert drains() == []
    harness.wait_until(lambda: not mine(look), 5, "its connections are gone", dump=look.client_list)
