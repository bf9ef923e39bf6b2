"""Observer and writer are killed in the middle of a stream: what the broker keeps is lost to nobody, and counted once."""

import contextlib
import json
import os
import signal
import sqlite3

import amqp
import pytest
import redis

import harness
from celeriac.processes import running
from live_observer import Watched, life, publish

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

BATCH = 100


class Rabbit:
    """A worker's side of RabbitMQ."""

    def __init__(self, url: str, server: harness.RabbitMQ) -> None:
        vhost = url.rpartition("/")[2]
        self._connection = amqp.Connection(f"127.0.0.1:{server.port}", virtual_host=vhost)
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)

    def publish(self, events: list[dict]) -> None:
        body = amqp.Message(json.dumps(events), content_type="application/json", content_encoding="utf-8")
        self._channel.basic_publish(body, "celeryev", "task.multi")

    def waiting(self, queue: str) -> int:
        return int(self._channel.queue_declare(queue, passive=True).message_count)

    def close(self) -> None:
        self._connection.close()


def test_on_rabbitmq_kills_lose_nothing_and_count_nothing_twice(tmp_path, rabbitmq_server, rabbitmq_vhost):
    """The writer is killed, then the observer, then both are started again, while tasks come without a pause."""
    watched, sent = Watched(tmp_path, rabbitmq_vhost), 0
    rabbit = Rabbit(rabbitmq_vhost, rabbitmq_server)

    def flow(batches: int) -> None:
        nonlocal sent
        for _ in range(batches):
            events = [event for number in range(sent, sent + BATCH) for event in life(number)]
            for start in range(0, len(events), 25):  # so that a task's events lie in several messages
                rabbit.publish(events[start : start + 25])
            sent += BATCH

    with running(watched.start()) as observer:
        flow(40)
        harness.wait_until(lambda: watched.rows() > 0, 20, "some are stored", dump=watched.end)
        os.kill(watched.writer(observer), signal.SIGKILL)
        flow(40)
        watched.says("the writer's process has ended", 20)
        watched.says(None, 30)
        flow(40)
        observer.kill()
        flow(40)
    with running(watched.start()):
        flow(40)
        watched.is_stored({"SUCCESS": sent}, 60)

        assert watched.rows() == sent
        assert watched.rolled_up() == {"RECEIVED": sent, "STARTED": sent, "SUCCESS": sent}
        queue = f"celeriac.events.default.{identity(watched)}"
        harness.wait_until(lambda: rabbit.waiting(queue) == 0, 20, "everything is acknowledged")
    rabbit.close()


def test_on_redis_a_killed_writer_loses_nothing_and_a_killed_observer_what_came_meanwhile(tmp_path, redis_server):
    """Redis keeps nothing for later: what is published between two lives of the observer is gone, and nothing else."""
    watched = Watched(tmp_path, redis_server.url)
    client = redis.Redis(port=redis_server.port)
    sent = 0

    def flow(batches: int) -> None:
        nonlocal sent
        for _ in range(batches):
            publish(client, range(sent, sent + BATCH))
            sent += BATCH

    with running(watched.start()) as observer:
        flow(20)
        harness.wait_until(lambda: watched.rows() > 0, 20, "some are stored", dump=watched.end)
        os.kill(watched.writer(observer), signal.SIGKILL)
        flow(20)
        watched.is_stored({"SUCCESS": sent})
        assert watched.rolled_up()["SUCCESS"] == sent
        observer.kill()
        unheard = sent
        flow(5)
        unheard = sent - unheard
    with running(watched.start()):
        flow(20)
        watched.is_stored({"SUCCESS": sent - unheard})
        assert watched.rolled_up()["SUCCESS"] == sent - unheard


def test_a_stop_stores_what_was_heard(tmp_path, redis_server):
    """SIGTERM ends the observer with everything stored and exit code 0."""
    watched = Watched(tmp_path, redis_server.url)
    client = redis.Redis(port=redis_server.port)
    with running(watched.start()) as observer:
        publish(client, range(2000))
        harness.wait_until(lambda: watched.last()["events_seen"] >= 6000, 20, "all are heard")
        observer.terminate()
        assert observer.wait(20) == 0, watched.log.read_text()

    assert watched.states() == {"SUCCESS": 2000}


def identity(watched: Watched) -> str:
    with contextlib.closing(sqlite3.connect(watched.history)) as connection:
        return str(connection.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()[0])
