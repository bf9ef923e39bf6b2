"""Celeriac's observer as a user runs it, and what its store holds, read with nothing but SQLite."""

import contextlib
import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.brokers import started
from benchmarks.corpus import Segment
from benchmarks.measures import family, pss_mb, rss_mb
from celeriac.core.tasks import STATES
from celeriac.processes import Child

CLUSTER = "bench"
STILL_S = 12.0
"""When the store's count of events stands still for so long, no more will come."""

COMPLETE = """
    name IS NOT NULL AND worker IS NOT NULL AND args IS NOT NULL AND received_at IS NOT NULL AND finished_at IS NOT NULL
    AND (started_at IS NOT NULL OR state = {revoked}) AND (runtime IS NOT NULL OR state != {success})
    AND (exception IS NOT NULL OR state != {failure})
"""


@dataclass(frozen=True)
class Observer:
    """One running observer, with its writer, and the directory of its store."""

    child: Child
    store: Path

    def seen(self) -> dict[str, Any]:
        """Return the observer's own word as of its last flush; empty before the first."""
        with contextlib.suppress(sqlite3.OperationalError), reading(self.store) as connection:
            for (body,) in connection.execute("SELECT body FROM stream"):
                return dict(json.loads(body))
        return {}

    def task_events(self) -> int:
        """Return how many task events are folded into what is committed."""
        return int(self.seen().get("task_events", 0))

    def settle(self, wanted: int, still_s: float = STILL_S) -> tuple[int, float]:
        """Wait until so many more are committed or no more come; return the count, and when it last grew."""
        count, since = self.task_events(), time.perf_counter()
        while count < wanted and time.perf_counter() - since < still_s and self.child.poll() is None:
            time.sleep(0.05)
            if (now := self.task_events()) > count:
                count, since = now, time.perf_counter()
        return count, since

    def memory_mb(self) -> tuple[float, float]:
        """Return resident memory and share of memory, in MB, of observer and writer together."""
        pids = family(self.child.pid)
        return sum(map(rss_mb, pids)), sum(map(pss_mb, pids))

    def stop(self) -> None:
        """Stop it as a platform does; what it has heard is stored then."""
        self.child.stop(20)


@contextlib.contextmanager
def running(broker: str, store: Path, folder: Path) -> Iterator[Observer]:
    """Run an observer on this broker until the block ends; it hears itself when the block begins."""
    argv = [
        sys.executable,
        "-m",
        "celeriac",
        "observe",
        "--broker",
        broker,
        "--store",
        str(store),
        "--cluster",
        CLUSTER,
    ]
    since = time.time()
    log = folder / "observer.log"
    log.unlink(missing_ok=True)
    observer: list[Observer] = []

    def hears() -> bool:
        return bool(observer) and (observer[0].seen().get("flowing_since") or 0.0) > since

    with started("observer", argv, folder, lambda: True) as child:
        observer.append(Observer(child, store))
        deadline = time.monotonic() + 60
        while not hears():
            if child.poll() is not None or time.monotonic() > deadline:
                message = f"the observer does not hear itself; the end of its log:\n{log.read_text()[-1500:]}"
                raise RuntimeError(message)
            time.sleep(0.05)
        yield observer[0]


@contextlib.contextmanager
def reading(store: Path) -> Iterator[sqlite3.Connection]:
    """Open the history for reading, as any program may."""
    path = store / f"history-{CLUSTER}.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        yield connection


def partitions(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of the partition tables, newest first."""
    return [id for (id,) in connection.execute("SELECT id FROM partitions WHERE stage != 'dropping' ORDER BY id DESC")]


@dataclass(frozen=True)
class Tally:
    """What a store's partitions hold, from `first` on: tasks by state, and how many of them lack what they must have."""

    first: int = 0
    states: Counter[str] = field(default_factory=Counter)
    incomplete: int = 0


def newest(store: Path) -> Tally:
    """Return what the newest partition holds now, to tell later what came since."""
    with reading(store) as connection:
        first = max(partitions(connection), default=0)
    return tally(store, first)


def tally(store: Path, first: int = 0) -> Tally:
    """Count what the partitions from `first` on hold."""
    states, incomplete, names = Counter[str](), 0, list(STATES.values())
    whole = COMPLETE.format(**{state.lower(): names.index(state) for state in ("REVOKED", "SUCCESS", "FAILURE")})
    with reading(store) as connection:
        for id in partitions(connection):
            if id >= first:
                query = f"SELECT state, count(*), sum(NOT ({whole})) FROM tasks_{id} GROUP BY state"  # noqa: S608 (ours)
                for state, rows, partial in connection.execute(query):
                    states[names[state]] += rows
                    incomplete += partial
    return Tally(first, states, incomplete)


def missing(store: Path, segments: Sequence[Segment], before: Tally | None = None) -> str:
    """Say what the store lacks of these segments' tasks; nothing if exactly these came, ended and complete."""
    before = before or Tally()
    now = tally(store, before.first)
    wanted = sum((Counter(one.outcomes) for one in segments), before.states)
    wrong = [
        f"{now.states[state]:,} {state} instead of {wanted[state]:,}"
        for state in sorted({*now.states, *wanted})
        if now.states[state] != wanted[state]
    ]
    if now.incomplete > before.incomplete:
        wrong.append(f"{now.incomplete - before.incomplete:,} incomplete")
    return ", ".join(wrong)
