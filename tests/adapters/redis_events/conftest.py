"""Our own reader on a real Redis."""

import pytest
import redis

from adapters.redis_events.inside import LIMIT, drains
from celeriac.adapters.redis_events import RedisEvents


@pytest.fixture
def listen():
    """Open streams that are closed when the test ends; no thread of theirs is left then."""
    opened = []

    def listening(url, **options):
        opened.append(RedisEvents(url, **{"timeout": LIMIT, **options}))
        opened[-1].receive(0.01)
        return opened[-1]

    yield listening
    for one in opened:
        one.close()
    assert drains() == []


@pytest.fixture
def look(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client
