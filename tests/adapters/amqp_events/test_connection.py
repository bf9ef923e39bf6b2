"""Everything that a broker may do to a connection, and what is said of it."""

import contextlib
import json
import os
import signal

import harness
from adapters.amqp_events.inside import QUEUE, lost, ready, refused
from adapters.broker_talk import bodies, clocks, echo
from celeriac.adapters.amqp_events import subscription
from celeriac.core.errors import ConflictError, PortError, UnreachableError


def test_an_operator_who_closes_it_gives_the_reason(rabbitmq_server, stream):
    """The broker's own words are shown; the next call connects again."""
    rabbitmq_server.drop_connections()
    assert "by test" in lost(stream)

    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]


def test_a_channel_that_the_broker_closes_gives_the_reason(stream):
    """As it does when what was delivered is not settled for half an hour."""
    stream.settle(stream.mark() + 5)
    assert "unknown delivery tag 5" in lost(stream)

    assert stream.receive(0.01) == []


def test_a_closed_stream_leaves_its_queue_and_no_connection(rabbitmq_server, stream, admin):
    """It says goodbye, and closing twice is no error."""
    others = rabbitmq_server.evaluate("length(rabbit_networking:connections()).")
    stream.close()
    stream.close()

    harness.wait_until(
        lambda: int(rabbitmq_server.evaluate("length(rabbit_networking:connections()).")) == int(others) - 1,
        5,
        "it is gone",
    )
    assert admin.queue_declare(QUEUE, passive=True).consumer_count == 0
    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]


def test_a_goodbye_waits_until_the_last_settlement_is_heard(stream, publish, admin):
    """However much is on its way to us: a connection that is just dropped then takes what we have sent with it."""
    publish(*[{"type": "large", "text": "x" * 1000}] * 8000)
    left = 8000
    for _ in range(4):
        stream.receive(5)
        left -= stream.mark() & 0xFFFF
        stream.settle(stream.mark())
        stream.close()
        assert ready(admin) == left


def test_heartbeats_keep_a_quiet_connection(rabbitmq_vhost, listen, monkeypatch):
    """RabbitMQ ends a connection that is silent for two intervals."""
    monkeypatch.setattr(subscription, "HEARTBEAT_S", 1.0)
    stream = listen(rabbitmq_vhost)
    with harness.lasting(5) as over:
        while not over():
            assert stream.receive(0.2) == []
    stream.send(echo(1))

    assert clocks(bodies(stream, 1)) == [1]


def test_a_broker_that_stands_still_is_noticed(rabbitmq_server, rabbitmq_vhost, listen, monkeypatch):
    """An open connection by its heartbeats; a new one within the time limit."""
    monkeypatch.setattr(subscription, "HEARTBEAT_S", 1.0)
    stream = listen(rabbitmq_vhost)
    harness.freeze(rabbitmq_server.child.pid)
    try:
        assert "no heartbeat" in lost(stream)
        assert refused(lambda: stream.receive(5), UnreachableError) == "RabbitMQ does not answer in time"
    finally:
        os.kill(rabbitmq_server.child.pid, signal.SIGCONT)

    def hears():
        try:
            stream.send(echo(1))
        except PortError:
            return False
        return bodies(stream, 1)

    assert clocks(harness.wait_until(hears, 10, "it hears again")) == [1]


def test_a_connection_of_ours_that_is_half_open_is_given_up_by_rabbitmq(
    rabbitmq_server, rabbitmq_vhost, listen, way, monkeypatch
):
    """Until then it holds our queue, and what is said names that reason too."""
    monkeypatch.setattr(subscription, "HEARTBEAT_S", 2.0)
    stream = listen(rabbitmq_vhost.replace(f":{rabbitmq_server.port}/", f":{way.port}/"))
    way.forget()
    stream.close()
    said = refused(lambda: stream.receive(0.1), ConflictError)
    assert said.endswith("or RabbitMQ has not yet given up our connection before this one")

    def reads():
        with contextlib.suppress(ConflictError):
            return stream.receive(0.01) == []

    assert harness.wait_until(reads, 20, "it reads again", every=0.2)


def test_rabbitmq_gives_up_a_half_open_connection_within_half_a_minute(rabbitmq_server, rabbitmq_vhost, stream):
    """After three heartbeats, and each is due after ten seconds."""
    vhost = rabbitmq_vhost.rpartition("/")[2]
    heartbeats = rabbitmq_server.evaluate(
        "lists:sum([T || P <- rabbit_networking:connections(), [{vhost, V}, {timeout, T}] <- "
        f'[rabbit_networking:connection_info(P, [vhost, timeout])], V == <<"{vhost}">>]).'
    )

    assert heartbeats == "10"


def test_a_broker_that_stops_is_unreachable_and_may_come_back(rabbitmq_server, stream, publish):
    """Reading, and then each new try, fails at once; after the restart our queue is there again."""
    rabbitmq_server.stop()
    try:
        said = lost(stream)
        assert said
        for call in (lambda: stream.receive(5), lambda: stream.send(echo(1))):
            assert "refused" in refused(call, UnreachableError)
        assert stream.condition().backlog_bytes == 0
    finally:
        rabbitmq_server.start()

    stream.send(echo(2))
    assert clocks(bodies(stream, 1)) == [2]


def test_a_broker_without_memory_says_why_it_takes_nothing(rabbitmq_server, stream):
    """RabbitMQ stops reading from whoever publishes, and tells so."""
    rabbitmq_server.evaluate("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).")
    try:

        def said():
            try:
                stream.send(echo(1))
                stream.receive(0.1)
            except UnreachableError as error:
                return str(error)

        assert "low on memory" in harness.wait_until(said, 10, "it says so")
    finally:
        rabbitmq_server.evaluate("rabbit_alarm:clear_alarm({resource_limit, memory, node()}).")
    harness.wait_until(lambda: stream.send(echo(2)) or 2 in clocks(stream.receive(1)), 10, "events flow again")


def test_what_waits_in_the_queue_is_the_backlog(rabbitmq_vhost, listen, publish, monkeypatch):
    """As the broker says with each event of our own; while something waits, a cut is counted."""
    monkeypatch.setattr(subscription, "PREFETCH", 10)
    stream = listen(rabbitmq_vhost)
    publish(*map(echo, range(100)))
    bodies(stream, 10)
    assert stream.condition().backlog_bytes == 0

    def behind():
        stream.send(echo(100))
        stream.receive(0.1)
        return stream.condition().backlog_bytes

    assert harness.wait_until(behind, 5, "it is behind") > 90 * len(json.dumps(echo(1)))
    stream.settle(stream.mark() + 50)  # which the broker has never handed out
    assert lost(stream)
    assert (stream.condition().backlog_bytes, stream.condition().cuts) == (0, 1)

    def caught_up():
        stream.settle(stream.mark())
        stream.send(echo(101))
        stream.receive(0.1)
        return stream.condition().backlog_bytes < 500

    harness.wait_until(caught_up, 10, "it has caught up")
