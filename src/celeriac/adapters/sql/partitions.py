"""The partitions of one history: which there are, in which one an id lies, and where a new row goes.

A partition takes rows until it is full or a day old. Then it is sealed: it gets its other indexes and grows no more,
though a late event may still change a row. Retention drops partitions whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from celeriac.adapters.sql import schema, sieve
from celeriac.adapters.sql.rows import COLUMNS, Row
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.sieve import Sieve

ROWS = 200_000
AGE_S = 86_400.0
_ASKED_AT_ONCE = 256

_KEY, _STATE, _FIRST = COLUMNS.index("key"), COLUMNS.index("state"), COLUMNS.index("first_at")


class Stage(StrEnum):
    """What a partition goes through."""

    GROWING = "growing"
    SEALING = "sealing"
    SEALED = "sealed"
    DROPPING = "dropping"


@dataclass
class Partition:
    """One partition as the catalogue has it; times in microseconds of the oldest and newest row's `first_at`."""

    id: int
    opened_at: int
    archive: bool = False
    stage: Stage = Stage.GROWING
    rows: int = 0
    from_at: int | None = None
    to_at: int | None = None
    states: int = 0
    sieve: Sieve = field(default_factory=Sieve)

    @property
    def table(self) -> sa.Table:
        return schema.partition(self.id)

    def note(self, rows: Iterable[Row]) -> None:
        """Take up what rows that are put here mean for the catalogue."""
        for row in rows:
            first = row[_FIRST]
            self.from_at = first if self.from_at is None or first < self.from_at else self.from_at
            self.to_at = first if self.to_at is None or first > self.to_at else self.to_at
            self.states |= 1 << row[_STATE]


Held = tuple[Partition, int, Row]
"""Where a row lies: partition, number there, values in the order of `COLUMNS`."""


class Catalogue:
    """All partitions, newest first, as of the last transaction; made anew after one that failed."""

    def __init__(self, connection: sa.Connection, *, rows: int = ROWS) -> None:
        self._limit = rows
        columns = schema.partitions.c
        found = connection.execute(sa.select(schema.partitions).order_by(columns.id.desc())).all()
        self.all = [
            Partition(
                one.id, one.opened_at, one.archive, Stage(one.stage), one.rows, one.from_at, one.to_at, one.states,
                Sieve(one.sieve) if one.sieve else Sieve(),
            )
            for one in found
        ]  # fmt: skip
        for one in self.all:
            if one.stage is Stage.GROWING:  # its sieve is stored when it is sealed
                keys = connection.execute(sa.select(one.table.c.key)).scalars().all()
                if keys:
                    one.sieve.add(sieve.ids(keys))

    def growing(self, connection: sa.Connection, now: float, *, archive: bool = False) -> Partition:
        """Return the partition that takes new rows, a new one if there is none with room."""
        for one in self.all:
            if one.stage is Stage.GROWING and one.archive == archive:
                if one.rows < self._limit and not self.aged(one, now):
                    return one
                self.seal(connection, one)
        id = max((one.id for one in self.all), default=0) + 1
        new = Partition(id, micros(now) or 0, archive)
        new.table.create(connection)
        self.all.insert(0, new)
        self.save(connection, [new])
        return new

    def aged(self, one: Partition, now: float) -> bool:
        """Tell whether a partition has grown for long enough."""
        return one.stage is Stage.GROWING and one.rows > 0 and now - one.opened_at / 1e6 >= AGE_S

    def seal(self, connection: sa.Connection, one: Partition) -> None:
        """End a partition's growth; its other indexes are made step by step (`upkeep`)."""
        one.stage = Stage.SEALING
        connection.execute(
            sa.update(schema.partitions)
            .where(schema.partitions.c.id == one.id)
            .values(sieve=one.sieve.packed(), stage=one.stage)
        )

    def find(self, connection: sa.Connection, keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Return those of these ids that are stored, with their rows."""
        found: dict[bytes, Held] = {}
        if not keys:
            return found
        places = sieve.ids(keys)
        for one in self.all:
            if one.stage is Stage.DROPPING or not one.rows:
                continue
            maybe = [keys[index] for index in np.flatnonzero(one.sieve.passes(places)).tolist()]
            wanted = [key for key in maybe if key not in found] if found else maybe
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                for id, *values in _rows(connection, one, wanted[start : start + _ASKED_AT_ONCE]):
                    found[values[_KEY]] = (one, id, tuple(values))
        return found

    def insert(self, connection: sa.Connection, rows: Sequence[Row], now: float, *, archive: bool = False) -> None:
        """Put new rows where there is room."""
        start = 0
        while start < len(rows):
            one = self.growing(connection, now, archive=archive)
            part = rows[start : start + self._limit - one.rows]
            connection.exec_driver_sql(insert_into(one.id), list(part))
            one.sieve.add(sieve.ids([row[_KEY] for row in part]))
            one.rows += len(part)
            one.note(part)
            start += len(part)

    def replace(self, connection: sa.Connection, changed: Sequence[Held]) -> None:
        """Store the new values of rows where they lie."""
        by_partition: dict[int, list[tuple[object, ...]]] = {}
        for one, id, row in changed:
            by_partition.setdefault(one.id, []).append((*row, id))
            one.note([row])
        for number, rows in by_partition.items():
            connection.exec_driver_sql(_update(number), rows)

    def save(self, connection: sa.Connection, these: Iterable[Partition]) -> None:
        """Store what the catalogue says of these partitions."""
        for one in these:
            values = {
                "stage": one.stage, "archive": one.archive, "opened_at": one.opened_at, "rows": one.rows,
                "from_at": one.from_at, "to_at": one.to_at, "states": one.states,
            }  # fmt: skip
            put = sqlite.insert(schema.partitions).values(id=one.id, **values)
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=values))


def insert_into(id: int) -> str:
    """Return the statement that puts a row into a partition."""
    marks = ", ".join("?" * len(COLUMNS))
    return f"INSERT INTO tasks_{id} ({', '.join(COLUMNS)}) VALUES ({marks})"  # noqa: S608 (a number of ours)


def _update(id: int) -> str:
    return f"UPDATE tasks_{id} SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE id = ?"  # noqa: S608


def _rows(connection: sa.Connection, one: Partition, keys: list[bytes]) -> Sequence[Any]:
    # Always as many marks, so that the statement is prepared once.
    asked = keys + keys[-1:] * (_ASKED_AT_ONCE - len(keys)) if len(keys) > 1 else keys
    marks = ", ".join("?" * len(asked))
    query = f"SELECT id, {', '.join(COLUMNS)} FROM tasks_{one.id} WHERE key IN ({marks})"  # noqa: S608
    return connection.exec_driver_sql(query, tuple(asked)).all()
