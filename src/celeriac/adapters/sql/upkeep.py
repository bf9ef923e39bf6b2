"""Upkeep in short pieces between two flushes: sealing partitions, dropping them, keeping what is kept longer.

Dropping a full table at once takes up to half a second (measured: 200,000 rows, six indexes), and the writer would stand
still. So its indexes go one by one, then its rows in slices, then the empty table.
"""

from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.partitions import Catalogue, Partition, Stage
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES
from celeriac.adapters.sql.schema import micros
from celeriac.core.retention import Retention
from celeriac.core.rollup import HOUR, MINUTE

ROWS_AT_ONCE = 10_000
MOVED_AT_ONCE = 2_000
FORGET_EVERY_S = 600.0
LIVES_S = 30 * 86_400.0


class Upkeep:
    """What is to be done on one history; each call of `step` does one piece, in the caller's transaction."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._forget_due_at = 0.0

    def step(self, connection: sa.Connection, catalogue: Catalogue, now: float) -> bool:
        """Do one piece; False if there is nothing to do now."""
        for one in catalogue.all:
            if catalogue.aged(one, now):
                catalogue.seal(connection, one)
                return True
            if one.stage is Stage.SEALING:
                _index(connection, catalogue, one)
                return True
            if one.stage is Stage.DROPPING:
                _shrink(connection, catalogue, one)
                return True
        return self._let_go(connection, catalogue, now) or self._forget(connection, now)

    def _let_go(self, connection: sa.Connection, catalogue: Catalogue, now: float) -> bool:
        """Find the oldest partition that has lasted its time, or that is too much."""
        sealed = sorted((one for one in catalogue.all if one.stage is Stage.SEALED), key=lambda one: one.last_at)
        if sealed and _used_bytes(connection) > self._retention.most_bytes:
            _begin_dropping(catalogue, sealed[0])
            return True
        for one in sealed:
            over, kept = self._states(one, now)
            if over:
                if not _move(connection, catalogue, one, kept, now):
                    _begin_dropping(catalogue, one)
                return True
        return False

    def _states(self, one: Partition, now: float) -> tuple[bool, list[int]]:
        """Tell whether a partition's time is over for one of its states, and which states are kept on."""
        age = now - one.last_at / 1e6
        there = [number for number in range(len(STATE_NAMES)) if one.states >> number & 1]
        kept = [number for number in there if self._retention.age_of(STATE_NAMES[number]) > age]
        return len(kept) < len(there), kept

    def _forget(self, connection: sa.Connection, now: float) -> bool:
        """Forget roll-ups, samples and lives whose time is over, some at a time, and then for a while nothing."""
        if now < self._forget_due_at:
            return False
        over = _over(self._retention, now)
        if not any(_delete(connection, table, *conditions) for table, *conditions in over):
            self._forget_due_at = now + FORGET_EVERY_S
        return True


def _index(connection: sa.Connection, catalogue: Catalogue, one: Partition) -> None:
    """Make the next index of a partition that has ended its growth."""
    there = {found["name"] for found in sa.inspect(connection).get_indexes(one.table.name)}
    for index in schema.later_indexes(one.id):
        if index.name not in there:
            index.create(connection)
            return
    one.stage = Stage.SEALED
    catalogue.touch(one)


def _begin_dropping(catalogue: Catalogue, one: Partition) -> None:
    one.stage = Stage.DROPPING
    catalogue.touch(one)


def _shrink(connection: sa.Connection, catalogue: Catalogue, one: Partition) -> None:
    """Drop the next index of a partition that goes, then a slice of its rows, and at last itself."""
    name = one.table.name
    indexes = sorted(str(found["name"]) for found in sa.inspect(connection).get_indexes(name))
    if indexes:
        connection.exec_driver_sql(f"DROP INDEX {indexes[0]}")
        return
    edge = connection.scalar(sa.select(sa.func.min(one.table.c.id)))
    if edge is None:
        catalogue.forget(connection, one)
    else:
        connection.execute(sa.delete(one.table).where(one.table.c.id < edge + ROWS_AT_ONCE))


def _move(connection: sa.Connection, catalogue: Catalogue, one: Partition, kept: list[int], now: float) -> bool:
    """Move some of the rows that are kept on into the archive; False if there are none left."""
    table = one.table
    query = sa.select(table.c.id, *(table.c[name] for name in COLUMNS)).where(table.c.state.in_(kept))
    rows = connection.execute(query.limit(MOVED_AT_ONCE)).all() if kept else []
    if not rows:
        return False
    catalogue.insert(connection, [tuple(row[1:]) for row in rows], now, moved_from=one)
    connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE id = ?", [(row.id,) for row in rows])  # noqa: S608
    one.rows -= len(rows)
    catalogue.touch(one)
    return True


def _over(retention: Retention, now: float) -> list[tuple[Any, ...]]:
    """Return each table that is forgotten from, with the conditions of what is over."""
    rollups, samples, lives = schema.rollups, schema.queue_samples, schema.incarnations
    return [
        (rollups, rollups.c.step == MINUTE, rollups.c.at < int(now - retention.minutes_s)),
        (rollups, rollups.c.step == HOUR, rollups.c.at < int(now - retention.hours_s)),
        (samples, samples.c.at < micros(now - retention.samples_s)),
        (lives, lives.c.last_seen_at < micros(now - LIVES_S)),
    ]


def _delete(connection: sa.Connection, table: sa.Table, *over: Any) -> bool:
    """Delete some of the rows that meet these conditions; False if there are none."""
    keys = list(table.primary_key)
    rows = connection.execute(sa.select(*keys).where(*over).limit(ROWS_AT_ONCE)).all()
    if rows:
        marks = " AND ".join(f"{key.name} = ?" for key in keys)
        connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {marks}", [tuple(row) for row in rows])  # noqa: S608
    return bool(rows)


def _used_bytes(connection: sa.Connection) -> int:
    """Return what the file's pages in use take; free pages are used again, so the file itself does not shrink."""

    def number(pragma: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() or 0)

    return (number("page_count") - number("freelist_count")) * number("page_size")
