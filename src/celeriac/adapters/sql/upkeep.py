"""Upkeep in short pieces between two flushes: sealing partitions, dropping them, keeping what is kept longer.

Dropping a full table at once takes up to half a second (measured: 200,000 rows, six indexes), and the writer would stand
still. So its indexes go one by one, then its rows in slices, then the empty table.
"""

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.partitions import Catalogue, Partition, Stage
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES
from celeriac.adapters.sql.schema import micros
from celeriac.core.retention import Retention
from celeriac.core.rollup import HOUR, MINUTE

SLICE = 10_000
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
                return _index(connection, catalogue, one)
            if one.stage is Stage.DROPPING:
                return _shrink(connection, catalogue, one)
        if now >= self._forget_due_at:
            self._forget_due_at = now + FORGET_EVERY_S
            _forget(connection, self._retention, now)
            return True
        return self._let_go(connection, catalogue, now)

    def _let_go(self, connection: sa.Connection, catalogue: Catalogue, now: float) -> bool:
        """Find the oldest partition that has lasted its time, or that is too much."""
        sealed = sorted((one for one in catalogue.all if one.stage is Stage.SEALED), key=lambda one: one.to_at or 0)
        if not sealed:
            return False
        if _used_bytes(connection) > self._retention.most_bytes:
            _begin_dropping(connection, catalogue, sealed[0])
            return True
        for one in sealed:
            over, kept = self._states(one, now)
            if over:
                if not _move(connection, catalogue, one, kept, now):
                    _begin_dropping(connection, catalogue, one)
                return True
        return False

    def _states(self, one: Partition, now: float) -> tuple[bool, list[int]]:
        """Tell whether a partition's time is over for one of its states, and which states are kept on."""
        age = now - (one.to_at or 0) / 1e6
        there = [number for number in range(len(STATE_NAMES)) if one.states >> number & 1]
        kept = [number for number in there if self._retention.age_of(STATE_NAMES[number]) > age]
        return len(kept) < len(there), kept


def _index(connection: sa.Connection, catalogue: Catalogue, one: Partition) -> bool:
    """Make the next index of a partition that has ended its growth."""
    there = {found["name"] for found in sa.inspect(connection).get_indexes(one.table.name)}
    for index in schema.later_indexes(one.id):
        if index.name not in there:
            index.create(connection)
            return True
    one.stage = Stage.SEALED
    catalogue.save(connection, [one])
    return True


def _shrink(connection: sa.Connection, catalogue: Catalogue, one: Partition) -> bool:
    """Drop the next index of a partition that goes, then a slice of its rows, and at last itself."""
    name = one.table.name
    indexes = sorted(str(found["name"]) for found in sa.inspect(connection).get_indexes(name))
    if indexes:
        connection.exec_driver_sql(f"DROP INDEX {indexes[0]}")
        return True
    edge = connection.scalar(sa.select(sa.func.min(one.table.c.id)))
    if edge is not None:
        connection.execute(sa.delete(one.table).where(one.table.c.id < edge + SLICE))
        return True
    one.table.drop(connection)
    connection.execute(sa.delete(schema.partitions).where(schema.partitions.c.id == one.id))
    catalogue.all.remove(one)
    return True


def _begin_dropping(connection: sa.Connection, catalogue: Catalogue, one: Partition) -> None:
    one.stage = Stage.DROPPING
    catalogue.save(connection, [one])


def _move(connection: sa.Connection, catalogue: Catalogue, one: Partition, kept: list[int], now: float) -> bool:
    """Move a slice of the rows that are kept on into the archive; False if there are none left."""
    table = one.table
    columns = [table.c[name] for name in COLUMNS]
    query = sa.select(table.c.id, *columns).where(table.c.state.in_(kept)).limit(SLICE)
    rows = connection.execute(query).all() if kept else []
    if not rows:
        return False
    catalogue.insert(connection, [tuple(row[1:]) for row in rows], now, archive=True)
    connection.execute(sa.delete(table).where(table.c.id == sa.bindparam("gone")), [{"gone": row.id} for row in rows])
    one.rows -= len(rows)
    catalogue.save(connection, [one, *(each for each in catalogue.all if each.archive)])
    return True


def _forget(connection: sa.Connection, retention: Retention, now: float) -> None:
    """Forget roll-ups, samples and lives whose time is over."""
    row = schema.rollups.c
    for step, age_s in ((MINUTE, retention.minutes_s), (HOUR, retention.hours_s)):
        connection.execute(sa.delete(schema.rollups).where(row.step == step, row.at < now - age_s))
    samples, lives = schema.queue_samples, schema.incarnations
    connection.execute(sa.delete(samples).where(samples.c.at < micros(now - retention.samples_s)))
    connection.execute(sa.delete(lives).where(lives.c.last_seen_at < micros(now - LIVES_S)))


def _used_bytes(connection: sa.Connection) -> int:
    """Return what the file's pages in use take; free pages are used again, so the file itself does not shrink."""

    def number(pragma: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() or 0)

    return (number("page_count") - number("freelist_count")) * number("page_size")
