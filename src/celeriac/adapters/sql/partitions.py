"""The partitions of one history: which there are, in which one an id lies, and where a new row goes.

A partition takes rows until it is full, by their number or their size, or a day old. Then it is sealed: it gets its other
indexes and grows no more, though a late event may still change a row. Retention drops partitions whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

from celeriac.adapters.sql import schema, sieve
from celeriac.adapters.sql.database import driver, insert
from celeriac.adapters.sql.room import used_bytes
from celeriac.adapters.sql.rows import COLUMNS, Row
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.sieve import Sieve

ROWS = 200_000
BYTES = 256 << 20
"""An index is made at once: on 800 MB of rows that takes 0.3 s."""

AGE_S = 86_400.0
_ASKED_AT_ONCE = 256

_KEY, _STATE, _FIRST = COLUMNS.index("key"), COLUMNS.index("state"), COLUMNS.index("first_at")
_WORDS = tuple(COLUMNS.index(name) for name in ("name", "worker", "queue"))
_NOTED = {_STATE, _FIRST, *_WORDS}


class Stage(StrEnum):
    """What a partition goes through."""

    GROWING = "growing"
    SEALING = "sealing"
    SEALED = "sealed"
    DROPPING = "dropping"


@dataclass
class Partition:
    """One partition as the catalogue has it; times in microseconds.

    `from_at` and `to_at` are those of the oldest and newest row's `first_at`, by the clocks of senders; `last_at` is when
    a row last came, by our own. An archive's rows came when they came to the partitions that they are from. `states` and
    `words` are those that a row may have.
    """

    id: int
    opened_at: int
    last_at: int
    archive: bool = False
    stage: Stage = Stage.GROWING
    rows: int = 0
    from_at: int | None = None
    to_at: int | None = None
    states: int = 0
    bytes: int = 0
    words: set[int] = field(default_factory=set)
    sieve: Sieve = field(default_factory=Sieve)

    @property
    def table(self) -> sa.Table:
        return schema.partition(self.id)

    def note(self, rows: Sequence[Row]) -> None:
        """Take up what rows that are put here mean for the catalogue."""
        times = [row[_FIRST] for row in rows]
        self.from_at = min(times) if self.from_at is None else min(self.from_at, *times)
        self.to_at = max(times) if self.to_at is None else max(self.to_at, *times)
        for state in {row[_STATE] for row in rows}:
            self.states |= 1 << state
        for place in _WORDS:
            self.words.update({row[place] for row in rows if row[place] is not None})


class Held(NamedTuple):
    """Where a row lies, its number there, and its values in the order of `COLUMNS`."""

    partition: Partition
    id: int
    row: Row


class Catalogue:
    """All partitions, newest first, as of the last transaction; made anew after one that failed."""

    def __init__(self, connection: sa.Connection, *, rows: int = ROWS) -> None:
        self._limit = rows
        self._touched: dict[int, Partition] = {}
        columns = schema.partitions.c
        found = connection.execute(sa.select(schema.partitions).order_by(columns.id.desc())).all()
        self.all = [
            Partition(
                one.id, one.opened_at, one.last_at, one.archive, Stage(one.stage), one.rows, one.from_at, one.to_at,
                one.states, one.bytes, set(msgspec.msgpack.decode(one.words)), Sieve(one.sieve),
            )
            for one in found
        ]  # fmt: skip
        for one in self.all:
            if one.stage is Stage.GROWING:  # its sieve is stored when it is sealed
                one.sieve.add(sieve.ids(connection.execute(sa.select(one.table.c.key)).scalars().all()))

    def aged(self, one: Partition, now: float) -> bool:
        """Tell whether a partition has grown for long enough."""
        return one.stage is Stage.GROWING and one.rows > 0 and now - one.opened_at / 1e6 >= AGE_S

    def seal(self, connection: sa.Connection, one: Partition) -> None:
        """End a partition's growth; its other indexes are made step by step (`upkeep`)."""
        one.stage = Stage.SEALING
        one.sieve.fit(one.rows)
        self._put(connection, one, sieve=one.sieve.packed())

    def find(self, connection: sa.Connection, keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Return those of these ids that are stored, with their rows."""
        found: dict[bytes, Held] = {}
        places = sieve.ids(keys)
        for one in self.all:
            if one.stage is Stage.DROPPING or not one.rows:
                continue
            maybe = [keys[index] for index in np.flatnonzero(one.sieve.passes(places)).tolist()]
            for id, *row in _rows(connection, one, [key for key in maybe if key not in found] if found else maybe):
                found[row[_KEY]] = Held(one, id, tuple(row))
        return found

    def insert(
        self, connection: sa.Connection, rows: Sequence[Row], now: float, *, moved_from: Partition | None = None
    ) -> None:
        """Put new rows where there is room; those that are moved go to the archive."""
        start = 0
        while start < len(rows):
            one = self._growing(connection, now, archive=moved_from is not None)
            part = rows[start : start + self._limit - one.rows]
            with _grown(connection, one):
                for places, values in _alike(part):
                    driver(connection).executemany(_insert_into(one.id, places), values)
            one.sieve.add(sieve.ids([row[_KEY] for row in part]))
            one.rows += len(part)
            one.last_at = max(one.last_at, moved_from.last_at if moved_from else micros(now) or 0)
            one.note(part)
            self.touch(one)
            start += len(part)

    def replace(self, connection: sa.Connection, changed: Iterable[tuple[Held, Row]]) -> None:
        """Store the new values of rows where they lie; what is the same is not written, nor are its indexes."""
        alike: defaultdict[int, defaultdict[tuple[int, ...], list[tuple[object, ...]]]]
        alike = defaultdict(lambda: defaultdict(list))
        noted: defaultdict[int, list[Row]] = defaultdict(list)
        for (one, id, before), row in changed:
            places = tuple([place for place, value in enumerate(row) if value != before[place]])
            alike[one.id][places].append((*[row[place] for place in places], id))
            if not _NOTED.isdisjoint(places):
                noted[one.id].append(row)
        for one in [one for one in self.all if one.id in alike]:
            with _grown(connection, one):
                for places, values in alike[one.id].items():
                    connection.exec_driver_sql(_update(one.id, places), values)
            if one.id in noted:
                one.note(noted[one.id])
            self.touch(one)

    def touch(self, one: Partition) -> None:
        """Have what the catalogue says of a partition stored by the next `save`."""
        self._touched[one.id] = one

    def save(self, connection: sa.Connection) -> None:
        """Store what the catalogue says of the partitions that have changed."""
        for one in self._touched.values():
            self._put(connection, one)
        self._touched = {}

    def forget(self, connection: sa.Connection, one: Partition) -> None:
        """Drop a partition's empty table."""
        one.table.drop(connection)
        connection.execute(sa.delete(schema.partitions).where(schema.partitions.c.id == one.id))
        self.all.remove(one)

    def _growing(self, connection: sa.Connection, now: float, *, archive: bool) -> Partition:
        """Return the partition that takes new rows, a new one if there is none with room."""
        for one in self.all:
            if one.stage is Stage.GROWING and one.archive == archive:
                if one.rows < self._limit and one.bytes < BYTES and not self.aged(one, now):
                    return one
                self.seal(connection, one)
        id = max((one.id for one in self.all), default=0) + 1
        new = Partition(id, micros(now) or 0, 0, archive)
        new.table.create(connection)
        self.all.insert(0, new)
        self._put(connection, new)
        return new

    def _put(self, connection: sa.Connection, one: Partition, **more: object) -> None:
        values = {
            "stage": one.stage, "archive": one.archive, "opened_at": one.opened_at, "last_at": one.last_at,
            "rows": one.rows, "from_at": one.from_at, "to_at": one.to_at, "states": one.states, "bytes": one.bytes,
            "words": msgspec.msgpack.encode(sorted(one.words)), **more,
        }  # fmt: skip
        put = insert(schema.partitions).values(id=one.id, **values)
        connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=values))


@contextmanager
def _grown(connection: sa.Connection, one: Partition) -> Iterator[None]:
    """Note by how much a partition has grown when the block ends."""
    before = used_bytes(connection)
    yield
    one.bytes += used_bytes(connection) - before


def _alike(rows: Sequence[Row]) -> Iterator[tuple[list[int], list[Row]]]:
    """Yield the places that are not None with the values there of all rows alike; there are few kinds of rows.

    Half of a row is None, and the driver takes ten times as long for a None as for a number (0.3 us, measured).
    """
    while rows:
        places = [place for place, value in enumerate(rows[0]) if value is not None]
        values_of, nothing = itemgetter(*places), len(rows[0]) - len(places)
        alike: list[Row] = []
        others: list[Row] = []
        for row in rows:
            values = values_of(row)
            if None not in values and row.count(None) == nothing:
                alike.append(values)
            else:
                others.append(row)
        yield places, alike
        rows = others


def _insert_into(id: int, places: Sequence[int]) -> str:
    columns, marks = ", ".join(COLUMNS[place] for place in places), ", ".join("?" * len(places))
    return f"INSERT INTO tasks_{id} ({columns}) VALUES ({marks})"  # noqa: S608 (a number and names of ours)


def _update(id: int, places: Iterable[int]) -> str:
    return f"UPDATE tasks_{id} SET {', '.join(f'{COLUMNS[place]} = ?' for place in places)} WHERE id = ?"  # noqa: S608


def _rows(connection: sa.Connection, one: Partition, keys: list[bytes]) -> Iterator[Any]:
    for start in range(0, len(keys), _ASKED_AT_ONCE):
        asked = keys[start : start + _ASKED_AT_ONCE]
        asked += asked[-1:] * (_ASKED_AT_ONCE - len(asked)) if len(asked) > 1 else []  # so it is prepared once
        marks = ", ".join("?" * len(asked))
        query = f"SELECT id, {', '.join(COLUMNS)} FROM tasks_{one.id} WHERE key IN ({marks})"  # noqa: S608
        yield from driver(connection).execute(query, asked)
