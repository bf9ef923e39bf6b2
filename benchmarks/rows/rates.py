"""How many events a second go the whole way: received, decoded, folded, committed to SQLite, and every task complete."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from benchmarks import brokers, flower, observer
from benchmarks.bench import Bench
from benchmarks.corpus import Segment
from benchmarks.generator import ready
from benchmarks.table import Bar, Figure, Kind

TITLES = {"redis": "Redis", "rabbitmq": "RabbitMQ"}


def on_redis(bench: Bench) -> Iterator[Figure]:
    """As fast as Redis takes them; here it may hold any amount for a slow subscriber, so that nobody is cut off."""
    yield _figure(bench, "redis", Bar(Kind.TIMES, 15, aim=25))


def on_rabbitmq(bench: Bench) -> Iterator[Figure]:
    """The observer stands still while its queue fills, so that RabbitMQ's work at taking messages in is not measured."""
    yield _figure(bench, "rabbitmq", Bar(Kind.TIMES, 18, aim=30))


def _figure(bench: Bench, broker: str, bar: Bar) -> Figure:
    segments = bench.corpora.burst(bench.size.burst_tasks, broker)
    few = bench.corpora.burst(bench.size.flower_burst_tasks, broker)
    ours, flowers, flaws = [], [], []
    for _ in range(bench.rounds):
        if bench.flower:
            flowers.append(_flower_rate(bench, broker, few, bench.flower))
            bench.say(f"{broker}: Flower takes {flowers[-1]:,.0f} events/s")
        rate, flaw = _our_rate(bench, broker, segments)
        bench.say(f"{broker}: Celeriac takes {rate:,.0f} events/s, {flaw or 'every task complete'}")
        ours.append(rate)
        flaws += [flaw] if flaw else []
    return Figure(
        f"{TITLES[broker]}: events/s into SQLite, every task complete (Flower: into memory)",
        "events/s",
        bar,
        tuple(ours),
        tuple(flowers),
        flaw="; ".join(flaws),
    )


def _server(broker: str, room: Path) -> AbstractContextManager[str]:
    return {"redis": partial(brokers.redis, unlimited=True), "rabbitmq": brokers.rabbitmq}[broker](room)


def _our_rate(bench: Bench, broker: str, segments: Sequence[Segment]) -> tuple[float, str]:
    with bench.room() as room, _server(broker, room) as url:
        with observer.running(url, room / "store", room) as ours, ready(url, segments) as generator:
            if broker == "rabbitmq":
                os.kill(ours.child.pid, signal.SIGSTOP)
                generator.start()
                sent, start = generator.sent(), time.perf_counter()
                os.kill(ours.child.pid, signal.SIGCONT)
            else:
                start, sent = generator.start(), generator.sent()
            count, until = ours.settle(sent.events)
            ours.stop()
        return count / (until - start), observer.missing(room / "store", segments)


def _flower_rate(bench: Bench, broker: str, segments: Sequence[Segment], python: Path) -> float:
    with (
        bench.room() as room,
        _server(broker, room) as url,
        flower.running(url, room, python) as theirs,
        ready(url, segments) as generator,
    ):
        start = generator.start()
        count, until = theirs.settle(generator.sent().events)
    return count / (until - start)
