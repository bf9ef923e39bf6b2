"""Writing one cluster's history: each flush of its observer in one transaction, rows, roll-ups and all.

A row that is stored already is read, merged by `tasks.merge` and written back, and the roll-ups change by what the row
contributes now less what it contributed before. So a flush that comes twice changes nothing the second time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, upsert
from celeriac.adapters.sql.history import SqlHistory
from celeriac.adapters.sql.partitions import Catalogue, Held
from celeriac.adapters.sql.rows import Row, key_of, row_of, task_of
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.upkeep import Upkeep
from celeriac.adapters.sql.words import Words
from celeriac.core import rollup, tasks
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.redact import Redaction
from celeriac.core.retention import Retention
from celeriac.core.rollup import ALL, Count, Tally
from celeriac.core.tasks import Task
from celeriac.ports import Batch, Opening

_packed = msgspec.msgpack.Encoder().encode
_NO_NAME = 0
"""The number of `rollup.ALL`."""


class SqlRecorder:
    """The only writer of one history, as a lock on a file beside it makes sure: it remembers what the store holds."""

    def __init__(self, database: Database, redaction: Redaction, retention: Retention = Retention()) -> None:  # noqa: B008 (frozen)
        self._database, self._redaction = database, redaction
        self._upkeep = Upkeep(retention)
        self._known: tuple[Words, Catalogue] | None = None

    def opening(self) -> Opening:
        """Return what an observer takes up; raises UnreachableError if the history is not ready, or has its writer."""
        if not self._database.current():
            raise UnreachableError("the store's schema is not up to date: run `celeriac migrate`, or `celeriac serve`")
        self._database.lock()
        with self._database.reading() as connection:
            identity = connection.scalar(sa.select(schema.about.c.value).where(schema.about.c.name == "identity"))
        return Opening(str(identity), tuple(SqlHistory(self._database).incarnations()))

    def record(self, batch: Batch) -> int:
        """Store one flush, all or nothing; return how many rows it wrote."""
        with self._changing() as (connection, words, catalogue):
            return self._store(connection, batch, words, catalogue)

    def tidy(self, now: float) -> bool:
        """Do one short piece of upkeep; False if there is nothing to do now."""
        with self._changing() as (connection, _, catalogue):
            return self._upkeep.step(connection, catalogue, now)

    @contextmanager
    def _changing(self) -> Iterator[tuple[sa.Connection, Words, Catalogue]]:
        try:
            with self._database.writing() as connection:
                if self._known is None:
                    self._known = (Words(connection), Catalogue(connection))
                yield connection, *self._known
        except BaseException:
            self._known = None  # what was noted of this transaction is not stored
            raise

    def _store(self, connection: sa.Connection, batch: Batch, words: Words, catalogue: Catalogue) -> int:
        now, tally = batch.stream.observed_at, rollup.tally()
        pending = self._pending(batch.tasks)
        held = catalogue.find(connection, list(pending))
        new: list[Row] = []
        changed: list[Held] = []
        for key, task in pending.items():
            if key not in held:
                rollup.add(tally, task)
                new.append(row_of(task, words.number))
            elif merged := _merged(held[key], task, words, tally):
                changed.append(merged)
        catalogue.replace(connection, changed)
        catalogue.insert(connection, new, now)
        catalogue.save(connection, catalogue.all[:1] + [one for one, _, _ in changed])
        _add_rollups(connection, tally, words)
        if batch.queues:
            connection.execute(upsert(schema.queue_samples), [_sample(one, words) for one in batch.queues])
        words.store(connection)
        if batch.incarnations:
            connection.execute(upsert(schema.incarnations), [_life(one) for one in batch.incarnations])
        body = msgspec.json.encode(batch.stream).decode()
        connection.execute(upsert(schema.stream), [{"id": 1, "body": body}])
        return len(new) + len(changed)

    def _pending(self, these: Iterable[Task]) -> dict[bytes, Task]:
        """Return the tasks by key, without their secrets; a flush may hold two rows of one task."""
        pending: dict[bytes, Task] = {}
        for task in these:
            self._redaction.task(task)
            key, _ = key_of(task.uuid)
            pending[key] = tasks.merge(pending[key], task) if key in pending else task
        return pending


def _merged(held: Held, task: Task, words: Words, tally: Tally) -> Held | None:
    """Return the row with what is new, and move its contribution; None if nothing changes."""
    partition, id, row = held
    before = task_of(row, words.text)
    # By way of a row, so that both have their times in whole microseconds.
    after = tasks.merge(before, task_of(row_of(task, words.number), words.text))
    merged = row_of(after, words.number)
    if merged == row:
        return None
    rollup.add(tally, before, -1)
    rollup.add(tally, after)
    return partition, id, merged


def _add_rollups(connection: sa.Connection, tally: Tally, words: Words) -> None:
    changes = {
        (step, _NO_NAME if name == ALL else words.number(name), at): count
        for (step, at, name), count in rollup.rolls(tally).items()
    }
    if not changes:
        return
    row = schema.rollups.c
    held: dict[tuple[int, int | None, int], Count] = {}
    for some in _slices(list(changes), 300):
        query = sa.select(schema.rollups).where(sa.tuple_(row.step, row.name, row.at).in_(some))
        for one in connection.execute(query):
            held[one.step, one.name, one.at] = msgspec.msgpack.decode(one.body, type=Count)
    rows = [
        {"step": key[0], "name": key[1], "at": key[2], "body": _packed(rollup.total((held.get(key, {}), count)))}
        for key, count in changes.items()
    ]
    connection.execute(upsert(schema.rollups), rows)


def _sample(one: QueueSample, words: Words) -> dict[str, object]:
    return {"queue": words.number(one.name), "at": micros(one.at), "body": _packed(one)}


def _life(one: Incarnation) -> dict[str, object]:
    body = msgspec.json.encode(one).decode()
    return {"node": one.node, "pid": one.pid, "last_seen_at": micros(one.last_seen_at), "body": body}


def _slices(these: Sequence[object], size: int) -> Iterable[Sequence[object]]:
    return (these[start : start + size] for start in range(0, len(these), size))
