"""Upkeep in short pieces between two flushes: sealing partitions, dropping them, keeping what is kept longer.

Dropping a full table at once takes up to half a second (measured: 200,000 rows, six indexes), and the writer would stand
still. So its indexes go one by one, then its rows in slices, then the empty table.
"""

from pathlib import Path

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.forgetting import Forgetting
from celeriac.adapters.sql.partitions import Catalogue, Partition, Stage
from celeriac.adapters.sql.room import is_short, used_bytes
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES
from celeriac.adapters.sql.words import Words
from celeriac.core.retention import Retention

ROWS_AT_ONCE = 10_000
MOVED_AT_ONCE = 2_000


class Upkeep:
    """What is to be done on one history; each call of `step` does one piece, in the caller's transaction."""

    def __init__(self, retention: Retention, path: Path) -> None:
        self._retention, self._path = retention, path
        self._forgetting = Forgetting(retention)

    def step(self, connection: sa.Connection, catalogue: Catalogue, words: Words, now: float) -> bool:
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
        return (
            self._make_room(connection, catalogue, now)
            or self._let_go(connection, catalogue, now)
            or self._forgetting.step(connection, catalogue, words, now)
        )

    def _make_room(self, connection: sa.Connection, catalogue: Catalogue, now: float) -> bool:
        """Give up what is the oldest, where there is too much: of each kind the same share of the time that it is kept."""
        if used_bytes(connection) <= self._retention.most_bytes and not is_short(connection, self._path):
            return False
        kind, lasted = self._forgetting.oldest(connection, now)
        tasks = min(_sealed(catalogue), key=lambda one: one.last_at, default=None)
        if tasks and (kind is None or now - tasks.last_at / 1e6 >= lasted * self._retention.age_s):
            _begin_dropping(catalogue, tasks)
        elif kind:
            kind.give_up(connection, now)
        return tasks is not None or kind is not None

    def _let_go(self, connection: sa.Connection, catalogue: Catalogue, now: float) -> bool:
        """Find a partition that has lasted its time for one of its states."""
        for one in sorted(_sealed(catalogue), key=lambda one: one.last_at):
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


def _sealed(catalogue: Catalogue) -> list[Partition]:
    return [one for one in catalogue.all if one.stage is Stage.SEALED]


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
