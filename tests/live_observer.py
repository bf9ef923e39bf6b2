"""`celeriac observe` for tests: a process that is killed and started again, what it has stored, and tasks for it to hear."""

import contextlib
import json
import sqlite3
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import redis

import harness
from celeriac.adapters.redis_events.envelope import sealed
from celeriac.adapters.sql import SqlStore
from celeriac.core.rollup import by_state, total
from celeriac.core.search import TaskFilter
from celeriac.processes import Child, spawn


class Watched:
    """`celeriac observe` on a broker, and the store that it writes in `folder`."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder, self.broker = folder, broker
        self.log = folder / "observe.log"
        self.history = folder / "store" / "history-default.db"

    def start(self) -> Child:
        argv = [sys.executable, "-m", "celeriac", "observe", "--every", "0.1", "--broker", self.broker]
        with self.log.open("ab") as out:
            child = spawn([*argv, "--store", f"sqlite:///{self.folder / 'store'}"], stdout=out, stderr=out)
        heard = self.log.read_text().count("listening to the broker")
        harness.wait_until(
            lambda: self.log.read_text().count("listening to the broker") > heard and self.last().get("lag_s"),
            30,
            "the observer listens",
            dump=self.end,
        )
        return child

    def end(self) -> str:
        """Return the end of its log, to show where something is not as expected."""
        return self.log.read_text()[-4000:]

    def last(self) -> dict:
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("observation ")]
        return json.loads(lines[-1].removeprefix("observation ")) if lines else {}

    def writer(self, observer: Child) -> int:
        found = [pid for pid, line in harness.descendants(observer.pid).items() if " celeriac writer " in line]
        return next(pid for pid in found if not harness.command_line(pid).startswith("/bin/sh"))

    def is_stored(self, states: dict[str, int], within: float = 40) -> None:
        """Wait until so many tasks are stored in each state, and nothing else is."""
        harness.wait_until(
            lambda: self.states() == states, within, f"{states} are stored", dump=lambda: (self.states(), self.end())
        )

    def says(self, why: str | None, within: float = 40) -> None:
        """Wait until the observation line says why nothing is stored; None means that all is well."""

        def said() -> bool:
            error = self.last()["store_error"]
            return error is None if why is None else why in (error or "")

        harness.wait_until(said, within, f"it says {why}", dump=self.end)

    def states(self) -> Counter:
        with SqlStore(self.folder / "store", ("default",)).opened() as store:
            found = store.tasks("default").facets(TaskFilter(within_s=20))
            return Counter(found.states)

    def rolled_up(self) -> dict[str, int]:
        with SqlStore(self.folder / "store", ("default",)).opened() as store:
            return by_state(total(store.charts("default").counts(0, time.time() + 3600, 3600).values()))

    def rows(self) -> int:
        with contextlib.closing(sqlite3.connect(self.history)) as connection:
            tables = [f"tasks_{id}" for (id,) in connection.execute("SELECT id FROM partitions")]
            counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608
            return sum(number for (number,) in counts)


def life(number: int) -> list[dict]:
    """Return the events of one task from its arrival to its end."""
    worker = {"hostname": "celery@a", "pid": 7, "clock": number, "utcoffset": 0}
    task, at = {**worker, "uuid": str(uuid.uuid4())}, time.time()
    return [
        {**task, "type": "task-received", "timestamp": at, "name": f"shop.t{number % 5}", "args": f"({number},)"},
        {**task, "type": "task-started", "timestamp": at + 0.001},
        {**task, "type": "task-succeeded", "timestamp": at + 0.002, "result": "None", "runtime": 0.001},
    ]


def publish(client: redis.Redis, numbers: Iterable[int]) -> None:
    """Publish the lives of so many tasks on Redis, event by event."""
    with client.pipeline(transaction=False) as pipe:
        for number in numbers:
            for event in life(number):
                pipe.publish("/0.celeryev/task.event", sealed(event, "task.event"))
        pipe.execute()
