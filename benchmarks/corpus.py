"""Event messages encoded ahead of time, so that sending them costs a small part of a core.

A corpus is a row of segments. Each holds the whole lives of `SEGMENT` tasks, so any number of them can be sent and what
the store must then hold is known.
"""

import math
import mmap
import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from benchmarks.lives import OUTCOMES, node, said
from benchmarks.wire import AmqpWire, RedisWire, Wire

SEGMENT = 50_000
EVENTS_A_TASK = 3.07
"""On average: most are received, started and ended; some are tried twice."""

CHUNK_EVENTS = 256

# Events in one `task.multi` message, and how often: counted on real workers with a backlog.
PROFILES = {
    "single": {1: 1},
    "redis": {1: 904, 2: 1440, 3: 521, 4: 69, 5: 20, 6: 3, 8: 1, 11: 1},
    "rabbitmq": {1: 66, 2: 84, 3: 82, 4: 92, 5: 81, 6: 68, 7: 89, 8: 91, 9: 85, 10: 59, 11: 44}
    | {12: 34, 13: 20, 14: 11, 15: 1, 16: 3, 24: 1},
    "full": {24: 1},
}


@dataclass(frozen=True)
class Recipe:
    """What a corpus is like. `tasks_per_s` is the pace of the tasks' own time, in which they wait and run."""

    broker: str = "redis"
    profile: str = "redis"
    tasks: int = SEGMENT
    tasks_per_s: float = 2_000.0
    seed: int = 1
    since: float = 0.0
    workers: int = 10


@dataclass(frozen=True)
class Segment:
    """Encoded messages in a file, and what they hold: (bytes, messages, events) of each chunk, tasks by final state."""

    path: Path
    chunks: list[tuple[int, int, int]]
    outcomes: dict[str, int]
    workers: int

    @property
    def tasks(self) -> int:
        return sum(self.outcomes.values())

    @property
    def events(self) -> int:
        return sum(events for _, _, events in self.chunks)

    def read(self) -> Iterator[tuple[memoryview, int, int]]:
        """Yield each chunk's bytes with its number of messages and of events."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = 0
            for size, messages, events in self.chunks:
                with memoryview(data)[start : start + size] as chunk:
                    yield chunk, messages, events
                start += size


class Corpora:
    """The corpora of one run, in memory where the machine has a place for that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._bursts: dict[tuple[str, int], list[Segment]] = {}

    def burst(self, tasks: int, broker: str = "redis") -> list[Segment]:
        """Return tasks to be sent all at once, always the same: 2,000 a second by their own time, some minutes ago."""
        if (broker, tasks) not in self._bursts:
            self._bursts[broker, tasks] = self._build(broker, tasks, 2_000.0, seed=0, since=time.time() - 900)
        return self._bursts[broker, tasks]

    @contextmanager
    def paced(self, rate: float, seconds: float) -> Iterator[list[Segment]]:
        """Give tasks, never the same, that send so many events a second for so long, by their own time too."""
        tasks_per_s = rate / EVENTS_A_TASK
        tasks = math.ceil(tasks_per_s * seconds)
        segments = self._build("redis", tasks, tasks_per_s, seed=time.time_ns(), since=time.time())
        try:
            yield segments
        finally:
            for one in segments:
                one.path.unlink()

    def _build(self, broker: str, tasks: int, tasks_per_s: float, *, seed: int, since: float) -> list[Segment]:
        starts = range(0, tasks, SEGMENT)
        recipes = [
            Recipe(broker, broker, min(SEGMENT, tasks - start), tasks_per_s, seed + start, since + start / tasks_per_s)
            for start in starts
        ]
        jobs = [(recipe, self._folder / f"{next(self._numbers)}.events") for recipe in recipes]
        if len(jobs) == 1:
            return [build(*jobs[0])]
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            return pool.starmap(build, jobs, chunksize=1)


def place() -> str:
    """Return where temporary files lie in memory, if the machine has such a place with room; else on disk."""
    memory = Path("/dev/shm")  # noqa: S108 (a directory of our own is made below it)
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else tempfile.gettempdir()


def build(recipe: Recipe, path: Path) -> Segment:
    """Encode a segment into a file; the same recipe gives the same bytes."""
    wire: Wire = RedisWire(seed=recipe.seed) if recipe.broker == "redis" else AmqpWire()
    chunks, outcomes = [], Counter[str]()
    with path.open("wb") as file:
        part: list[bytes] = []
        events = 0
        for message, held in _messages(recipe, wire, outcomes):
            part.append(message)
            events += held
            if events >= CHUNK_EVENTS:
                chunks.append((file.write(b"".join(part)), len(part), events))
                part, events = [], 0
        if part:
            chunks.append((file.write(b"".join(part)), len(part), events))
    return Segment(path, chunks, dict(outcomes), recipe.workers)


def _messages(recipe: Recipe, wire: Wire, outcomes: Counter[str]) -> Iterator[tuple[bytes, int]]:
    """Yield each message with its number of events: every worker fills lists as long as the profile draws."""
    sizes = _sizes(recipe)
    waiting: dict[int, list[str]] = {worker: [] for worker in range(recipe.workers)}
    wanted = {worker: next(sizes) for worker in waiting}
    for event in said(
        recipe.tasks,
        seed=recipe.seed,
        since=recipe.since,
        tasks_per_s=recipe.tasks_per_s,
        workers=recipe.workers,
    ):
        if event.type in OUTCOMES:
            outcomes[OUTCOMES[event.type]] += 1
        batch = waiting[event.worker]
        batch.append(event.text)
        if len(batch) >= wanted[event.worker]:
            yield _multi(wire, event.worker, batch), len(batch)
            batch.clear()
            wanted[event.worker] = next(sizes)
    for worker, batch in waiting.items():
        if batch:
            yield _multi(wire, worker, batch), len(batch)


def _multi(wire: Wire, worker: int, batch: list[str]) -> bytes:
    return wire.encode("task.multi", node(worker), f"[{', '.join(batch)}]")


def _sizes(recipe: Recipe) -> Iterator[int]:
    chance, profile = Random(f"sizes {recipe.seed}"), PROFILES[recipe.profile]  # noqa: S311 (no secret is drawn)
    while True:
        yield from chance.choices(list(profile), list(profile.values()), k=4096)
