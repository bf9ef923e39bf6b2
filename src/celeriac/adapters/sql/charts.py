"""Reading roll-ups: a day by minutes is 1,440 short rows, whatever the number of tasks."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, driver
from celeriac.core.errors import UnreachableError
from celeriac.core.rollup import CODES, HOUR, MINUTE, Count
from celeriac.core.tasks import RECEIVED
from celeriac.evidence_ports import Arrivals
from celeriac.ports import Charts

_ALL = 0
_RECEIVED = CODES[RECEIVED]
_BY_MINUTE_S = 6 * HOUR
"""A range up to so long is summed by minutes, a longer one by the whole hours that it touches."""

BY_NAME = (
    "SELECT text, states, durations FROM words CROSS JOIN rollups ON name = words.id "
    "WHERE step = ? AND at >= ? AND at < ?"
)
"""With a cross join SQLite goes from name to name and reads each one's rows as they lie; by the index takes four times as long."""

NAMES_SINCE = (
    "SELECT id, text FROM words WHERE id IN "
    "(SELECT name FROM rollups INDEXED BY ix_rollups_at WHERE step = ? AND at >= ?) LIMIT 1000"
)
"""Left to itself, SQLite would read the hours of months."""

NEWEST_MINUTES = "SELECT at, states FROM rollups WHERE step = ? AND name = ? ORDER BY at DESC LIMIT ?"
_TO_EACH_RECEIPT = 2
"""A task may begin or end in another minute than it came in: that minute has a row too."""

SUM_SECONDS = 5.0
_ROWS_BETWEEN_LOOKS_AT_THE_CLOCK = 1_000

Key = TypeVar("Key", int, str)

_decode = msgspec.msgpack.Decoder(Count).decode


class SqlCharts:
    """`Charts` and `Arrivals` on one database."""

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
        step = MINUTE if until - since <= _BY_MINUTE_S else HOUR
        with self._database.reading() as connection:
            found = driver(connection).execute(BY_NAME, (step, int(since) // step * step, until))
            return _summed((name, body) for name, *bodies in _in_time(found) for body in bodies)

    def lately(self, since: float, minutes: int) -> dict[str, dict[int, int]]:
        """Return how many tasks were received in each name's newest minutes, for at most a thousand names."""
        with self._database.reading() as connection:
            ask = driver(connection).execute
            names = ask(NAMES_SINCE, (HOUR, int(since) // HOUR * HOUR)).fetchall()
            rows = ((text, ask(NEWEST_MINUTES, (MINUTE, id, _TO_EACH_RECEIPT * minutes))) for id, text in names)
            found = {text: _received(each, minutes) for text, each in _in_time(rows)}
        return {text: received for text, received in found.items() if received}

    def _steps(
        self, wanted: "sa.Column[bytes]", since: float, until: float, step_s: int, name: str | None
    ) -> dict[int, Count]:
        row = schema.rollups.c
        number: object = _ALL
        if name is not None:
            number = sa.select(schema.words.c.id).where(schema.words.c.text == name).scalar_subquery()
        stored = HOUR if step_s % HOUR == 0 else MINUTE
        first = int(since) // step_s * step_s
        query = sa.select(row.at, wanted).where(row.step == stored, row.name == number, row.at >= first, row.at < until)
        with self._database.reading() as connection:
            return _summed((at // step_s * step_s, body) for at, body in _in_time(connection.execute(query)))


def _received(rows: Iterable[Any], most: int) -> dict[int, int]:
    """Return the numbers of received tasks in so many of these minutes at most that have any, the newest first."""
    counts = ((at, _decode(states).get(_RECEIVED, 0)) for at, states in rows)
    return dict(islice(((at, number) for at, number in counts if number > 0), most))


def _in_time(rows: Iterable[Any]) -> Iterator[Any]:
    """Yield rows until time is up: SQLite hands them out faster than they are summed."""
    deadline = time.monotonic() + SUM_SECONDS
    for number, row in enumerate(rows):
        if number % _ROWS_BETWEEN_LOOKS_AT_THE_CLOCK == 0 and time.monotonic() > deadline:
            raise UnreachableError(
                f"summing the numbers of this range takes longer than {SUM_SECONDS:.0f} s: ask for a shorter one"
            )
        yield row


def _summed(bodies: Iterable[tuple[Key, bytes]]) -> dict[Key, Count]:
    """Return the sum of each key that is not nothing: a task that has got its name has left nothing where it had none.

    However many bodies there are, only sums are kept.
    """
    sums: defaultdict[Key, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for key, body in bodies:
        sum_ = sums[key]
        for code, number in _decode(body).items():
            sum_[code] += number
    whole = ((key, {code: number for code, number in sums[key].items() if number}) for key in sorted(sums))
    return {key: count for key, count in whole if count}


def _fits(charts: SqlCharts) -> tuple[Charts, Arrivals]:
    """Let the type checker prove that the class fits its ports."""
    return charts, charts
