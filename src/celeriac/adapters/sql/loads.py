"""How busy apps were, minute by minute, and the tasks that their workers had in a window.

A row is one minute of one process of an app; it is written anew with each look, whole, so a flush that comes twice changes
nothing. Who worked there and on which queues stays the same for days: it is kept once, as a remark.
"""

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.asking import Asking
from celeriac.adapters.sql.conditions import Query
from celeriac.adapters.sql.database import Database, insert
from celeriac.adapters.sql.rows import COLUMNS
from celeriac.adapters.sql.samples import numbered
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.search import partitions_of, tasks_of
from celeriac.adapters.sql.words import numbers_of
from celeriac.core.occupancy import Load
from celeriac.core.tasks import Task
from celeriac.evidence_ports import Loads

WITHIN_S = 5.0
_FIRST = COLUMNS.index("first_at")


class _Numbers(Struct, array_like=True):
    busy: int
    slots: int
    most: int
    instances: int
    waiting: int | None
    unsure: int


class _Scene(Struct, array_like=True, frozen=True):
    nodes: tuple[str, ...]
    queues: tuple[str, ...]
    shared: bool


_packed = msgspec.msgpack.Encoder().encode
_numbers = msgspec.msgpack.Decoder(_Numbers).decode
_scene = msgspec.json.Decoder(_Scene).decode


def store(connection: sa.Connection, loads: Sequence[Load]) -> None:
    """Store minutes; one that is there with more looks stays as it is."""
    row = schema.loads.c
    remarks: dict[str, int] = {}
    rows = []
    newest = max(one.at for one in loads)
    for one in loads:
        text = msgspec.json.encode(_Scene(one.nodes, one.queues, one.shared)).decode()
        if text not in remarks:
            remarks[text] = numbered(connection, text, newest)
        numbers = _Numbers(one.busy, one.slots, one.most, one.instances, one.waiting, one.unsure)
        rows.append(
            {
                "app": one.app,
                "process": one.process,
                "at": int(one.at),
                "looks": one.looks,
                "remark": remarks[text],
                "body": _packed(numbers),
            }
        )
    new = insert(schema.loads)
    later = {name: new.excluded[name] for name in ("looks", "remark", "body")}
    keys = ["app", "process", "at"]
    connection.execute(
        new.on_conflict_do_update(index_elements=keys, set_=later, where=new.excluded.looks >= row.looks), rows
    )


class SqlLoads:
    """`Loads` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def loads(self, app: str, since: float, until: float) -> list[Load]:
        """Return the minutes of an app's processes, oldest first."""
        row, remark = schema.loads.c, schema.remarks.c
        query = sa.select(row.process, row.at, row.looks, row.remark, row.body)
        query = query.where(row.app == app, row.at >= int(since), row.at < until).order_by(row.at, row.process)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            numbers = {one.remark for one in rows}
            found = connection.execute(sa.select(remark.id, remark.text).where(remark.id.in_(numbers)))
            scenes = {id: _scene(text) for id, text in found}
        return [_load(app, *one[:3], scenes[one.remark], one.body) for one in rows]

    def work(self, nodes: Collection[str], since: float, until: float, limit: int) -> tuple[list[Task], bool]:
        """Return the tasks that were first heard of in a window and went to these nodes, and whether these are all.

        The earliest come first, so what is left out is the end of the window.
        """
        with self._database.reading() as connection:
            workers = sorted(numbers_of(connection, nodes).values())
            found = [
                one for one in partitions_of(connection) if one.to_at >= micros(since) and one.from_at < micros(until)
            ]
            asking, rows, whole = Asking(connection, WITHIN_S), [], True
            try:
                for one in found if workers else ():
                    rows += asking.ask([_work(one.id, workers, (since, until), limit + 1)])
            except TimeoutError:
                whole = False
            rows = sorted(rows, key=lambda row: row[_FIRST])
            tasks = tasks_of(connection, rows[:limit])
        return tasks, whole and len(rows) <= limit


def _work(partition: int, workers: Sequence[int], window: tuple[float, float], limit: int) -> Query:
    """Return the query for one partition: by time, which each has an index for."""
    some = ", ".join(map(str, workers))
    text = (
        f"SELECT {', '.join(COLUMNS)} FROM tasks_{partition} WHERE first_at >= :since AND first_at < :until "  # noqa: S608
        f"AND +worker IN ({some}) ORDER BY first_at LIMIT :limit"
    )
    return text, {"since": micros(window[0]), "until": micros(window[1]), "limit": limit}


def _load(app: str, process: str, at: int, looks: int, scene: _Scene, body: bytes) -> Load:
    one = _numbers(body)
    return Load(
        app, process, float(at), looks, one.busy, one.slots, one.most, one.instances, one.waiting, one.unsure,
        scene.nodes, scene.queues, scene.shared,
    )  # fmt: skip


def _fits(loads: SqlLoads) -> Loads:
    """Let the type checker prove that the class fits its port."""
    return loads
