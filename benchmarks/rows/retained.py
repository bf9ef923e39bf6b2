"""With a million tasks retained, as Flower holds them in memory, and with ten million: memory, lists, searches, charts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import brokers, console, flower, observer
from benchmarks.asking import Caller
from benchmarks.bench import Bench
from benchmarks.corpus import EVENTS_A_TASK
from benchmarks.filling import DAY_S, Filled
from benchmarks.generator import ready
from benchmarks.rows.stores import few, many
from benchmarks.table import Bar, Figure, Kind, shown

COMMON = "user-831"
"""About one task in a thousand has this in its arguments."""

NEWEST = {"limit": 100}
NAMED = {"limit": 100, "state": "FAILURE", "name": "orders.tasks.process_orders"}


@dataclass(frozen=True)
class FlowerFull:
    """What Flower does when it is full: MB of memory, and the p95 of its answers in ms."""

    rss_mb: float
    newest_ms: float
    named_ms: float
    search_ms: float


def memory(bench: Bench) -> Iterator[Figure]:
    """Let as many tasks pass through the observer as Flower retains, well below the highest rate."""
    theirs = full_flower(bench)
    rate = min(bench.size.memory_rate, bench.top_rate / 2) if bench.top_rate else bench.size.memory_rate
    lasts = bench.size.retained * EVENTS_A_TASK / rate
    with (
        bench.corpora.paced(rate, lasts) as segments,
        bench.room() as room,
        brokers.redis(room, unlimited=True) as url,
    ):
        with observer.running(url, room / "store", room) as ours, ready(url, segments, rate) as generator:
            generator.start()
            sent = generator.sent()
            ours.settle(sent.events)
            rss, pss = ours.memory_mb()
            ours.stop()
        flaw = observer.missing(room / "store", segments)
    bench.say(f"memory: observer and writer take {rss:.0f} MB after {sent.tasks:,} tasks")
    what = f"memory (RSS) of observer and writer with {sent.tasks:,} tasks retained"
    yield _beside(bench, Figure(what, "MB", Bar(Kind.MOST, 300, aim=200), (rss,), flaw=flaw), theirs and theirs.rss_mb)
    yield Figure("the same as share of memory (PSS)", "MB", None, (pss,), flaw=flaw)


def queries(bench: Bench) -> Iterator[Figure]:
    """Ask Flower's API and ours for the same, and ours with ten times as many tasks too."""
    theirs = full_flower(bench)
    stores = few(bench), many(bench)
    for filled in stores:
        with bench.room() as room, console.running(filled.path, room) as caller:
            yield from _lists(bench, caller, filled, theirs if filled is stores[0] else None)
            if filled is stores[0]:
                yield from _searches(bench, caller, filled, theirs)
            else:
                yield from _charts(bench, caller, filled)


def _lists(bench: Bench, caller: Caller, filled: Filled, theirs: FlowerFull | None) -> Iterator[Figure]:
    bar = Bar(Kind.MOST, 10, aim=2)
    flaw = "" if len(caller.json(_tasks(NEWEST))["items"]) == 100 else "fewer than 100 tasks"
    for title, query, flowers in (
        ("newest 100 tasks", NEWEST, theirs and theirs.newest_ms),
        ("newest 100 by state and name", NAMED, theirs and theirs.named_ms),
    ):
        p95 = caller.p95_ms([_tasks(query)])
        bench.say(f"queries: {title} of {filled.tasks:,}: {p95:.1f} ms")
        what = f"GET /api/v1/tasks, {title}, p95 at {filled.tasks:,} rows"
        yield _beside(bench, Figure(what, "ms", bar, (p95,), flaw=flaw), flowers)


def _searches(bench: Bench, caller: Caller, filled: Filled, theirs: FlowerFull | None) -> Iterator[Figure]:
    rare = _rare(filled)
    for title, needles, bar in (
        ("common", [COMMON], Bar(Kind.MOST, 50, aim=15)),
        ("rare", rare, Bar(Kind.MOST, 250, aim=100)),
    ):
        paths = [_tasks({"limit": 100, "args": needle}) for needle in needles]
        found = [len(caller.json(path)["items"]) for path in paths]
        p95 = caller.p95_ms(paths)
        bench.say(f"queries: a {title} needle among {filled.tasks:,}: {p95:.1f} ms, {found[0]} found")
        what = f"substring search over args at {filled.tasks:,} rows, {title} needle, p95"
        flaw = "" if all(found) else "a needle was not found"
        yield _beside(bench, Figure(what, "ms", bar, (p95,), flaw=flaw), theirs and theirs.search_ms)


def _charts(bench: Bench, caller: Caller, filled: Filled) -> Iterator[Figure]:
    # The roll-ups of whole minutes and hours: a day that begins with an hour.
    until = filled.until - filled.until % 3600 + 3600
    day = {"since": until - DAY_S, "until": until}
    for title, path in (
        ("tasks by minute", "/api/v1/tasks/counts?" + urlencode(day | {"step_s": 60})),
        ("run times by name", "/api/v1/tasks/durations?" + urlencode(day)),
    ):
        p95 = caller.p95_ms([path])
        bench.say(f"queries: 24 h of {title} over {filled.tasks:,}: {p95:.1f} ms")
        what = f"24 h chart from roll-ups, {title}, p95 at {filled.tasks:,} rows"
        yield Figure(what, "ms", Bar(Kind.MOST, 20, aim=10), (p95,), no_flower="cannot" if bench.flower else "")


def _beside(bench: Bench, figure: Figure, theirs: float | None) -> Figure:
    """Put Flower's value beside ours; one of a smaller Flower is shown, and not compared."""
    if theirs is None:
        return figure
    if bench.size.flower_retained == bench.size.retained:
        return replace(figure, flower=(theirs,))
    return replace(figure, no_flower=f"{shown(theirs, figure.unit)} at {bench.size.flower_retained:,} tasks")


def _tasks(query: dict[str, object]) -> str:
    return "/api/v1/tasks?" + urlencode(query)


def _rare(filled: Filled) -> list[str]:
    """Return numbers of orders that only a handful of tasks have in their arguments, from the older part of the store."""
    with observer.reading(filled.path) as connection:
        oldest = observer.partitions(connection)[-1]
        query = f"SELECT args FROM tasks_{oldest} WHERE args LIKE '(_______,%' LIMIT 10"  # noqa: S608 (ours)
        return [args[1:8] for (args,) in connection.execute(query)]


def full_flower(bench: Bench) -> FlowerFull | None:
    """Fill a Flower, once a run, and ask it what we are asked."""
    python = bench.flower
    return bench.once("full Flower", lambda: _fill_and_ask(bench, python)) if python else None


def _fill_and_ask(bench: Bench, python: Path) -> FlowerFull:
    tasks, rate = bench.size.flower_retained, bench.size.flower_fill_rate
    lasts = tasks * EVENTS_A_TASK / rate
    with (
        bench.corpora.paced(rate, lasts) as segments,
        bench.room() as room,
        brokers.redis(room, unlimited=True) as url,
        flower.running(url, room, python, max_tasks=tasks) as theirs,
        ready(url, segments, rate) as generator,
    ):
        generator.start()
        bench.say(f"filling Flower with {tasks:,} tasks, which takes {lasts:.0f} s or more")
        if bench.parts & {"queries", "sustained"}:  # their filling is not measured either, and Flower uses one core
            few(bench), many(bench)
        sent = generator.sent()
        known, _ = theirs.settle(sent.events)
        full = FlowerFull(
            theirs.rss_mb(),
            theirs.caller.p95_ms(["/api/tasks?limit=100"], times=20),
            theirs.caller.p95_ms(["/api/tasks?limit=100&state=FAILURE&taskname=orders.tasks.process_orders"], times=20),
            theirs.caller.p95_ms([flower.datatable(COMMON)], times=20),
        )
    bench.say(f"Flower knows {known:,} of {sent.events:,} events: {full.rss_mb:,.0f} MB, {full.newest_ms:,.0f} ms")
    return full
