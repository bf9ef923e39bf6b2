"""Stores that already hold many tasks, written by the product's own recorder as fast as it goes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.lives import FAILED, NAMES, REGIONS, REVOKED, make_uuid, node
from benchmarks.observer import CLUSTER
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.core.redact import Redaction
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch

DAY_S = 86_400.0
FLUSH = 20_000


@dataclass(frozen=True)
class Filled:
    """A store, how many tasks were put there, and when the day ended over which they lie."""

    path: Path
    tasks: int
    until: float


def fill(path: Path, tasks: int, until: float, say: Callable[[str], None]) -> None:
    """Fill the store at `path` with tasks that lie evenly over the 24 hours before `until`."""
    path.mkdir(parents=True)
    database = Database(path / f"history-{CLUSTER}.db", "history")
    database.migrate()
    recorder = SqlRecorder(database, Redaction())
    recorder.opening()
    start, since, stored = time.perf_counter(), until - DAY_S, 0
    try:
        for batch in _batches(tasks, since, until):
            recorder.record(Batch(Stream(observed_at=batch[-1].finished_at or until), batch))
            stored += len(batch)
            while recorder.tidy(until):
                pass
            if stored % 1_000_000 < FLUSH:
                say(f"{stored:,} of {tasks:,} tasks are in the store, {stored / (time.perf_counter() - start):,.0f}/s")
    finally:
        database.close()


def _batches(tasks: int, since: float, until: float) -> Iterator[list[Task]]:
    chance = Random(tasks)  # noqa: S311 (no secret is drawn)
    names = chance.choices(NAMES, [1 / (place + 1) for place in range(len(NAMES))], k=FLUSH)
    step = (until - since - 60) / tasks
    for first in range(0, tasks, FLUSH):
        count = min(FLUSH, tasks - first)
        yield [_task(chance, name, since + (first + n) * step) for n, name in enumerate(names[:count])]


def _task(chance: Random, name: str, at: float) -> Task:
    """Return the row of an ended task; its texts are those of `lives`."""
    uuid, order, draw = make_uuid(chance), int(chance.random() * 10_000_000), chance.random()
    region, run = REGIONS[order & 3], 0.01 + chance.random() ** 4 * 2
    task = Task(
        uuid=uuid,
        state="SUCCESS",
        name=name,
        worker=node(order % 10),
        first_at=at,
        received_at=at,
        started_at=at + 0.03,
        finished_at=at + 0.03 + run,
        state_at=at + 0.03 + run,
        retries=0,
        args=f"({order}, 'user-{order % 99991}@example.com')",
        kwargs=f"{{'order_id': {order}, 'region': '{region}', 'force': False}}" if order % 3 else "{}",
        root_id=uuid,
    )
    if draw < REVOKED:
        task.state, task.started_at = "REVOKED", None
    elif draw < REVOKED + FAILED:
        task.state, task.exception = "FAILURE", f"LookupError('order {order} not found in {region}')"
        task.failed_at = task.finished_at
    else:
        task.result, task.runtime = f"{{'ok': True, 'id': {order}, 'rows': {order % 977}}}", run
    return task
