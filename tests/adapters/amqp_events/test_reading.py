"""The event stream on a real RabbitMQ: every body once and in order, whatever it holds, and from a real worker."""

import importlib.util
import json
import time

import amqp
import pytest

from adapters.broker_talk import LIFE, Heard, bodies, clocks, echo, producer
from adapters.rabbitmq_worker import worker_running


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


@pytest.mark.live
def test_heartbeats_and_task_events_are_read(rabbitmq_vhost, stream, tmp_path):
    """A worker's beats, every step of a task and the worker's goodbye."""
    heard = Heard(stream)
    with worker_running(tmp_path, rabbitmq_vhost, "heard") as (node, child):
        with producer(rabbitmq_vhost, task_send_sent_event=True) as app:
            sent = app.send_task("small.nap", [0.01], queue="small").id

        heard.wait_for(*LIFE)
        assert heard.of_tasks() == {sent}
        beat = heard.first("worker-heartbeat")
        assert (beat.hostname, beat.pid) == (node, child.pid)
        child.terminate()
        heard.wait_for("worker-offline")
