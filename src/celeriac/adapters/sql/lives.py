"""Looking for tasks by the life of a worker that had them, and by their ids; every partition may hold some."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql.database import driver
from celeriac.adapters.sql.rows import COLUMNS, STATE_NUMBERS, former_state, life_text
from celeriac.core.casualties import UNDER_WAY

_SELECTED = ", ".join(COLUMNS)
_STATES = ", ".join(str(STATE_NUMBERS[state]) for state in sorted(UNDER_WAY))
_FIRST, _FORMER = COLUMNS.index("first_at"), COLUMNS.index("former")
_ASKED_AT_ONCE = 500


def named(connection: sa.Connection, partitions: Iterable[Any], keys: Sequence[bytes]) -> Iterator[Any]:
    """Return the rows of these keys."""
    own = driver(connection)
    for one in partitions:
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            some = keys[start : start + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(some))
            yield from own.execute(f"SELECT {_SELECTED} FROM tasks_{one.id} WHERE key IN ({marks})", some)  # noqa: S608


def left_by(connection: sa.Connection, partitions: Iterable[Any], worker: int, life: tuple[str, int]) -> list[Any]:
    """Return the rows of what this life had under way, newest first; `worker` is the number of its name.

    Of what is under way there is little, so that is looked through, and not all that the worker ever did.
    """
    start = life_text(*life)
    ours = f"SELECT {_SELECTED} FROM tasks_%d WHERE state IN ({_STATES}) AND +worker = ? AND pid = ?"  # noqa: S608
    theirs = f"SELECT {_SELECTED} FROM tasks_%d WHERE former >= ? AND former < ?"  # noqa: S608
    own, rows = driver(connection), []
    for one in partitions:
        rows += own.execute(ours % one.id, (worker, life[1])).fetchall()
        found = own.execute(theirs % one.id, (start, f"{start[:-1]}!"))
        rows += [row for row in found if former_state(row[_FORMER]) in UNDER_WAY]
    return sorted(rows, key=lambda row: row[_FIRST], reverse=True)
