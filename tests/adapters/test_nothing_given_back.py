"""What workers hold unacknowledged on a Redis stays theirs, however long and however often we listen and ask."""

import json
import time

import pytest
import redis

from celeriac.adapters.control import CeleryControl
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.redis_client import giving_nothing_back

TWO_HOURS_S = 7200.0
MESSAGE = {"body": "e30=", "headers": {}, "properties": {"delivery_info": {}, "priority": 0, "delivery_tag": "held"}}


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h:6380/0", "sentinel://h:26379/0?master_name=m"])
def test_every_way_to_a_redis_has_the_option(url):
    assert giving_nothing_back(url)["visibility_timeout"] > time.time()


@pytest.mark.parametrize("url", ["amqp://h//", "sqs://", "pgmq://h/db", "memory://"])
def test_other_brokers_know_another_timeout_by_that_name(url):
    """SQS makes its queues with it, and refuses more than twelve hours."""
    assert giving_nothing_back(url) == {}


def held_for_long(look):
    """Have a worker hold a message for longer than Kombu's own visibility timeout of an hour."""
    look.hset("unacked", "held", json.dumps([MESSAGE, "", "celery"]))
    look.zadd("unacked_index", {"held": time.time() - TWO_HOURS_S})


def test_neither_questions_nor_listening_give_a_message_back(redis_server):
    """Workers may have a longer visibility timeout than we know: the task would run twice."""
    control, stream = CeleryControl(redis_server.url, wait=0.1), KombuEvents(redis_server.url, timeout=1.0)
    try:
        with redis.Redis(port=redis_server.port) as look:
            held_for_long(look)
            for _ in range(12):  # Kombu looks in the first and in every tenth of the times that nothing comes
                control.ping(["worker@x"])
                stream.receive(0.02)
            assert (look.hkeys("unacked"), look.llen("celery")) == ([b"held"], 0)
    finally:
        stream.close()
