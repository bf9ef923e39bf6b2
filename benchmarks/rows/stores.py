"""The two stores that are filled ahead: one for what Flower can hold too, one ten times as large."""

import shutil
import time

from benchmarks.bench import Bench
from benchmarks.filling import Filled, fill


def few(bench: Bench) -> Filled:
    """Return the store with as many tasks as Flower keeps."""
    return _filled(bench, bench.size.retained)


def many(bench: Bench) -> Filled:
    """Return the large store."""
    return _filled(bench, bench.size.many)


def _filled(bench: Bench, tasks: int) -> Filled:
    return bench.once(f"store of {tasks}", lambda: _fill(bench, tasks))


def _fill(bench: Bench, tasks: int) -> Filled:
    """Fill a store; one that an earlier run has kept is taken as it is."""
    path = (bench.kept or bench.disk) / f"{tasks}-tasks"
    ended = path / "ended-at"
    if not ended.exists():
        shutil.rmtree(path, ignore_errors=True)
        bench.say(f"filling a store with {tasks:,} tasks")
        until = time.time()
        fill(path, tasks, until, bench.say)
        ended.write_text(repr(until))
    return Filled(path, tasks, float(ended.read_text()))
