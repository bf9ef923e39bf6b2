"""A store that already holds many tasks: how fast it takes more, and beside that a lease in `control.db`, and memory."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import brokers, observer
from benchmarks.bench import Bench
from benchmarks.generator import Generator, ready
from benchmarks.measures import percentile
from benchmarks.rows.paced import judged, search
from benchmarks.rows.stores import many
from benchmarks.table import Bar, Figure, Kind
from celeriac.adapters.sql import SqlStore

LEASE_EVERY_S = 0.05


@dataclass(frozen=True)
class Beside:
    """What was measured beside a rate."""

    lease_ms: list[float]
    rss_mb: float
    pss_mb: float


def into_a_full_store(bench: Bench) -> Iterator[Figure]:
    """Search the rates; the lease is that of the highest rate that holds, memory that of the rate it is measured at."""
    held: dict[float, Beside] = {}
    store = many(bench).path

    def holds(rate: float) -> bool:
        beside, wrong = _run(bench, store, rate)
        bench.say(f"sustained: {rate:,.0f} events/s into the full store: {wrong or 'every task complete'}")
        if not wrong:
            held[rate] = beside
        return not wrong

    best = search(bench.size.sustained, holds)
    full = f"a store that holds {bench.size.many:,} tasks"
    flaw = "" if best else f"not even {min(bench.size.sustained):,.0f}/s"
    yield Figure(
        f"sustained into {full}", "events/s", Bar(Kind.LEAST, 60_000, aim=150_000), (best,) if best else (), flaw=flaw
    )
    p99 = (percentile(held[best].lease_ms, 0.99),) if best else ()
    yield Figure("a lease write in control.db beside that, p99", "ms", Bar(Kind.MOST, 50, aim=10), p99, flaw=flaw)
    beside, flaw = _run(bench, store, bench.size.memory_rate)
    what = f"memory (RSS) of observer and writer on {full}"
    yield Figure(what, "MB", Bar(Kind.MOST, 300, aim=200), (beside.rss_mb,), flaw=flaw)
    yield Figure("the same as share of memory (PSS)", "MB", None, (beside.pss_mb,))


def _run(bench: Bench, store: Path, rate: float) -> tuple[Beside, str]:
    with ExitStack() as stack:
        segments = stack.enter_context(bench.corpora.paced(rate, bench.size.sustained_s))
        room = stack.enter_context(bench.room())
        url = stack.enter_context(brokers.redis(room))
        before = observer.newest(store)
        ours = stack.enter_context(observer.running(url, store, room))
        generator = stack.enter_context(ready(url, segments, rate))
        known, start = ours.task_events(), generator.start()
        lease_ms = _hold_lease(store, generator)
        sent = generator.sent()
        count, until = ours.settle(known + sent.events)
        beside = Beside(lease_ms, *ours.memory_mb())
        ours.stop()
        wrong = judged(bench.size, sent, rate, count - known, until - start - sent.seconds)
        return beside, wrong or observer.missing(store, segments, before)


def _hold_lease(directory: Path, generator: Generator) -> list[float]:
    """Renew the keeper's lease twenty times a second, and return how many milliseconds each took."""
    taken: list[float] = []
    with SqlStore(directory, (observer.CLUSTER,)).opened() as store:
        store.migrate()
        journal = store.journal()
        while generator.sending():
            start = time.perf_counter()
            journal.hold_lease("bench", time.time(), 15.0)
            taken.append(1000 * (time.perf_counter() - start))
            time.sleep(LEASE_EVERY_S)
    return taken
