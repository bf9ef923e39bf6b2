"""The highest steady rate at which no event is lost, with Redis' default limits on what waits for a subscriber."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import brokers, flower, observer
from benchmarks.bench import Bench, Size
from benchmarks.generator import Sent, ready
from benchmarks.table import Bar, Figure, Kind


def highest(bench: Bench) -> Iterator[Figure]:
    """Search the rates."""
    size = bench.size
    flowers: tuple[float, ...] = ()
    if python := bench.flower:
        best = search(size.flower_paces, lambda rate: _flower_holds(bench, rate, python))
        flowers = (best,) if best else ()
    bench.top_rate = search(size.paces, lambda rate: _we_hold(bench, rate))
    yield Figure(
        "highest paced rate without a lost event, default Redis limits",
        "events/s",
        Bar(Kind.TIMES, 10, aim=20),
        (bench.top_rate,) if bench.top_rate else (),
        flowers,
        flaw="" if bench.top_rate else f"not even {min(size.paces):,.0f}/s",
    )


def search(rates: Sequence[float], holds: Callable[[float], bool]) -> float | None:
    """Return the highest of these rising rates that holds; None if even the first does not."""
    low, high = 0, len(rates)
    while low < high:
        middle = (low + high) // 2
        if holds(rates[middle]):
            low = middle + 1
        else:
            high = middle
    return rates[low - 1] if low else None


def judged(size: Size, sent: Sent, rate: float, count: int, behind_s: float) -> str:
    """Say what is wrong with a paced run; nothing if it held."""
    if sent.rate < size.pace_kept * rate:
        return f"this machine sends no more than {sent.rate:,.0f}/s beside it"
    if count < sent.events:
        return f"{sent.events - count:,} of {sent.events:,} events lost"
    return f"{behind_s:.1f} s behind at the end" if behind_s > size.behind_s else ""


def _we_hold(bench: Bench, rate: float) -> bool:
    with bench.corpora.paced(rate, bench.size.pace_s) as segments, bench.room() as room, brokers.redis(room) as url:
        with observer.running(url, room / "store", room) as ours, ready(url, segments, rate) as generator:
            start, sent = generator.start(), generator.sent()
            count, until = ours.settle(sent.events)
            ours.stop()
        wrong = judged(bench.size, sent, rate, count, until - start - sent.seconds) or observer.missing(
            room / "store", segments
        )
    bench.say(f"paced: Celeriac at {rate:,.0f} events/s: {wrong or 'every task complete'}")
    return not wrong


def _flower_holds(bench: Bench, rate: float, python: Path) -> bool:
    with (
        bench.corpora.paced(rate, bench.size.flower_pace_s) as segments,
        bench.room() as room,
        brokers.redis(room) as url,
        flower.running(url, room, python) as theirs,
        ready(url, segments, rate) as generator,
    ):
        start, sent = generator.start(), generator.sent()
        count, until = theirs.settle(sent.events)
        wrong = judged(bench.size, sent, rate, count, until - start - sent.seconds)
    bench.say(f"paced: Flower at {rate:,.0f} events/s: {wrong or 'every event known'}")
    return not wrong
