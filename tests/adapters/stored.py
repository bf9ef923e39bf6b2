"""What tests put into the store and read from it, and other processes at the same store."""

import contextlib
import fcntl
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import sqlalchemy as sa
from msgspec.structs import asdict, replace

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.charts import SqlCharts
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.history import SqlHistory
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.adapters.sql.rows import key_of, row_of, task_of
from celeriac.adapters.sql.search import SqlTasks
from celeriac.core import rollup
from celeriac.core.incident import HeldReason, Incident, IncidentState, Remedy, RemedyKind, RemedyState, Step
from celeriac.core.memory import Board
from celeriac.core.model import Place, Verdict
from celeriac.core.readings import Evidence
from celeriac.core.redact import Payloads, Redaction
from celeriac.core.retention import Retention
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from celeriac.processes import running, spawn

NOW = 1_795_000_000.0
DAY = 86400.0
PLACE = Place("a", "cf", "shop", "worker", 0)
RIVAL = Path(__file__).parent / "store_rival.py"


def incident(id, *, opened_at=NOW, state=IncidentState.OPEN, cluster="a", resolved_at=None):
    return Incident(
        id=id,
        cluster=cluster,
        place=replace(PLACE, cluster=cluster),
        verdict=Verdict.HUNG,
        state=state,
        opened_at=opened_at,
        updated_at=opened_at,
        evidence=(Evidence("ping", "no answer", NOW, "busy"),),
        steps=(Step(NOW, "opened", "it hangs — é"),),
        held_reason=HeldReason.MODE,
        resolved_at=resolved_at,
        remedy=RemedyKind.RESTART_INSTANCE,
    )


def remedy(id, *, state=RemedyState.ACTED, asked_at=NOW, ended_at=None, cluster="a"):
    return Remedy(
        id=id,
        cluster=cluster,
        place=replace(PLACE, cluster=cluster),
        kind=RemedyKind.RESTART_INSTANCE,
        state=state,
        asked_at=asked_at,
        actor="keeper",
        guid="g",
        node="worker@g",
        pid=7,
        ended_at=ended_at,
    )


def board(cluster="a", at=NOW, sentence="all is well", **more):
    return Board(cluster, at, sentence, "approve", **more)


@functools.cache
def _empty_history() -> bytes:
    """Return a history that nobody has written to: migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "history.db", "history")
        database.migrate()
        with database.writing():
            pass
        database.close()  # the last connection brings all of it into the one file
        return database.path.read_bytes()


class Kept:
    """One cluster's history: its recorder, and all that reads it. `rows` is how many a partition takes."""

    def __init__(self, path: Path, *, rows: int = 200_000, retention: Retention | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(_empty_history())
        self.database = Database(path, "history")
        self._made_of = (Redaction(Payloads.FULL), retention or Retention(), rows)
        self.history, self.tasks, self.charts = (
            SqlHistory(self.database),
            SqlTasks(self.database),
            SqlCharts(self.database),
        )
        self.crash()

    def crash(self) -> None:
        """Forget all that is in memory, as a writer that is killed does."""
        self.database.close()
        redaction, retention, rows = self._made_of
        self.recorder = SqlRecorder(self.database, redaction, retention, rows=rows)

    def record(self, *tasks: Task, now: float = NOW, **more) -> int:
        # What goes to a writer is a copy, and its redaction may change it.
        batch = Batch(Stream(now), [replace(task) for task in tasks], **more)
        return self.recorder.record(msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch))

    def tidy(self, now: float = NOW, *, most: int = 10_000) -> int:
        """Do all upkeep that there is, and return in how many pieces."""
        for pieces in range(most):
            if not self.recorder.tidy(now):
                return pieces
        message = f"after {most} pieces there is still something to do"
        raise AssertionError(message)

    def all(self) -> list[Task]:
        """Return every task, newest first."""
        found = self.tasks.find(TaskFilter(limit=100_000, within_s=60))
        assert found.searched_to is None
        return [row.task for row in found.rows]

    def rollups(self) -> dict[tuple[int, int, str], rollup.Count]:
        """Return what is stored of roll-ups, as `rollup.rolls` would give it."""
        row, word = schema.rollups.c, schema.words.c
        query = sa.select(row.step, row.at, sa.func.coalesce(word.text, rollup.ALL), row.states, row.durations)
        query = query.outerjoin_from(schema.rollups, schema.words, word.id == row.name)
        with self.database.reading() as connection:
            read = msgspec.msgpack.Decoder(rollup.Count).decode
            found = {tuple(key): read(one) | read(other) for *key, one, other in connection.execute(query)}
        return {key: count for key, count in found.items() if count}

    def tables(self) -> set[str]:
        """Return the names of the partitions' tables and of their indexes."""
        with self.database.reading() as connection:
            return set(
                connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE tbl_name LIKE 'tasks_%'").scalars()
            )

    def check(self, *, dropped: bool = False) -> None:
        """See that the catalogue says what is in the tables, that each task is stored once, and that roll-ups are right.

        They outlive tasks that were dropped.
        """
        with self.database.reading() as connection:
            for one in connection.execute(sa.select(schema.partitions)).all():
                row = schema.partition(one.id).c
                found = connection.execute(sa.select(row.first_at, row.state)).all()
                if one.stage != "dropping":
                    assert one.rows == len(found)
                    assert all(one.from_at <= each.first_at <= one.to_at for each in found)
                    assert all(one.states >> each.state & 1 for each in found)
        tables = {name for name in self.tables() if name.count("_") == 1}
        assert tables == {f"tasks_{id}" for (id,) in self.partitions("id")}
        every = self.all()
        assert len({task.uuid for task in every}) == len(every)
        assert dropped or self.rollups() == summed(every)

    def partitions(self, *columns: str) -> list[tuple]:
        """Return what the catalogue says, the oldest first."""
        query = sa.select(*(schema.partitions.c[name] for name in columns)).order_by(schema.partitions.c.id)
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]


@contextlib.contextmanager
def kept(path: Path, **settings):
    """Open a history, and close it when the block ends."""
    one = Kept(path, **settings)
    try:
        yield one
    finally:
        one.database.close()


@contextlib.contextmanager
def fresh(**settings):
    """Open an empty history that is gone when the block ends, for each example of a law."""
    with tempfile.TemporaryDirectory() as folder, kept(Path(folder) / "history.db", **settings) as one:
        yield one


def as_stored(task: Task) -> Task:
    """Return a task as it comes back from its row."""
    return task_of(row_of(task, key_of(task.uuid), lambda text: text), lambda text: text)


def by_uuid(tasks) -> dict[str, dict]:
    """Return tasks in a form that shows where they differ."""
    return {task.uuid: asdict(task) for task in tasks}


def summed(tasks) -> dict[tuple[int, int, str], rollup.Count]:
    """Return the roll-ups of these tasks, counted anew."""
    rolls = rollup.rolls(rollup.contributed(list(tasks)))
    return {key: count for key, found in rolls.items() if (count := rollup.total([found]))}


@contextlib.contextmanager
def rivals(what, directory, number=1):
    """Start so many processes; they begin together when the block ends, and their outcomes come after it."""
    outcomes = []
    gate = directory.with_suffix(".gate")
    with contextlib.ExitStack() as stack, gate.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        argv = [sys.executable, str(RIVAL), what, str(directory)]
        children = [stack.enter_context(running(spawn(argv, stdout=subprocess.PIPE))) for _ in range(number)]
        for child in children:
            stack.enter_context(child.stdout)
            assert child.stdout.readline() == b"ready\n"
        yield outcomes
        fcntl.flock(file, fcntl.LOCK_UN)
        outcomes.extend(child.stdout.read().decode().strip() for child in children)
        assert [child.wait(10) for child in children] == [0] * len(children)
