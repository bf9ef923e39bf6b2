"""The stream: it speaks when something changed, keeps quiet otherwise, and ends when it should."""

import contextlib
import http.client
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

import harness
from celeriac.core.errors import UnreachableError
from celeriac.web.api.stream import Feed


class Listener:
    """One open stream, read by a thread, as soon as it may go on."""

    def __init__(self, url, path="/api/v1/stream", headers=None, *, paused=False):
        self.lines = []
        self.ended = threading.Event()
        self._may = threading.Event()
        if not paused:
            self._may.set()
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        self._connection.request("GET", path, headers=headers or {})
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.media_type = self._answer.headers["content-type"]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        self._may.wait(60)
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.lines.extend(line.decode().rstrip() for line in iter(self._answer.readline, b""))
        self.ended.set()

    def heard(self, event):
        return self.lines.count(f"event: {event}")

    def go_on(self):
        self._may.set()

    def close(self):
        self.go_on()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        assert self.ended.wait(5)
        self._connection.close()


@pytest.fixture
def listen(console):
    opened = []

    def listening():
        opened.append(Listener(console.url))
        harness.wait_until(lambda: opened[-1].heard("changed"), 5, "the stream's first word")
        return opened[-1]

    yield listening
    for one in opened:
        one.close()


def test_it_speaks_at_once_and_after_each_change(listen, world):
    stream = listen()
    assert stream.media_type.startswith("text/event-stream")

    world.change()

    harness.wait_until(lambda: stream.heard("changed") == 2, 5, "a word of the change")


def test_it_speaks_when_nothing_is_stored_any_more(listen, world):
    stream = listen()

    world.time += 15

    harness.wait_until(lambda: stream.heard("changed") == 2, 5, "a word of the silence")


def test_it_is_silent_without_a_change_and_says_at_most_two_words_a_second(listen, world):
    stream = listen()
    looks = world.requests.looks
    harness.wait_until(lambda: world.requests.looks >= looks + 3, 5, "three more looks")
    assert stream.heard("changed") == 1

    began = time.monotonic()
    while time.monotonic() - began < 1.2:
        world.change()
    harness.wait_until(lambda: stream.heard("changed") >= 2, 5, "a word of the changes")

    assert stream.heard("changed") <= 1 + 4


def test_many_streams_look_no_more_often_than_one(listen, world):
    for _ in range(4):
        listen()
    began, looks = time.monotonic(), world.requests.looks
    harness.wait_until(lambda: world.requests.looks >= looks + 4, 10, "four more looks")

    assert time.monotonic() - began > 1.0


def test_it_ends_when_the_server_stops(listen, console):
    stream = listen()
    began = time.monotonic()

    console.stop()

    harness.wait_until(console.stopped, 5, "the server has stopped")
    assert time.monotonic() - began < 2
    assert stream.ended.wait(5)


def test_it_ends_when_the_client_goes(listen, console):
    stream = listen()
    assert console.server.server_state.tasks

    stream.close()

    harness.wait_until(lambda: not console.server.server_state.tasks, 5, "the server has let go of the stream")


def test_a_quiet_store_is_bridged_by_beats(world):
    import asyncio

    async def first_words():
        feed = Feed(world.queries, look_every_s=0.01, beat_every_s=0.05)
        events = feed.events()
        words = [await anext(events) for _ in range(3)]
        feed.stop()
        return words, [word async for word in events]

    words, rest = asyncio.run(first_words())

    assert [word.split("\n")[0] for word in words] == ["event: changed", "event: beat", "event: beat"]
    assert f'"now": {world.time}' in words[0]
    assert rest == []


def test_a_store_that_does_not_answer_ends_no_stream(world, caplog):
    import asyncio

    async def words():
        feed = Feed(world.queries, look_every_s=0.01, beat_every_s=0.02)
        events = feed.events()
        first = await anext(events)
        world.requests.version = fail
        return first, await anext(events)

    def fail():
        raise UnreachableError("The store is locked.")

    first, second = asyncio.run(words())

    assert (first.split("\n")[0], second.split("\n")[0]) == ("event: changed", "event: beat")
    assert "The store is locked." in caplog.text
