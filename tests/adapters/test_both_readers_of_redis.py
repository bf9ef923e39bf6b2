"""What our own reader of Redis and the fallback through Kombu have in common, on a real Redis."""

import json

import pytest

import harness
from adapters.broker_talk import bodies, clocks, echo, failing, publish
from adapters.redis_events.inside import LIMIT, drains
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.redis_events import RedisEvents


@pytest.fixture(params=[RedisEvents, KombuEvents], ids=["our own", "through Kombu"])
def stream(request, redis_server):
    one = request.param(redis_server.url, timeout=LIMIT)
    one.receive(0.01)
    yield one
    one.close()


def test_a_mark_moves_with_what_was_received(stream):
    """Pub/sub keeps nothing, so there is nothing to settle."""
    before = stream.mark()
    stream.receive(0.01)

    assert stream.mark() > before
    stream.settle(stream.mark())


@pytest.mark.parametrize(
    "how", [{"serializer": "yaml"}, {"compression": "gzip"}, {"serializer": "yaml", "compression": "bzip2"}], ids=str
)
def test_other_content_types_become_json(redis_server, stream, how):
    """They take the careful way, each for itself, and those around them do not."""
    for number in range(3):
        publish(redis_server.url, echo(number), **(how if number == 1 else {}))

    assert [json.loads(body) for body in bodies(stream, 3)] == [echo(number) for number in range(3)]
    assert (stream.condition().refused, stream.condition().cuts, stream.condition().backlog_bytes) == (0, 0, 0)


def test_a_redis_that_is_gone_is_unreachable_and_may_come_back(redis_server, stream, tmp_path):
    """Reading, and then each new try, fails at once; after a restart on the same port the next one works."""
    redis_server.child.kill()
    redis_server.child.wait(5)

    for call in (lambda: stream.receive(5), lambda: stream.receive(5), lambda: stream.send(echo(1))):
        took, said = failing(call)
        assert took < 1
        assert said.startswith("Redis: ") if isinstance(stream, RedisEvents) else said
    assert drains() == []
    with harness.redis_running(tmp_path / "again", port=redis_server.port):
        assert stream.receive(0.01) == []
        stream.send(echo(2))
        assert clocks(bodies(stream, 1)) == [2]
    assert stream.condition().cuts == 1
