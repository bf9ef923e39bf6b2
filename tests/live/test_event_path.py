"""Observer and writer are killed in the middle of a stream: what the broker keeps is lost to nobody, and counted once."""

import json
import os
import signal
import sqlite3
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import amqp
import pytest
import redis

import harness
from celeriac.adapters.redis_events.envelope import sealed
from celeriac.adapters.sql import SqlStore
from celeriac.core.rollup import by_state, total
from celeriac.core.search import TaskFilter
from celeriac.processes import Child, running, spawn

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

BATCH = 100


class Watched:
    """`celeriac observe` on a broker, as a process that is killed and started again, and what it has stored."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder, self.broker = folder, broker
        self.log = folder / "observe.log"

    def start(self) -> Child:
        argv = [sys.executable, "-m", "celeriac", "observe", "--every", "0.1", "--broker", self.broker]
        with self.log.open("ab") as out:
            child = spawn([*argv, "--store", f"sqlite:///{self.folder / 'store'}"], stdout=out, stderr=out)
        heard = self.log.read_text().count("listening to the broker")
        harness.wait_until(
            lambda: self.log.read_text().count("listening to the broker") > heard and self.last().get("lag_s"),
            30,
            "the observer listens",
            dump=self.log.read_text,
        )
        return child

    def last(self) -> dict:
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("observation ")]
        return json.loads(lines[-1].removeprefix("observation ")) if lines else {}

    def writer(self, observer: Child) -> int:
        found = [pid for pid, line in harness.descendants(observer.pid).items() if " celeriac writer " in line]
        return next(pid for pid in found if not harness.command_line(pid).startswith("/bin/sh"))

    def states(self) -> Counter:
        with SqlStore(self.folder / "store", ("default",)).opened() as store:
            found = store.tasks("default").facets(TaskFilter(within_s=20))
            return Counter(found.states)

    def rolled_up(self) -> dict[str, int]:
        with SqlStore(self.folder / "store", ("default",)).opened() as store:
            return by_state(total(store.charts("default").counts(0, time.time() + 3600, 3600).values()))

    def rows(self) -> int:
        with sqlite3.connect(self.folder / "store" / "history-default.db") as connection:
            tables = [f"tasks_{id}" for (id,) in connection.execute("SELECT id FROM partitions")]
            counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608
            return sum(number for (number,) in counts)


def life(number: int) -> list[dict]:
    """Return the events of one task from its arrival to its end."""
    worker = {"hostname": "celery@a", "pid": 7, "clock": number, "utcoffset": 0}
    task, at = {**worker, "uuid": str(uuid.uuid4())}, time.time()
    return [
        {**task, "type": "task-received", "timestamp": at, "name": f"shop.t{number % 5}", "args": f"({number},)"},
        {**task, "type": "task-started", "timestamp": at + 0.001},
        {**task, "type": "task-succeeded", "timestamp": at + 0.002, "result": "None", "runtime": 0.001},
    ]


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
        harness.wait_until(lambda: watched.rows() > 0, 20, "some are stored", dump=watched.log.read_text)
        os.kill(watched.writer(observer), signal.SIGKILL)
        flow(40)
        harness.wait_until(
            lambda: watched.last().get("store_error"), 20, "it says that the writer ended", dump=watched.log.read_text
        )
        harness.wait_until(
            lambda: not watched.last().get("store_error"), 30, "and that it is back", dump=watched.log.read_text
        )
        flow(40)
        observer.kill()
        flow(40)
    with running(watched.start()):
        flow(40)
        harness.wait_until(
            lambda: watched.states() == {"SUCCESS": sent}, 60, f"all {sent} are stored", dump=watched.log.read_text
        )

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
        harness.wait_until(lambda: watched.rows() > 0, 20, "some are stored", dump=watched.log.read_text)
        os.kill(watched.writer(observer), signal.SIGKILL)
        flow(20)
        harness.wait_until(
            lambda: watched.states() == {"SUCCESS": sent}, 40, f"all {sent} are stored", dump=watched.log.read_text
        )
        assert watched.rolled_up()["SUCCESS"] == sent
        observer.kill()
        unheard = sent
        flow(5)
        unheard = sent - unheard
    with running(watched.start()):
        flow(20)
        harness.wait_until(
            lambda: watched.states() == {"SUCCESS": sent - unheard},
            40,
            f"all {sent - unheard} that could be heard are stored",
            dump=watched.log.read_text,
        )
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


def publish(client: redis.Redis, numbers: range) -> None:
    with client.pipeline(transaction=False) as pipe:
        for number in numbers:
            for event in life(number):
                pipe.publish("/0.celeryev/task.event", sealed(event, "task.event"))
        pipe.execute()


def identity(watched: Watched) -> str:
    with sqlite3.connect(watched.folder / "store" / "history-default.db") as connection:
        return str(connection.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()[0])
