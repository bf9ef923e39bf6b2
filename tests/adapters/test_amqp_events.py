"""The event stream on a real RabbitMQ: a queue that outlives its reader, and everything that a broker may do to it."""

import importlib.util
import json
import os
import signal
import time

import amqp
import pytest
from celery import Celery
from kombu import Connection, Producer

import harness
from adapters.rabbitmq_worker import worker_running
from celeriac.adapters.amqp_client import connect
from celeriac.adapters.amqp_events import AmqpEvents, subscription
from celeriac.adapters.amqp_events.subscription import QUEUE_BOUNDS
from celeriac.core.errors import ConflictError, PortError, RefusedError, UnreachableError
from celeriac.core.fold import ECHO

LIMIT = 2.0
QUEUE = "celeriac.events.orders.1f2e3d4c"


def echo(number):
    return {"type": ECHO, "hostname": "celeriac@demo", "timestamp": 1_795_000_000.5, "pid": 7, "clock": number}


@pytest.fixture
def listen():
    """Open streams that are closed when the test ends; they connect at once unless told otherwise."""
    opened = []

    def listening(url, queue=QUEUE, *, at_once=True, **options):
        opened.append(AmqpEvents(url, queue, **{"timeout": LIMIT, **options}))
        if at_once:
            assert opened[-1].receive(0.01) == []
        return opened[-1]

    yield listening
    for one in opened:
        one.close()


@pytest.fixture
def stream(rabbitmq_vhost, listen):
    return listen(rabbitmq_vhost)


@pytest.fixture
def admin(rabbitmq_vhost):
    """Give a channel of a connection of its own."""
    connection = connect(rabbitmq_vhost, timeout=10, name="test")
    yield connection.channel()
    connection.collect()


@pytest.fixture
def publish(rabbitmq_vhost):
    """Publish as Celery does, with any serializer, and return when all is in our queue."""
    with Connection(rabbitmq_vhost) as connection:
        channel = connection.channel()
        producer = Producer(channel)

        def published(*messages, **options):
            options = {"serializer": "json", "delivery_mode": 1, **options}
            for one in messages:
                producer.publish(one, exchange="celeryev", routing_key="worker.heartbeat", **options)
            channel.queue_declare(QUEUE, passive=True)  # answered after what came before on this channel

        yield published


def bodies(stream, number, within=10.0):
    """Receive until so many bodies came."""
    found = []
    harness.wait_until(
        lambda: found.extend(stream.receive(0.1)) or len(found) >= number, within, f"{number} came", dump=lambda: found
    )
    return found


def clocks(found):
    return [json.loads(body)["clock"] for body in found]


def refused(call, kind=PortError):
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    assert time.monotonic() - begun < 3 * LIMIT
    return str(caught.value)


def lost(stream, within=10.0):
    """Receive until the connection is known to be lost, and return what was said."""

    def said():
        try:
            stream.receive(0.1)
        except PortError as error:
            return str(error)

    return harness.wait_until(said, within, "the connection is lost")


def ready(admin):
    return admin.queue_declare(QUEUE, passive=True).message_count


def test_our_own_event_comes_back(stream):
    """What is sent is received again as JSON bytes, in order."""
    for number in range(3):
        stream.send(echo(number))
    found = bodies(stream, 3)

    assert all(type(body) is bytes for body in found)
    assert [json.loads(body) for body in found] == [echo(number) for number in range(3)]


def test_silence_is_an_empty_list_after_the_time_asked_for(stream):
    """No event is no error."""
    begun = time.monotonic()

    assert stream.receive(0.3) == []
    assert 0.25 < time.monotonic() - begun < 2


def test_what_came_is_handed_over_at_once(stream):
    """`within` is the longest wait, not a pause."""
    stream.send(echo(1))
    begun = time.monotonic()

    assert len(stream.receive(10)) == 1
    assert time.monotonic() - begun < 5


def test_a_flood_comes_whole_and_in_order(stream, publish):
    """Thousands of events are neither lost nor repeated."""
    publish(*map(echo, range(3000)))

    assert clocks(bodies(stream, 3000, 20)) == list(range(3000))


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


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_a_large_body_comes_over_several_frames(stream, publish, size):
    """A frame holds 128 KB at most."""
    publish({"type": "large", "text": "x" * size}, echo(1))
    large, small = bodies(stream, 2)

    assert len(json.loads(large)["text"]) == size
    assert json.loads(small) == echo(1)


SERIALIZED = {
    "yaml": {"serializer": "yaml"},
    "yaml, compressed": {"serializer": "yaml", "compression": "bzip2"},
    "JSON, compressed": {"compression": "gzip"},
}
if importlib.util.find_spec("msgpack"):
    SERIALIZED["msgpack"] = {"serializer": "msgpack"}


@pytest.mark.parametrize("options", SERIALIZED.values(), ids=SERIALIZED)
def test_events_of_another_serializer_come_as_json(stream, publish, options):
    """A batch of them too."""
    publish(echo(1), [echo(2), echo(3)], **options)

    assert [json.loads(body) for body in bodies(stream, 2)] == [echo(1), [echo(2), echo(3)]]
    assert stream.condition().refused == 0


def test_pickle_is_refused_and_counted(stream, publish):
    """An empty body stands for it, and what follows is read."""
    publish(echo(1), serializer="pickle")
    publish(echo(2))

    assert bodies(stream, 2)[0] == b""
    assert stream.condition().refused == 1


def test_pickle_is_read_where_it_is_allowed(rabbitmq_vhost, listen, publish):
    """Whoever may publish there may then run code here."""
    stream = listen(rabbitmq_vhost, allow_pickle=True)
    publish(echo(1), serializer="pickle")

    assert json.loads(bodies(stream, 1)[0]) == echo(1)


def test_a_message_that_cannot_be_read_is_an_empty_body(stream, admin):
    """No type, no text, no YAML: each costs itself only."""
    odd = [
        amqp.Message(b"[]"),
        amqp.Message(b"\xff", content_type="application/x-yaml", content_encoding="utf-8"),
        amqp.Message(
            b"no gzip", content_type="application/json", application_headers={"compression": "application/x-gzip"}
        ),
        amqp.Message(b"", content_type="application/json"),
    ]
    for message in odd:
        admin.basic_publish(message, "celeryev", "x")
    stream.send(echo(1))

    # Two connections: RabbitMQ keeps the order of each, not between them.
    assert sorted(bodies(stream, 5)) == [b"", b"", b"", b"", json.dumps(echo(1), separators=(",", ":")).encode()]


# The queue


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
    assert said == f"another observer reads the queue {QUEUE}, and it has one reader only"
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


# The connection


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


# Who is let in


def test_an_address_where_nobody_listens_is_unreachable_at_once(free_port):
    """No second try, and no pause before it: the observer has its own back-off."""
    assert "refused" in refused(
        lambda: AmqpEvents(f"amqp://guest:guest@127.0.0.1:{free_port()}//", QUEUE, timeout=LIMIT).receive(5),
        UnreachableError,
    )


def test_a_wrong_login_says_so_and_shows_no_secret(rabbitmq_server, rabbitmq_vhost):
    """Neither a wrong password nor a missing virtual host is helped by another try."""
    wrong = rabbitmq_vhost.replace("guest:guest", "guest:wrong-secret")
    said = refused(lambda: AmqpEvents(wrong, QUEUE, timeout=LIMIT).receive(0.1), RefusedError)
    assert "Login was refused" in said
    assert "secret" not in said

    missing = rabbitmq_server.url("nowhere")
    assert "nowhere" in refused(lambda: AmqpEvents(missing, QUEUE, timeout=LIMIT).receive(0.1), RefusedError)


def test_events_come_over_tls(rabbitmq_server, listen):
    """The certificate is checked against the authority that the URL names; large bodies cross many records."""
    stream = listen(rabbitmq_server.tls_url(rabbitmq_server.fresh_vhost()))
    assert stream.receive(0.2) == []
    stream.send({"type": "large", "text": "x" * 100_000})
    stream.send(echo(1))
    large, small = bodies(stream, 2)

    assert len(large) > 100_000
    assert json.loads(small) == echo(1)
    stream.settle(stream.mark())
    stream.close()
    assert stream.receive(0.3) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_does_not_fit_is_refused(rabbitmq_server, listen, host):
    """By its authority, and by the name in it; the URL may ask for less."""
    fits = rabbitmq_server.tls_url(host=host)
    wrong = fits.partition("?")[0] if host == "localhost" else fits
    said = refused(lambda: AmqpEvents(wrong, QUEUE, timeout=LIMIT).receive(0.1))
    assert "certificate verify failed" in said

    less = "?ssl_cert_reqs=none" if host == "localhost" else "&ssl_check_hostname=false"
    listen(wrong + less, "celeriac.events.lenient.1")


# With a real worker


@pytest.mark.live
def test_heartbeats_and_task_events_are_read(rabbitmq_vhost, stream, tmp_path):
    """A worker's beats, every step of a task and the worker's goodbye."""
    events = []
    with worker_running(tmp_path, rabbitmq_vhost, "heard") as (node, child):
        with Celery("producer", broker=rabbitmq_vhost, set_as_current=False) as app:
            app.conf.task_send_sent_event = True
            sent = app.send_task("small.nap", [0.01], queue="small").id

        def heard(*kinds):
            for body in stream.receive(0.2):
                found = json.loads(body)
                events.extend(found if isinstance(found, list) else [found])
            stream.settle(stream.mark())
            return set(kinds) <= {one["type"] for one in events}

        harness.wait_until(
            lambda: heard("task-sent", "task-received", "task-started", "task-succeeded", "worker-heartbeat"), 20,
            "all is heard", dump=lambda: events,
        )  # fmt: skip
        assert {one["uuid"] for one in events if one["type"].startswith("task-")} == {sent}
        beat = next(one for one in events if one["type"] == "worker-heartbeat")
        assert (beat["hostname"], beat["pid"]) == (node, child.pid)
        child.terminate()
        harness.wait_until(lambda: heard("worker-offline"), 10, "it says goodbye", dump=lambda: events)
