"""The benchmarks measure what they say: their events are Celery's own, their short form runs, their table judges rightly."""

import contextlib
import json
import os
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import amqp
import pytest
import redis

import harness
from celeriac.processes import running, spawn

ROOT = Path(__file__).parent.parent
SHOP = "celeriac.demo.shop"
TYPES = {
    *("task-received", "task-started", "task-succeeded", "task-failed", "task-retried", "task-revoked"),
    *("worker-online", "worker-heartbeat"),
}
ORDERS = f"""
from {SHOP} import fail, price, reserve
price.apply_async((1,), countdown=3, expires=2)
fail.delay(1)
for order in range(30):
    reserve.delay(order)
"""


@pytest.fixture
def benchmarks(monkeypatch):
    """Let the test import what is measured with; it is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))


@contextlib.contextmanager
def worker_at_work(url, folder):
    """Run a real worker of the sample project, and have it do everything that ends in an event."""
    env = os.environ | {"BROKER_URL": url, "RESULT_URL": ""}
    argv = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        SHOP,
        "worker",
        "-n",
        "one@host",
        "-c",
        "2",
        "-Q",
        "orders",
        "-l",
        "INFO",
    ]
    said = folder / "worker.log"
    with said.open("wb") as log:
        child = spawn(argv, name="worker", env=env, cwd=folder, stdout=log, stderr=log)
    with running(child, grace=8):
        harness.wait_until(lambda: " ready." in said.read_text(), 20, "the worker is ready", dump=said.read_text)
        subprocess.run([sys.executable, "-c", ORDERS], env=env, check=True, timeout=30)
        yield


def generate(url):
    """Send what the benchmarks send, and end."""
    argv = [sys.executable, "-m", "benchmarks.generator", url, "--tasks", "2000", "--seed", "1"]
    subprocess.run(argv, cwd=ROOT, check=True, timeout=50, stdout=subprocess.DEVNULL)


def shape(about, body):
    """Return what a message is like, whatever its values: the order of all fields, and JSON as Kombu's encoder spaces it."""
    value = json.loads(body)
    assert json.dumps(value).encode() == body
    listed = isinstance(value, list)
    return {event["type"]: (about, listed, tuple(event)) for event in (value if listed else [value])}


class RedisTap:
    """What passes on the channels of Celery's events."""

    def __init__(self, url):
        self._client = redis.Redis.from_url(url)
        self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
        self._subscription.psubscribe("/0.celeryev/*")
        self._subscription.get_message(timeout=1)

    def shapes(self, types):
        found = {}

        def all_there():
            while message := self._subscription.get_message(timeout=0.1):
                found.update(self._shapes(message))
            return set(found) >= types

        harness.wait_until(all_there, 40, f"events of all types came: {types}", dump=lambda: set(found))
        return {type_: found[type_] for type_ in types}

    def _shapes(self, message):
        envelope = json.loads(message["data"])
        assert json.dumps(envelope).encode() == message["data"]
        held = envelope["properties"]
        about = (
            message["channel"].startswith(b"/0.celeryev/"),
            *(tuple(part) for part in (envelope, envelope["headers"], held, held["delivery_info"])),
            *(envelope[name] for name in ("content-encoding", "content-type")),
            *(held[name] for name in ("delivery_mode", "priority", "body_encoding")),
            held["delivery_info"]["exchange"],
            message["channel"].decode().removeprefix("/0.celeryev/") == held["delivery_info"]["routing_key"],
        )
        return shape((*about, held["delivery_info"]["routing_key"].split(".")[0]), b64decode(envelope["body"]))

    def close(self):
        self._subscription.close()
        self._client.close()


class RabbitTap:
    """What passes through the exchange of Celery's events."""

    def __init__(self, url):
        self._found = {}
        self._connection = amqp.Connection(url.split("@")[1].split("/")[0], virtual_host=url.rpartition("/")[2])
        self._connection.connect()
        channel = self._connection.channel()
        channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, "celeryev", "#")
        channel.basic_consume(queue, no_ack=True, callback=self._take)

    def _take(self, message):
        values = dict(message.properties)
        headers = values.pop("application_headers")
        about = (tuple(sorted(values.items())), tuple(headers), message.delivery_info["routing_key"].split(".")[0])
        body = message.body.encode() if isinstance(message.body, str) else message.body
        self._found.update(shape(about, body))

    def shapes(self, types):
        def all_there():
            with contextlib.suppress(TimeoutError):
                while not set(self._found) >= types:
                    self._connection.drain_events(timeout=1)
            return set(self._found) >= types

        harness.wait_until(all_there, 40, f"events of all types came: {types}", dump=lambda: set(self._found))
        found, self._found = self._found, {}
        return {type_: found[type_] for type_ in types}

    def close(self):
        self._connection.close()


@pytest.mark.live
@pytest.mark.timeout(120)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_generated_messages_are_those_of_real_workers(broker, tmp_path, request):
    """Envelope, properties, fields and their order: a benchmark of made-up messages would prove nothing."""
    if broker == "redis":
        url = request.getfixturevalue("redis_server").url
        real, made = RedisTap(url), RedisTap(url)
    else:
        url = request.getfixturevalue("rabbitmq_vhost")
        real, made = RabbitTap(url), RabbitTap(url)
    try:
        with worker_at_work(url, tmp_path):
            sent_by_celery = real.shapes(TYPES)
        made.close()
        made = type(made)(url)
        generate(url)

        assert made.shapes(TYPES) == sent_by_celery
    finally:
        real.close()
        made.close()


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_short_form_stores_every_task_complete():
    """What `make bench ARGS=--short` runs: every part works, and nothing is lost."""
    harness.need_redis()
    harness.need_rabbitmq()
    argv = [sys.executable, "-m", "benchmarks", "--short", "--json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    figures = json.loads(done.stdout or "[]")

    assert [one["what"] + ": " + one["flaw"] for one in figures if one["flaw"]] == [], done.stderr
    assert [one["what"] + ": " + one["missing"] for one in figures if one["missing"]] == [], done.stderr
    assert done.returncode == 0, done.stderr
    assert all(one["ours"] for one in figures)


def test_the_same_seed_gives_the_same_bytes(benchmarks, tmp_path):
    """A figure can be measured again."""
    from benchmarks.corpus import Recipe, build

    made = [
        build(Recipe(tasks=500, seed=seed, since=1_795_000_000.0), tmp_path / str(n))
        for n, seed in enumerate((1, 1, 2))
    ]
    once, again, other = (one.path.read_bytes() for one in made)

    assert once == again
    assert once != other
    assert made[0].tasks == 500
    assert made[0].outcomes == made[1].outcomes


def test_a_ratio_is_taken_pair_by_pair_and_a_flaw_meets_no_bar(benchmarks):
    """Rounds in turn share what else the machine did."""
    from benchmarks.table import Bar, Figure, Kind

    fair = Figure(
        "rate", "events/s", Bar(Kind.TIMES, 15, aim=25), ours=(300.0, 100.0, 400.0), flower=(10.0, 10.0, 20.0)
    )
    lossy = Figure("rate", "events/s", Bar(Kind.TIMES, 15), ours=(300.0,), flower=(10.0,), flaw="1 task is missing")
    slow = Figure("p95", "ms", Bar(Kind.MOST, 10, aim=2), ours=(4.0,), flower=(400.0,))

    assert (fair.ratio, fair.met, fair.aim_met) == (20.0, True, False)
    assert (lossy.ratio, lossy.met) == (30.0, False)
    assert (slow.ratio, slow.met, slow.aim_met) == (100.0, True, False)


def test_the_search_finds_the_highest_rate_that_holds(benchmarks):
    """None holds, some hold, all hold."""
    from benchmarks.rows.paced import search

    rates = (1.0, 2.0, 3.0, 4.0, 5.0)

    assert [search(rates, limit.__ge__) for limit in (0.0, 1.0, 3.0, 4.5, 9.0)] == [None, 1.0, 3.0, 4.0, 5.0]
