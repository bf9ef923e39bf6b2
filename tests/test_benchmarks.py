"""The benchmarks measure what they say: their events are Celery's own, their short form runs, their table judges rightly."""

import json
import os
import subprocess
import sys
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
from {SHOP} import charge, fail, price, reserve
for order in range(30):
    price.delay(order), reserve.delay(order)
fail.delay(1)
price.apply_async((1,), expires=-5)
"""


@pytest.fixture
def benchmarks(monkeypatch):
    """Let the test import what is measured with; it is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def worker(tmp_path):
    """Start a real worker of the sample project on a broker, and have it do everything that ends in an event."""

    def working(url):
        env = os.environ | {"BROKER_URL": url, "RESULT_URL": ""}
        argv = [sys.executable, "-m", "celery", "-A", SHOP, "worker", "-n", "one@host", "-c", "2", "-Q", "orders"]
        with (tmp_path / "worker.log").open("wb") as log:
            child = spawn(argv, name="worker", env=env, cwd=tmp_path, stdout=log, stderr=log)
        subprocess.run([sys.executable, "-c", ORDERS], env=env, check=True, timeout=30)
        return running(child, grace=8)

    return working


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
        from base64 import b64decode

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
            self._connection.drain_events(timeout=20)
            return set(self._found) >= types

        harness.wait_until(all_there, 40, f"events of all types came: {types}", dump=lambda: set(self._found))
        found, self._found = self._found, {}
        return {type_: found[type_] for type_ in types}

    def close(self):
        self._connection.close()


@pytest.mark.live
@pytest.mark.timeout(120)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_generated_messages_are_those_of_real_workers(broker, worker, request):
    """Envelope, properties, fields and their order: a benchmark of made-up messages would prove nothing."""
    if broker == "redis":
        url = request.getfixturevalue("redis_server").url
        real, made = RedisTap(url), RedisTap(url)
    else:
        url = request.getfixturevalue("rabbitmq_vhost")
        real, made = RabbitTap(url), RabbitTap(url)
    try:
        with worker(url):
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
    harness.need(harness.RABBITMQ, "rabbitmq-server")
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

    assert [search(rates, lambda rate: rate <= limit) for limit in (0, 1, 3, 4.5, 9)] == [None, 1.0, 3.0, 4.0, 5.0]
