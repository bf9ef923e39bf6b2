"""Reading roll-ups: a day by minutes is 1,440 short rows, whatever the number of tasks."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database
from celeriac.core.rollup import HOUR, MINUTE, Count, total
from celeriac.ports import Charts

_ALL = 0
_BY_MINUTE_S = 6 * HOUR
"""A range up to so long is summed by minutes, a longer one by the whole hours that it touches."""

Key = TypeVar("Key", int, str)

_decode = msgspec.msgpack.Decoder(Count).decode


class SqlCharts:
    """`Charts` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        """Return the numbers of tasks by state in each step, by its beginning in seconds."""
        return self._steps(schema.rollups.c.states, since, until, step_s, name)

    def durations(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        """Return the run times and waits in each step, by its beginning in seconds."""
        return self._steps(schema.rollups.c.durations, since, until, step_s, name)

    def by_name(self, since: float, until: float) -> dict[str, Count]:
        """Return the sums of the whole range by task name; by whole hours where it is longer than six."""
        row, word = schema.rollups.c, schema.words.c
        step = MINUTE if until - since <= _BY_MINUTE_S else HOUR
        query = (
            sa.select(word.text, row.states, row.durations)
            .join(word.id.table, word.id == row.name)
            .where(row.step == step, row.at >= int(since) // step * step, row.at < until)
        )
        names: dict[str, list[Count]] = {}
        with self._database.reading() as connection:
            for name, states, durations in connection.execute(query):
                names.setdefault(name, []).append(_decode(states) | _decode(durations))
        return _sums(names)

    def _steps(
        self, wanted: "sa.Column[bytes]", since: float, until: float, step_s: int, name: str | None
    ) -> dict[int, Count]:
        row = schema.rollups.c
        number: object = _ALL
        if name is not None:
            number = sa.select(schema.words.c.id).where(schema.words.c.text == name).scalar_subquery()
        stored = HOUR if step_s % HOUR == 0 else MINUTE
        first = int(since) // step_s * step_s
        query = sa.select(row.at, wanted).where(row.step == stored, row.name == number)
        steps: dict[int, list[Count]] = {}
        with self._database.reading() as connection:
            for at, body in connection.execute(query.where(row.at >= first, row.at < until)):
                steps.setdefault(at // step_s * step_s, []).append(_decode(body))
        return _sums(steps)


def _sums(counts: Mapping[Key, Iterable[Count]]) -> dict[Key, Count]:
    """Return what is not nothing: a task that has got its name has left nothing where it had none."""
    sums = ((key, total(these)) for key, these in sorted(counts.items()))
    return {key: count for key, count in sums if count}


def _fits(charts: SqlCharts) -> Charts:
    """Let the type checker prove that the class fits its port."""
    return charts
