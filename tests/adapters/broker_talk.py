"""Both sides of a broker, for its tests: what Celery and people send there, what a reader hears, and how a call fails."""

import time

import pytest
from celery import Celery
from celery.events.event import get_exchange
from kombu import Connection

import harness
from celeriac.core.errors import UnreachableError
from celeriac.core.events import decode
from celeriac.core.fold import ECHO


def echo(number, **more):
    """Return an event as an observer sends it to itself."""
    return {"type": ECHO, "hostname": "celeriac@demo", "timestamp": 1_795_000_000.5, "pid": 7, "clock": number} | more


def producer(url, **conf):
    """Return an application that sends tasks."""
    app = Celery("producer", broker=url, set_as_current=False)
    app.conf.update(conf)
    return app


def publish(url, event, **how):
    """Publish through Kombu, as a dispatcher with other settings would."""
    with Connection(url) as connection, connection.Producer() as sender:
        exchange = get_exchange(connection)
        sender.publish(event, exchange=exchange, declare=[exchange], routing_key="task.sent", **how)


def bodies(stream, number, within=10.0):
    """Receive until so many bodies came."""
    found = []
    harness.wait_until(
        lambda: found.extend(stream.receive(0.1)) or len(found) >= number, within, f"{number} came", dump=lambda: found
    )
    return found


def clocks(found):
    """Return the numbers of the echoes among these bodies."""
    return [event.clock for event in decode(found)[0]]


class Heard:
    """The events that a stream brings, one after another."""

    def __init__(self, stream):
        self._stream, self.events = stream, []

    def wait_for(self, *kinds, within=20):
        """Receive until there was one of each kind."""
        harness.wait_until(lambda: self._receive() >= set(kinds), within, f"{kinds} came", dump=lambda: self.events)

    def of_tasks(self):
        """Return whose events came."""
        return {one.uuid for one in self.events if one.type.startswith("task-")}

    def first(self, kind):
        return next(one for one in self.events if one.type == kind)

    def _receive(self):
        found, malformed = decode(self._stream.receive(0.2))
        assert malformed == 0
        self._stream.settle(self._stream.mark())
        self.events += found
        return {one.type for one in self.events}


LIFE = ("task-sent", "task-received", "task-started", "task-succeeded", "worker-heartbeat")
"""What a worker and its producer say of one task."""


def failing(call, kind=UnreachableError):
    """Return how many seconds a call took to fail so, and what it said."""
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    return time.monotonic() - begun, str(caught.value)


def depths(broker, names):
    """Return how much waits in each of these queues, as far as the broker tells."""
    return {one.name: one.depth for one in broker.queues(names) if one.name in names and "ready" not in one.unknown}
