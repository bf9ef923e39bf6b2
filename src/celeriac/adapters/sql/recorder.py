"""Writing one cluster's history: each flush of its observer in one transaction, rows, roll-ups and all.

A row that is stored already is read, merged by `tasks.merge` and written back, and the roll-ups change by what the row
contributes now less what it contributed before. So a flush that comes twice changes nothing the second time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import loads, samples, schema
from celeriac.adapters.sql.database import Database, driver, upsert
from celeriac.adapters.sql.history import SqlHistory
from celeriac.adapters.sql.partitions import ROWS, Catalogue, Held
from celeriac.adapters.sql.rows import Row, keys_of, row_of, task_of
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.upkeep import Upkeep
from celeriac.adapters.sql.words import Words
from celeriac.core import rollup, tasks
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Incarnation
from celeriac.core.redact import Redaction
from celeriac.core.retention import Retention
from celeriac.core.rollup import ALL, Count, Tally
from celeriac.core.tasks import Task
from celeriac.ports import Batch, Opening

LOG_EVERY_S = 30.0

Pending = dict[bytes, tuple[Task, str | None]]
"""Tasks by key, each with its id's text where `key_of` gives one."""

RollupKey = tuple[int, int | None, int]
"""Step, number of the task's name, beginning of the step."""

_packed = msgspec.msgpack.Encoder().encode
_unpacked = msgspec.msgpack.Decoder(Count).decode
_NO_NAME = 0
"""The number of `rollup.ALL`."""


class SqlRecorder:
    """The only writer of one history, as a lock on a file beside it makes sure: it remembers what the store holds.

    With `migrate` it brings the schema up to date itself; `rows` is how many a partition takes.
    """

    def __init__(
        self,
        database: Database,
        redaction: Redaction,
        retention: Retention = Retention(),  # noqa: B008 (frozen)
        *,
        migrate: bool = False,
        rows: int = ROWS,
    ) -> None:
        self._database, self._redaction, self._migrate, self._rows = database, redaction, migrate, rows
        self._upkeep = Upkeep(retention, database.path)
        self._known: tuple[Words, Catalogue] | None = None
        self._file: object = None
        self._log_due_at = 0.0

    def opening(self) -> Opening:
        """Return what an observer takes up; raises UnreachableError if the history is not ready, or has its writer."""
        if not self._migrate and not self._database.current():
            raise UnreachableError("the store's schema is not up to date: run `celeriac migrate`, or `celeriac serve`")
        self._database.lock()
        if self._migrate:
            self._database.migrate()
        with self._database.reading() as connection:
            identity = connection.scalar(sa.select(schema.about.c.value).where(schema.about.c.name == "identity"))
        history = SqlHistory(self._database)
        return Opening(str(identity), tuple(history.incarnations()), history.stream())

    def record(self, batch: Batch) -> int:
        """Store one flush, all or nothing; return how many rows it wrote."""
        with self._changing() as (connection, words, catalogue):
            return self._store(connection, batch, words, catalogue)

    def tidy(self, now: float) -> bool:
        """Do one short piece of upkeep; False if there is nothing to do now."""
        if now >= self._log_due_at:
            self._log_due_at = now + LOG_EVERY_S
            self._database.shorten_log()
        with self._changing() as (connection, words, catalogue):
            return self._upkeep.step(connection, catalogue, words, now)

    @contextmanager
    def _changing(self) -> Iterator[tuple[sa.Connection, Words, Catalogue]]:
        try:
            with self._database.writing() as connection:
                if self._known is None or self._file != self._database.file:
                    self._known, self._file = self._read(connection), self._database.file
                yield connection, *self._known
                self._known[1].save(connection)
        except BaseException:
            self._known = None  # what was noted of this transaction is not stored
            raise

    def _read(self, connection: sa.Connection) -> tuple[Words, Catalogue]:
        return Words(connection), Catalogue(connection, rows=self._rows)

    def _store(self, connection: sa.Connection, batch: Batch, words: Words, catalogue: Catalogue) -> int:
        now = batch.stream.observed_at
        pending = self._pending(batch.tasks)
        held = catalogue.find(connection, list(pending))
        flush = _compared(pending, held, words)
        catalogue.replace(connection, flush.changed)
        catalogue.insert(connection, flush.new, now)
        tally = rollup.contributed(flush.after)
        tally.subtract(rollup.contributed(flush.before))
        _add_rollups(connection, tally, words)
        if batch.queues:
            samples.store(connection, batch.queues, words)
        if batch.loads:
            loads.store(connection, batch.loads)
        words.store(connection)
        if batch.incarnations:
            connection.execute(upsert(schema.incarnations), [_life(one) for one in batch.incarnations])
        body = msgspec.json.encode(batch.stream).decode()
        connection.execute(upsert(schema.stream), [{"id": 1, "body": body}])
        return len(flush.new) + len(flush.changed)

    def _pending(self, these: Sequence[Task]) -> Pending:
        """Return the tasks without their secrets; one may come twice."""
        pending: Pending = {}
        self._redaction.tasks(these)
        for task, (key, text) in zip(these, keys_of([task.uuid for task in these]), strict=True):
            pending[key] = (tasks.merge(pending[key][0], task) if key in pending else task, text)
        return pending


@dataclass
class _Flush:
    """What one flush does to the rows, and the tasks that contribute otherwise to roll-ups before and after it."""

    new: list[Row] = field(default_factory=list)
    changed: list[tuple[Held, Row]] = field(default_factory=list)
    before: list[Task] = field(default_factory=list)
    after: list[Task] = field(default_factory=list)


def _compared(pending: Pending, held: Mapping[bytes, Held], words: Words) -> _Flush:
    """Return what is new in these tasks; a row that stays the same is not written."""
    flush = _Flush()
    for key, (task, text) in pending.items():
        there = held.get(key)
        if there is None:
            flush.after.append(task)
            flush.new.append(row_of(task, (key, text), words.number))
            continue
        before = task_of(there.row, words.text)
        after = tasks.merge(before, task)
        row = row_of(after, (key, text), words.number)
        if row != there.row:
            flush.before.append(before)
            flush.after.append(after)
            flush.changed.append((there, row))
    return flush


def _add_rollups(connection: sa.Connection, tally: Tally, words: Words) -> None:
    changes: dict[RollupKey, Count] = {
        (step, _NO_NAME if name == ALL else words.number(name), at): count
        for (step, at, name), count in rollup.rolls(tally).items()
    }
    if not changes:
        return
    held = _read_rollups(connection, changes)
    rows = []
    for (step, name, at), count in changes.items():
        total = rollup.total((held.get((step, name, at), {}), count))
        # Of what is forgotten already nothing is taken back.
        states, durations = rollup.parted({code: number for code, number in total.items() if number > 0})
        rows.append({"step": step, "name": name, "at": at, "states": _packed(states), "durations": _packed(durations)})
    connection.execute(upsert(schema.rollups), rows)


def _read_rollups(connection: sa.Connection, keys: Iterable[RollupKey]) -> dict[RollupKey, Count]:
    """Return the counts that are stored under these keys; one by one, as SQLite reads all rows for a list of triples."""
    own, query = driver(connection), "SELECT states, durations FROM rollups WHERE step = ? AND name = ? AND at = ?"
    found = ((key, own.execute(query, key).fetchone()) for key in keys)
    return {key: _unpacked(row[0]) | _unpacked(row[1]) for key, row in found if row is not None}


def _life(one: Incarnation) -> dict[str, object]:
    body = msgspec.json.encode(one).decode()
    return {"node": one.node, "pid": one.pid, "last_seen_at": micros(one.last_seen_at), "body": body}
