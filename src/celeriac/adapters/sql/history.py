"""One cluster's events in `history-<cluster>.db`: rows merge by the same rule as in memory (`core.tasks`)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, upsert
from celeriac.adapters.sql.schema import micros, seconds
from celeriac.core.model import Incarnation
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import RANK, Task
from celeriac.ports import Batch, History, TaskFilter, TaskRow

_TIMES = ("sent_at", "received_at", "started_at", "finished_at")
_STAMPS = ("state_at", "described_at", "worker_at", "failed_at")
_DESCRIBED = ("name", "args", "kwargs", "root_id", "parent_id", "retries", "eta", "expires", "described_at")
_FAILED = ("exception", "traceback", "failed_at")
KEPT_S = 2 * 86400.0
"""How long an incarnation that says nothing more is listed."""


class SqlHistory:
    """`History` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._merge = _merging()

    def record(self, batch: Batch) -> None:
        """Store one flush in one transaction; rows merge, newer fields win."""
        with self._database.writing() as connection:
            if batch.tasks:
                connection.execute(self._merge, [_row(task) for task in batch.tasks])
            if batch.incarnations:
                connection.execute(upsert(schema.incarnations), [_life(one) for one in batch.incarnations])
            body = msgspec.json.encode(batch.stream).decode()
            connection.execute(upsert(schema.stream), [{"id": 1, "body": body}])

    def stream(self) -> Stream | None:
        """Return how well the observer hears, as of its last flush."""
        with self._database.reading() as connection:
            body = connection.scalar(sa.select(schema.stream.c.body))
            return msgspec.json.decode(body, type=Stream) if body else None

    def incarnations(self) -> list[Incarnation]:
        """Return every incarnation heard within two days of the newest."""
        row = schema.incarnations.c
        newest = sa.select(sa.func.max(row.last_seen_at)).scalar_subquery()
        query = sa.select(row.body).where(row.last_seen_at > newest - micros(KEPT_S))
        with self._database.reading() as connection:
            return [msgspec.json.decode(body, type=Incarnation) for body in connection.scalars(query)]

    def tasks(self, which: TaskFilter) -> list[TaskRow]:
        """Return tasks, newest first."""
        row = schema.tasks.c
        query = sa.select(schema.tasks).order_by(row.listed_at.desc(), row.uuid.desc()).limit(which.limit)
        for column, wanted in ((row.state, which.state), (row.name, which.name), (row.worker, which.worker)):
            if wanted is not None:
                query = query.where(column == wanted)
        if which.before is not None:
            query = query.where(sa.tuple_(row.listed_at, row.uuid) < sa.tuple_(*map(sa.literal, which.before)))
        with self._database.reading() as connection:
            return [TaskRow((one.listed_at, one.uuid), _task(one)) for one in connection.execute(query)]

    def task(self, uuid: str) -> Task | None:
        """Return one task."""
        with self._database.reading() as connection:
            one = connection.execute(sa.select(schema.tasks).where(schema.tasks.c.uuid == uuid)).first()
        return _task(one) if one else None

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return self._database.version()


def _merging() -> Any:
    """Return the upsert that merges a task's row, group by group, as `core.tasks.apply` does."""
    held = schema.tasks.c
    new = upsert(schema.tasks).excluded

    def choose(condition: Any, *names: str) -> dict[str, Any]:
        return {name: sa.case((condition, new[name]), else_=held[name]) for name in names}

    later = sa.tuple_(new.state_at, new.state_rank) > sa.tuple_(held.state_at, held.state_rank)
    seen = sa.tuple_(new.worker_at, sa.func.coalesce(new.worker, ""))
    held_by = sa.tuple_(held.worker_at, sa.func.coalesce(held.worker, ""))
    sent = new.sent_at >= sa.func.coalesce(held.sent_at, 0)
    return upsert(
        schema.tasks,
        **choose(later, "state", "state_at", "state_rank", "result", "runtime"),
        **choose(new.described_at > held.described_at, *_DESCRIBED),
        **choose(seen > held_by, "worker", "worker_at"),
        **choose(new.failed_at > held.failed_at, *_FAILED),
        **choose(sent, "queue"),
        **{name: _max(held[name], new[name]) for name in _TIMES},
        listed_at=sa.func.min(held.listed_at, new.listed_at),
    )


def _max(held: Any, new: Any) -> Any:
    return sa.func.max(sa.func.coalesce(held, new), sa.func.coalesce(new, held))


def _row(task: Task) -> dict[str, object]:
    row: dict[str, object] = msgspec.structs.asdict(task)
    for name in (*_TIMES, *_STAMPS):
        row[name] = micros(getattr(task, name))
    known = [at for at in (task.sent_at, task.received_at, task.started_at, task.finished_at) if at is not None]
    row["listed_at"] = micros(min(known, default=task.state_at))
    row["state_rank"] = RANK[task.state]
    return row


def _task(row: Any) -> Task:
    values = {name: getattr(row, name) for name in Task.__struct_fields__}
    for name in (*_TIMES, *_STAMPS):
        values[name] = seconds(values[name])
    return Task(**values)


def _life(one: Incarnation) -> dict[str, object]:
    body = msgspec.json.encode(one).decode()
    return {"node": one.node, "pid": one.pid, "last_seen_at": micros(one.last_seen_at), "body": body}


def _fits(history: SqlHistory) -> History:
    """Let the type checker prove that the class fits its port."""
    return history


__all__: Sequence[str] = ["SqlHistory"]
