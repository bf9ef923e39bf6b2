"""Celery's remote control through a real RabbitMQ that stands still."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from adapters.broker_talk import failing
from celeriac.adapters.control import CeleryControl

LIMIT = 1.0
SOON = 6 * LIMIT
"""A frozen broker costs one limit for the question and, with TLS, one for the goodbye; without a limit it costs for ever."""


@pytest.fixture(params=["amqp", "amqps"])
def control(request, rabbitmq_server):
    vhost = rabbitmq_server.fresh_vhost()
    url = rabbitmq_server.url(vhost) if request.param == "amqp" else rabbitmq_server.tls_url(vhost)
    return CeleryControl(url, wait=0.4, timeout=LIMIT)


def test_a_rabbitmq_that_stands_still_is_unreachable_within_the_time_limit(control, rabbitmq_server):
    """On the connection that is there, and on a new one; afterwards the next question works."""
    assert control.ping(["worker@x"]) == frozenset()
    known, new = said_by_a_frozen(rabbitmq_server, control, times=2)

    assert known == "remote control: the broker does not answer in time"
    assert "timed out" in new
    assert control.ping(["worker@x"]) == frozenset()


def test_a_rabbitmq_that_stands_still_keeps_no_connection(control, rabbitmq_server):
    """What did not answer in time is let go: asked often, we do not gather connections."""
    control.ping(["worker@x"])
    before = connections(rabbitmq_server)
    said_by_a_frozen(rabbitmq_server, control, times=1)

    harness.wait_until(lambda: connections(rabbitmq_server) < before, 10, "the connection is gone")
    control.ping(["worker@x"])
    assert connections(rabbitmq_server) <= before


def said_by_a_frozen(server, control, times):
    """Return what so many pings say, each within its time, while the server stands still."""
    with ThreadPoolExecutor(1) as thread:
        harness.freeze(server.child.pid)
        try:
            return [thread.submit(failing, lambda: control.ping(["worker@x"])).result(SOON)[1] for _ in range(times)]
        finally:
            os.kill(server.child.pid, signal.SIGCONT)  # also ends a ping that has no limit


def connections(server):
    return int(server.evaluate("length(rabbit_networking:connections())."))
