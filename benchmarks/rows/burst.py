"""A sudden flood: how many events are lost of a burst at about a million a second, with Redis' default limits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import brokers, flower, observer
from benchmarks.bench import Bench
from benchmarks.corpus import Segment
from benchmarks.generator import ready
from benchmarks.table import Bar, Figure, Kind


def lost(bench: Bench) -> Iterator[Figure]:
    """Send the same burst to Flower and to us."""
    segments = bench.corpora.burst(bench.size.burst_tasks)
    events = sum(one.events for one in segments)
    ours, flowers, flaws = [], [], []
    for _ in range(bench.rounds):
        if bench.flower:
            flowers.append(_flower_loses(bench, segments, bench.flower))
        percent, flaw = _we_lose(bench, segments)
        ours.append(percent)
        flaws += [flaw] if flaw else []
    yield Figure(
        f"burst of {events:,} events at about {bench.size.burst_rate / 1e6:g} million/s, default Redis limits",
        "% lost",
        Bar(Kind.MOST, 0),
        tuple(ours),
        tuple(flowers),
        flaw="; ".join(flaws),
    )


def _we_lose(bench: Bench, segments: Sequence[Segment]) -> tuple[float, str]:
    with bench.room() as room, brokers.redis(room) as url:
        with (
            observer.running(url, room / "store", room) as ours,
            ready(url, segments, bench.size.burst_rate) as generator,
        ):
            generator.start()
            sent = generator.sent()
            count, _ = ours.settle(sent.events)
            ours.stop()
        flaw = observer.missing(room / "store", segments)
    bench.say(f"burst: at {sent.rate:,.0f}/s Celeriac stores {count:,} of {sent.events:,} events{flaw and ': '}{flaw}")
    return 100 * (1 - count / sent.events), flaw


def _flower_loses(bench: Bench, segments: Sequence[Segment], python: Path) -> float:
    with (
        bench.room() as room,
        brokers.redis(room) as url,
        flower.running(url, room, python) as theirs,
        ready(url, segments, bench.size.burst_rate) as generator,
    ):
        generator.start()
        sent = generator.sent()
        count, _ = theirs.settle(sent.events)
    bench.say(f"burst: at {sent.rate:,.0f}/s Flower knows {count:,} of {sent.events:,} events")
    return 100 * (1 - count / sent.events)
