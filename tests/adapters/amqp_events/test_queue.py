"""A queue that outlives its reader: what is settled, what comes again, and its bounds."""

import amqp
import pytest

import harness
from adapters.amqp_events.inside import LIMIT, QUEUE, lost, ready, refused
from adapters.broker_talk import bodies, clocks, echo
from celeriac.adapters.amqp_events import AmqpEvents
from celeriac.adapters.amqp_events.subscription import QUEUE_BOUNDS
from celeriac.core.errors import ConflictError, RefusedError


def test_what_is_published_while_nobody_listens_arrives_later(rabbitmq_vhost, stream, publish, listen):
    """The queue outlives its reader."""
    stream.close()
    publish(*map(echo, range(5)))

    assert clocks(bodies(listen(rabbitmq_vhost, at_once=False), 5)) == list(range(5))


def test_what_is_not_settled_comes_again(rabbitmq_server, stream, publish):
    """When the connection is cut, all up to the mark is forgotten and the rest is delivered anew."""
    publish(*map(echo, range(4)))
    assert clocks(bodies(stream, 4)) == [0, 1, 2, 3]
    half = stream.mark() - 2
    stream.settle(half)
    rabbitmq_server.drop_connections()
    lost(stream)

    assert clocks(bodies(stream, 2)) == [2, 3]
    stream.settle(stream.mark())
    stream.close()
    assert stream.receive(0.5) == []


def test_a_mark_of_an_earlier_connection_settles_nothing(rabbitmq_server, stream, publish, admin):
    """Each connection counts anew, so the same number is another message."""
    publish(*map(echo, range(3)))
    bodies(stream, 3)
    old = stream.mark()
    stream.close()
    stream.settle(old)
    assert len(bodies(stream, 3)) == 3
    assert stream.mark() > old
    stream.settle(old)
    stream.settle(stream.mark() - 3)
    stream.close()

    assert ready(admin) == 3


def test_a_mark_settles_at_once(rabbitmq_vhost, stream, publish, admin, rabbitmq_server):
    """The broker hears of it although nothing is received or closed after it."""
    publish(echo(1))
    bodies(stream, 1)
    stream.settle(stream.mark())
    name = rabbitmq_vhost.rpartition("/")[2]

    def unsettled():
        return rabbitmq_server.evaluate(
            f'{{ok, Q}} = rabbit_amqqueue:lookup({{resource, <<"{name}">>, queue, <<"{QUEUE}">>}}), '
            "proplists:get_value(messages, rabbit_amqqueue:info(Q, [messages]))."
        )

    harness.wait_until(lambda: unsettled() == "0", 5, "the broker has forgotten it", dump=unsettled)


def test_our_queue_is_bounded_and_outlives_us(stream, admin):
    """RabbitMQ compares every argument when a queue is declared again."""
    declared = {"durable": True, "exclusive": False, "auto_delete": False}
    bounds = {"x-expires": 3_600_000, "x-max-length-bytes": 268_435_456, "x-overflow": "drop-head"}

    admin.queue_declare(QUEUE, **declared, arguments=bounds)
    for other in (declared | {"durable": False}, declared | {"auto_delete": True}):
        with pytest.raises(amqp.PreconditionFailed):
            admin.queue_declare(QUEUE, **other, arguments=bounds)
    for name in bounds:
        with pytest.raises(amqp.PreconditionFailed):
            admin.queue_declare(QUEUE, **declared, arguments={key: bounds[key] for key in bounds if key != name})


def test_the_oldest_goes_when_the_queue_is_full(rabbitmq_vhost, listen, publish, monkeypatch):
    """The broker is never filled by a reader that is away."""
    monkeypatch.setitem(QUEUE_BOUNDS, "x-max-length-bytes", 1000)
    stream = listen(rabbitmq_vhost)
    stream.close()
    publish(*map(echo, range(100)))
    found = []
    harness.wait_until(lambda: found.extend(clocks(stream.receive(0.1))) or 99 in found, 10, "the newest came")

    assert found == list(range(100 - len(found), 100))
    assert len(found) < 20


def test_a_second_reader_of_the_same_queue_is_told_so(rabbitmq_vhost, stream, listen):
    """It comes in when the first has gone; one with a queue of its own hears everything too."""
    rival = listen(rabbitmq_vhost, at_once=False)
    said = refused(lambda: rival.receive(0.1), ConflictError)
    assert said.startswith(f"another observer reads the queue {QUEUE}, which has one reader only, or ")
    other = listen(rabbitmq_vhost, "celeriac.events.orders.other")
    stream.send(echo(1))
    assert [clocks(bodies(one, 1)) for one in (stream, other)] == [[1], [1]]

    stream.close()
    rival.send(echo(2))
    assert 2 in clocks(bodies(rival, 2))


def test_a_queue_of_other_arguments_is_refused(rabbitmq_vhost, admin):
    """Somebody else's queue of that name is not touched."""
    admin.queue_declare(QUEUE, durable=True, auto_delete=False)

    said = refused(lambda: AmqpEvents(rabbitmq_vhost, QUEUE, timeout=LIMIT).receive(0.1), RefusedError)
    assert "x-expires" in said


def test_a_deleted_queue_is_said_and_made_again(stream, admin):
    """The broker cancels the consumer; the next call declares everything anew."""
    admin.queue_delete(QUEUE)
    assert QUEUE in lost(stream)

    stream.send(echo(1))
    assert clocks(bodies(stream, 1)) == [1]
