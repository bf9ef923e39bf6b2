"""What messages on Redis hold: other content types, pickle, and whatever else anybody publishes there."""

import base64
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.broker_talk import bodies, clocks, echo, publish
from adapters.redis_events.inside import subscriber
from adapters.redis_messages import CHANNEL, NO_EVENT, envelope
from celeriac.adapters.content import Content
from celeriac.adapters.redis_events.envelope import opened, sealed
from celeriac.ports import Condition

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


def test_pickle_is_refused_unless_it_is_allowed(redis_server, listen):
    """What is refused is an empty body and is counted apart."""
    strict, lax = listen(redis_server.url), listen(redis_server.url, allow_pickle=True)
    publish(redis_server.url, echo(1), serializer="pickle")

    assert bodies(strict, 1) == [b""]
    assert strict.condition().refused == 1
    assert [json.loads(body) for body in bodies(lax, 1)] == [echo(1)]
    assert lax.condition().refused == 0


ODD = {
    "a body that is no base64 by its own word": envelope(body=json.dumps(echo(5)), properties={}),
    "no headers": envelope(headers=...),
    "null headers": envelope(headers=None),
    "another character set": envelope(**{"content-encoding": "ascii"}),
    "more than we know": envelope(more=[{}], headers={"hostname": "h", "x": [1]}),
}


ODDER = NO_EVENT | {
    "nothing": "",
    "two envelopes": envelope() + "," + envelope(),
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


@pytest.mark.parametrize("published", ODDER.values(), ids=ODDER)
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
