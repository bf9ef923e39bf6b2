"""What Redis pushes, cut anywhere: every payload once and in order."""

import socket
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.redis_events.inside import drains
from adapters.redis_messages import pushed
from celeriac.adapters.redis_events.subscription import Subscription
from celeriac.core.errors import UnreachableError


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
