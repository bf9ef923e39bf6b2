"""Looking for tasks: the partitions are asked from the newest on, until the page is full or time is up.

Each partition has its rows by time, so a page of the newest is read from one or two. Only a condition without an index,
such as a piece of text, makes SQLite look at each row: in the order in which they lie (about 0.16 us a row), for each
one's lookup from an index takes twice as long. Its progress handler ends that in time.
"""

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.conditions import Condition, Query
from celeriac.adapters.sql.database import Database, driver, within
from celeriac.adapters.sql.partitions import Stage
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES, key_of, task_of
from celeriac.adapters.sql.words import numbers_of, texts_of
from celeriac.core.search import Cursor, Facets, Found, Histogram, TaskFilter, TaskRow
from celeriac.core.tasks import Task
from celeriac.ports import Tasks

_FIRST, _KEY = COLUMNS.index("first_at"), COLUMNS.index("key")
_WORDS = [COLUMNS.index(name) for name in ("name", "worker", "queue")]
_NO_WORD = -1
_FIRST_PIECE, _LONGEST_PIECE = 2_000, 16_000

Ask = Callable[[Iterable[Query]], list[Any]]


class SqlTasks:
    """`Tasks` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, which: TaskFilter) -> Found:
        """Return a page of tasks, newest first."""
        with self._database.reading() as connection:
            with _limited(connection, which.within_s) as ask:
                rows, searched_to = _page(ask, _condition(connection, which), _partitions(connection), which)
            tasks = _tasks(connection, rows)
        cursors = [Cursor(row[_FIRST], row[_KEY].hex()) for row in rows]
        return Found([TaskRow(cursor, task) for cursor, task in zip(cursors, tasks, strict=True)], searched_to)

    def task(self, uuid: str) -> Task | None:
        """Return one task."""
        key, _ = key_of(uuid)
        with self._database.reading() as connection:
            for partition in _partitions(connection):
                query = f"SELECT {', '.join(COLUMNS)} FROM tasks_{partition.id} WHERE key = ?"  # noqa: S608
                row = driver(connection).execute(query, (key,)).fetchone()
                if row is not None:
                    return _tasks(connection, [row])[0]
        return None

    def facets(self, which: TaskFilter) -> Facets:
        """Count the matching tasks by their values."""
        fields = ("state", "name", "worker", "queue")
        counts: tuple[Counter[int | None], ...] = tuple(Counter() for _ in fields)
        with self._database.reading() as connection:
            groups, complete = _grouped(connection, which, ", ".join(fields))
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
            groups, complete = _grouped(connection, which, f"first_at / {step_s * 1_000_000}, state")
        for step, state, number in groups:
            by_state, name = counts[step * step_s], STATE_NAMES[state]
            by_state[name] = by_state.get(name, 0) + number
        return Histogram(step_s, dict(sorted(counts.items())), complete=complete)


def _condition(connection: sa.Connection, which: TaskFilter) -> Condition:
    numbers = numbers_of(connection, (*which.names, *which.workers, *which.queues))
    return Condition(which, lambda text: numbers.get(text, _NO_WORD))


def _tasks(connection: sa.Connection, rows: list[Any]) -> list[Task]:
    texts = texts_of(connection, (row[place] for row in rows for place in _WORDS))
    return [task_of(row, texts.__getitem__) for row in rows]


def _by_text(connection: sa.Connection, numbers: Counter[int | None]) -> dict[str, int]:
    """Return counts by word; what has none counts with what is called nothing."""
    texts = texts_of(connection, numbers)
    counts: Counter[str] = Counter()
    for number, count in numbers.items():
        counts[texts[number] or ""] += count
    return dict(counts.most_common())


def _partitions(connection: sa.Connection) -> list[Any]:
    """Return the partitions that hold rows, the newest rows first."""
    row = schema.partitions.c
    query = sa.select(row.id, row.from_at, row.to_at).where(row.stage != Stage.DROPPING, row.rows > 0)
    return list(connection.execute(query.order_by(row.to_at.desc())))


def _grouped(connection: sa.Connection, which: TaskFilter, by: str) -> tuple[list[Any], bool]:
    """Return the groups of all partitions with their numbers, and whether all were counted."""
    condition = _condition(connection, which)
    groups: list[Any] = []
    with _limited(connection, which.within_s) as ask:
        try:
            for one in _partitions(connection):
                if condition.may_hold(one.from_at, one.to_at):
                    groups += ask(condition.groups(one.id, by))
        except TimeoutError:
            return groups, False
    return groups, True


def _page(ask: Ask, condition: Condition, partitions: list[Any], which: TaskFilter) -> tuple[list[Any], Cursor | None]:
    """Return the rows of a page, newest first, and how far the look went if time ran out."""
    rows: list[Any] = []
    if which.newer:
        partitions = sorted(partitions, key=lambda one: one.from_at)
    for one in partitions:
        edge = one.from_at if which.newer else one.to_at
        if len(rows) == which.limit and _nearer(rows[-1][_FIRST], edge, which):
            break
        if not condition.may_hold(one.from_at, one.to_at):
            continue
        try:
            if condition.scans(one.from_at, one.to_at):
                rows = _scanned(ask, condition, one.id, rows, which)
            else:
                rows = _merged(rows, ask(condition.page(one.id)), which)
        except TimeoutError:
            # What lies beyond this partition's edge was not looked at in all of them.
            kept = [row for row in rows if _nearer(row[_FIRST], edge, which)]
            return sorted(kept, key=_place, reverse=True), _reached(edge, which)
    return sorted(rows, key=_place, reverse=True), None


def _scanned(ask: Ask, condition: Condition, partition: int, rows: list[Any], which: TaskFilter) -> list[Any]:
    """Return a page's rows with those of a partition that is read piece by piece, as its rows lie.

    Rows lie in the order in which they came, which is nearly that of their times. So a page is often full long before the
    end, and few of the rows that were not read come before its last: an index leads to those.
    """
    ends = f"SELECT (SELECT min(id) FROM tasks_{partition}), (SELECT max(id) FROM tasks_{partition})"  # noqa: S608
    ((least, most),) = ask([(ends, {})])
    for ids in _pieces(range(least, most + 1), newer=which.newer):
        rows = _merged(rows, ask(condition.among(partition, ids)), which)
        if len(rows) == which.limit:
            return _merged(rows, ask(condition.beyond(partition, ids, rows[-1][_FIRST])), which)
    return rows


def _pieces(ids: range, *, newer: bool) -> Iterator[range]:
    """Cut ids into pieces to be read one after the other; the first are short, for what every task has."""
    length = _FIRST_PIECE
    while ids:
        piece, ids = (ids[:length], ids[length:]) if newer else (ids[-length:], ids[:-length])
        yield piece
        length = min(2 * length, _LONGEST_PIECE)


def _merged(rows: list[Any], more: list[Any], which: TaskFilter) -> list[Any]:
    return sorted(rows + more, key=_place, reverse=not which.newer)[: which.limit]


def _reached(edge: int, which: TaskFilter) -> Cursor:
    """Return the place of all tasks at an edge, or where the look began if that is not before it."""
    begun = which.cursor
    return Cursor(edge, "") if begun is None or _nearer(begun.first_at, edge, which) else begun


def _place(row: Any) -> tuple[int, bytes]:
    return (row[_FIRST], row[_KEY])


def _nearer(first_at: int, edge: int, which: TaskFilter) -> bool:
    """Tell whether a row comes before all that lie at a partition's edge or beyond, in the direction of the look."""
    return first_at < edge if which.newer else first_at > edge


@contextmanager
def _limited(connection: sa.Connection, within_s: float) -> Iterator[Ask]:
    """Give a way to ask that raises TimeoutError when time is up."""
    own, deadline = driver(connection), time.monotonic() + within_s

    def ask(queries: Iterable[Query]) -> list[Any]:
        rows: list[Any] = []
        for query, values in queries:
            if time.monotonic() > deadline:
                raise TimeoutError
            try:
                rows += own.execute(query, values)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise TimeoutError from None
                raise
        return rows

    with within(connection, within_s):
        yield ask


def _fits(tasks: SqlTasks) -> Tasks:
    """Let the type checker prove that the class fits its port."""
    return tasks
