"""Looking for tasks: the partitions are asked from the newest on, until the page is full or time is up.

Each partition has its rows by time, so a page of the newest is read from one or two. Only a condition without an index,
such as a piece of text, makes SQLite look at each row (about 0.2 us a row); its progress handler ends that in time.
"""

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.conditions import Condition
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.partitions import Stage
from celeriac.adapters.sql.rows import COLUMNS, STATE_NAMES, key_of, task_of
from celeriac.core.tasks import Task
from celeriac.ports import Cursor, Facets, Found, Histogram, TaskFilter, TaskRow, Tasks

_FIRST, _KEY = COLUMNS.index("first_at"), COLUMNS.index("key")
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 20_000

Ask = Callable[[str, dict[str, Any]], list[Any]]


class SqlTasks:
    """`Tasks` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def find(self, which: TaskFilter) -> Found:
        """Return a page of tasks, newest first."""
        with self._database.reading() as connection, _limited(connection, which.within_s) as ask:
            condition = Condition(which, lambda text: self._number(connection, text))
            rows, searched_to = _page(ask, condition, _partitions(connection), which)
            found = [TaskRow(Cursor(row[_FIRST], row[_KEY].hex()), self._task(connection, row)) for row in rows]
        return Found(found, searched_to)

    def task(self, uuid: str) -> Task | None:
        """Return one task."""
        key, _ = key_of(uuid)
        with self._database.reading() as connection:
            for partition in _partitions(connection):
                query = f"SELECT {', '.join(COLUMNS)} FROM tasks_{partition.id} WHERE key = ?"  # noqa: S608
                row = connection.exec_driver_sql(query, (key,)).first()
                if row is not None:
                    return self._task(connection, row)
        return None

    def facets(self, which: TaskFilter) -> Facets:
        """Count the matching tasks by their values."""
        fields = ("state", "name", "worker", "queue")
        counts: tuple[Counter[int | None], ...] = tuple(Counter() for _ in fields)
        with self._database.reading() as connection:
            *groups, complete = self._grouped(connection, which, ", ".join(fields))
            for *values, number in groups:
                for count, value in zip(counts, values, strict=True):
                    count[value] += number
            states, *named = counts
            names, workers, queues = (self._by_text(connection, each) for each in named)
        by_state = {STATE_NAMES[id or 0]: n for id, n in states.most_common()}
        return Facets(by_state, names, workers, queues, complete)

    def histogram(self, which: TaskFilter, step_s: int) -> Histogram:
        """Count the matching tasks by time."""
        counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            *groups, complete = self._grouped(connection, which, f"first_at / {step_s * 1_000_000}, state")
        for step, state, number in groups:
            by_state, name = counts[step * step_s], STATE_NAMES[state]
            by_state[name] = by_state.get(name, 0) + number
        return Histogram(step_s, dict(sorted(counts.items())), complete=complete)

    def _grouped(self, connection: sa.Connection, which: TaskFilter, by: str) -> list[Any]:
        """Return the groups of all partitions with their numbers, and at the end whether all were counted."""
        condition = Condition(which, lambda text: self._number(connection, text))
        groups: list[Any] = []
        with _limited(connection, which.within_s) as ask:
            try:
                for one in _partitions(connection):
                    if condition.may_hold(one.from_at, one.to_at):
                        groups += ask(*condition.groups(one.id, by))
            except TimeoutError:
                return [*groups, False]
        return [*groups, True]

    # Words

    def _by_text(self, connection: sa.Connection, numbers: Counter[int | None]) -> dict[str, int]:
        texts: Counter[str] = Counter()
        for id, n in numbers.items():
            texts[self._text(connection, id) or ""] += n
        return dict(texts.most_common())

    def _task(self, connection: sa.Connection, row: Any) -> Task:
        return task_of(row, lambda number: self._text(connection, number))

    def _text(self, connection: sa.Connection, number: int | None) -> str | None:
        if number is None:
            return None
        if number not in self._texts:
            self._learn(connection)
        return self._texts[number]

    def _number(self, connection: sa.Connection, text: str) -> int:
        """Return a word's number; -1, which no row has, if the word is in no row."""
        if text not in self._numbers:
            self._learn(connection)
        return self._numbers.get(text, -1)

    def _learn(self, connection: sa.Connection) -> None:
        """Read the words that are new; none ever changes, but the file may be another one."""
        if self._file != self._database.file:
            self._texts, self._numbers, self._file = {}, {}, self._database.file
        word = schema.words.c
        query = sa.select(word.id, word.text).where(word.id > max(self._texts, default=0))
        for id, text in connection.execute(query.order_by(word.id)):
            self._texts[id], self._numbers[text] = text, id


def _partitions(connection: sa.Connection) -> list[Any]:
    """Return the partitions that hold rows, the newest rows first."""
    row = schema.partitions.c
    query = sa.select(row.id, row.from_at, row.to_at).where(row.stage != Stage.DROPPING, row.rows > 0)
    return list(connection.execute(query.order_by(row.to_at.desc())))


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
            more = ask(*condition.page(one.id))
        except TimeoutError:
            # What lies beyond this partition's edge was not looked at in all of them.
            kept = [row for row in rows if _nearer(row[_FIRST], edge, which)]
            return sorted(kept, key=_place, reverse=True), _searched_to(edge, which)
        rows = sorted(rows + more, key=_place, reverse=not which.newer)[: which.limit]
    return sorted(rows, key=_place, reverse=True), None


def _place(row: Any) -> tuple[int, bytes]:
    return (row[_FIRST], row[_KEY])


def _searched_to(edge: int, which: TaskFilter) -> Cursor:
    """Return how far the look went: to a partition's edge, or nowhere beyond where it began."""
    began = which.cursor
    if began is not None and _nearer(edge, began.first_at, which):
        return began
    return Cursor(edge, "")


def _nearer(first_at: int, edge: int, which: TaskFilter) -> bool:
    """Tell whether a row comes before all that lie at a partition's edge or beyond, in the direction of the look."""
    return first_at < edge if which.newer else first_at > edge


@contextmanager
def _limited(connection: sa.Connection, within_s: float) -> Iterator[Ask]:
    """Give a way to ask that raises TimeoutError when time is up."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 (for the type checker)
    deadline = time.monotonic() + within_s

    def ask(query: str, values: dict[str, Any]) -> list[Any]:
        if time.monotonic() > deadline:
            raise TimeoutError
        try:
            return driver.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise TimeoutError from None
            raise

    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
    try:
        yield ask
    finally:
        driver.set_progress_handler(None, 0)


def _fits(tasks: SqlTasks) -> Tasks:
    """Let the type checker prove that the class fits its port."""
    return tasks
