"""How fast the API answers while events pour in."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import brokers, console, flower, observer
from benchmarks.bench import Bench
from benchmarks.generator import ready
from benchmarks.measures import percentile
from benchmarks.rows.paced import judged
from benchmarks.table import Bar, Figure, Kind

PATHS = ("/api/v1/tasks?limit=100", "/api/v1/tasks?limit=100&state=FAILURE&name=orders.tasks.process_orders")


def api(bench: Bench) -> Iterator[Figure]:
    """Ask ours every 20 ms, Flower five times a second: its answers hold up its events."""
    flowers = (_flower_p95(bench, bench.flower),) if bench.flower else ()
    p95, flaw = _our_p95(bench)
    rate, flower_rate = bench.size.load_rate, bench.size.flower_load_rate
    yield Figure(
        f"API p95 while {rate:,.0f} events/s come in (Flower: {flower_rate:,.0f}/s)",
        "ms",
        Bar(Kind.MOST, 20, aim=5),
        (p95,),
        flowers,
        flaw=flaw,
    )


def _our_p95(bench: Bench) -> tuple[float, str]:
    rate = bench.size.load_rate
    taken: list[float] = []
    with bench.corpora.paced(rate, bench.size.load_s) as segments, bench.room() as room, brokers.redis(room) as url:
        with (
            observer.running(url, room / "store", room) as ours,
            console.running(room / "store", room, url) as caller,
            ready(url, segments, rate) as generator,
        ):
            start = generator.start()
            while generator.sending():
                taken.append(caller.took_ms(PATHS[len(taken) % len(PATHS)]))
                time.sleep(0.02)
            sent = generator.sent()
            count, until = ours.settle(sent.events)
            ours.stop()
        flaw = judged(bench.size, sent, rate, count, until - start - sent.seconds) or observer.missing(
            room / "store", segments
        )
    bench.say(
        f"load: Celeriac at {rate:,.0f} events/s answers {len(taken)} times, p95 {percentile(taken, 0.95):.1f} ms"
    )
    return percentile(taken, 0.95), flaw


def _flower_p95(bench: Bench, python: Path) -> float:
    rate = bench.size.flower_load_rate
    taken: list[float] = []
    with (
        bench.corpora.paced(rate, bench.size.flower_load_s) as segments,
        bench.room() as room,
        brokers.redis(room) as url,
        flower.running(url, room, python) as theirs,
        ready(url, segments, rate) as generator,
    ):
        generator.start()
        while generator.sending():
            taken.append(theirs.caller.took_ms("/api/tasks?limit=100"))
            time.sleep(0.2)
    bench.say(f"load: Flower at {rate:,.0f} events/s answers {len(taken)} times, p95 {percentile(taken, 0.95):.1f} ms")
    return percentile(taken, 0.95)
