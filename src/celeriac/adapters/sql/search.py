"""Looking for tasks: the partitions are asked from the newest on, until the page is full or time is up.

Each partition has its rows by time, so a page of the newest is read from one or two. Only a condition without an index,
such as a piece of text, makes SQLite look at each row: in the order in which they lie (about 0.16 us a row), for each
one's lookup from an index takes twice as long. Its progress handler ends that in time.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql import lives, schema
from celeriac.adapters.sql.asking import Asking, ids_of, pieces
from celeriac.adapters.sql.conditions import Condition
from celeriac.adapters.sql.database import Database, driver
from celeriac.adapters.sql.pages import Page
from celeriac.adapters.sql.partitions import Stage
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES, key_of, task_of
from celeriac.adapters.sql.words import numbers_of, texts_of
from celeriac.core.search import Cursor, Facets, Found, Histogram, TaskFilter, TaskRow
from celeriac.core.tasks import Task
from celeriac.evidence_ports import TasksOfLives
from celeriac.ports import Tasks

_FIRST, _KEY = COLUMNS.index("first_at"), COLUMNS.index("key")
_WORDS = [COLUMNS.index(name) for name in ("name", "worker", "queue")]
_NO_WORD = -1
COUNTED_PIECE = 50_000
"""Rows that are counted at once as they lie."""


class SqlTasks:
    """`Tasks` and `TasksOfLives` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, which: TaskFilter) -> Found:
        """Return a page of tasks, newest first."""
        with self._database.reading() as connection:
            asking = Asking(connection, which.within_s)
            rows, searched_to = Page(asking, _condition(connection, which), partitions_of(connection), which).found()
            tasks = tasks_of(connection, rows)
        cursors = [Cursor(row[_FIRST], row[_KEY].hex()) for row in rows]
        return Found([TaskRow(cursor, task) for cursor, task in zip(cursors, tasks, strict=True)], searched_to)

    def task(self, uuid: str) -> Task | None:
        """Return one task."""
        key, _ = key_of(uuid)
        with self._database.reading() as connection:
            for partition in partitions_of(connection):
                query = f"SELECT {', '.join(COLUMNS)} FROM tasks_{partition.id} WHERE key = ?"  # noqa: S608
                row = driver(connection).execute(query, (key,)).fetchone()
                if row is not None:
                    return tasks_of(connection, [row])[0]
        return None

    def named(self, uuids: Collection[str]) -> list[Task]:
        """Return those of these tasks that are stored."""
        keys = [key_of(uuid)[0] for uuid in uuids]
        with self._database.reading() as connection:
            return tasks_of(connection, list(lives.named(connection, partitions_of(connection), keys)))

    def left_by(self, node: str, pid: int, limit: int) -> tuple[list[Task], int]:
        """Return the tasks that this life had under way when it spoke of them last, newest first, and their number."""
        with self._database.reading() as connection:
            worker = numbers_of(connection, [node]).get(node, _NO_WORD)
            rows = lives.left_by(connection, partitions_of(connection), worker, (node, pid))
            return tasks_of(connection, rows[:limit]), len(rows)

    def facets(self, which: TaskFilter) -> Facets:
        """Count the matching tasks by their values."""
        fields = ("state", "name", "worker", "queue")
        counts: tuple[Counter[int | None], ...] = tuple(Counter() for _ in fields)
        with self._database.reading() as connection:
            groups, complete = _grouped(connection, which, ", ".join(fields), indexed=False)
            for *values, number in groups:
                for count, value in zip(counts, values, strict=True):
                    count[value] += number
            states, *named = counts
            names, workers, queues = (_by_text(connection, each) for each in named)
        by_state = {STATE_NAMES[id or 0]: n for id, n in states.most_common()}
        return Facets(by_state, names, workers, queues, complete)

    def histogram(self, which: TaskFilter, step_s: int) -> Histogram:
        """Count the matching tasks by time."""
        counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            groups, complete = _grouped(connection, which, f"first_at / {step_s * 1_000_000}, state", indexed=True)
        for step, state, number in groups:
            by_state, name = counts[step * step_s], STATE_NAMES[state]
            by_state[name] = by_state.get(name, 0) + number
        return Histogram(step_s, dict(sorted(counts.items())), complete=complete)


def _condition(connection: sa.Connection, which: TaskFilter) -> Condition:
    numbers = numbers_of(connection, (*which.names, *which.workers, *which.queues))
    return Condition(which, lambda text: numbers.get(text, _NO_WORD))


def tasks_of(connection: sa.Connection, rows: list[Any]) -> list[Task]:
    """Return the tasks of these rows, their words read at once."""
    texts = texts_of(connection, (row[place] for row in rows for place in _WORDS))
    return [task_of(row, texts.__getitem__) for row in rows]


def _by_text(connection: sa.Connection, numbers: Counter[int | None]) -> dict[str, int]:
    """Return counts by word; what has none counts with what is called nothing."""
    texts = texts_of(connection, numbers)
    counts: Counter[str] = Counter()
    for number, count in numbers.items():
        counts[texts[number] or ""] += count
    return dict(counts.most_common())


def partitions_of(connection: sa.Connection) -> list[Any]:
    """Return the partitions that hold rows, the newest rows first."""
    row = schema.partitions.c
    query = sa.select(row.id, row.from_at, row.to_at).where(row.stage != Stage.DROPPING, row.rows > 0)
    return list(connection.execute(query.order_by(row.to_at.desc())))


def _grouped(connection: sa.Connection, which: TaskFilter, by: str, *, indexed: bool) -> tuple[list[Any], bool]:
    """Return the groups of all partitions with their numbers, and whether all were counted; `indexed`: by what indexes have.

    Where each row must be looked at, partitions are read in pieces, of which one is counted whatever the time.
    """
    condition, asking = _condition(connection, which), Asking(connection, which.within_s)
    partitions = [one for one in partitions_of(connection) if condition.may_hold(one.from_at, one.to_at)]
    groups: list[Any] = []
    counted = 0
    try:
        for one in partitions:
            whole = condition.takes_all(one.from_at, one.to_at) and (condition.looks_at_rows or not indexed)
            for ids in _pieces(asking.ask(ids_of(one.id))) if whole else (None,):
                groups += asking.ask(condition.groups(one.id, by, ids))
                counted += 1
    except TimeoutError:
        if not counted:
            first = next(_pieces(asking.anyway(ids_of(partitions[0].id))))
            groups = asking.anyway(condition.groups(partitions[0].id, by, first))
        return groups, False
    return groups, True


def _pieces(ends: list[Any]) -> Iterator[range]:
    ((least, most),) = ends
    return pieces(range(least, most + 1), COUNTED_PIECE, COUNTED_PIECE)


def _fits(tasks: SqlTasks) -> tuple[Tasks, TasksOfLives]:
    """Let the type checker prove that the class fits its ports."""
    return tasks, tasks
