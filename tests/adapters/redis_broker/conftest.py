"""What is asked of a real Redis."""

import pytest
import redis

from celeriac.adapters.redis_broker import RedisBroker


@pytest.fixture
def broker(redis_server):
    return RedisBroker(redis_server.url, timeout=0.5)


@pytest.fixture
def look(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client
