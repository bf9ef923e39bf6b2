"""Asking SQLite until time is up, and cutting what is long to read into pieces, so that what was read counts."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql.conditions import Query
from celeriac.adapters.sql.database import READ_SECONDS, driver, within


class Asking:
    """Asks one connection; `ask` raises TimeoutError when so many seconds are over."""

    def __init__(self, connection: sa.Connection, within_s: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + within_s

    def ask(self, queries: Iterable[Query]) -> list[Any]:
        """Return the rows of these queries."""
        rows: list[Any] = []
        for query, values in queries:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                rows += self._rows(query, values, left)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise TimeoutError from None
                raise
        return rows

    def anyway(self, queries: Iterable[Query]) -> list[Any]:
        """Return the same also when time is up: of what is known to be little, so that each look comes forward."""
        return [row for query, values in queries for row in self._rows(query, values, READ_SECONDS)]

    def _rows(self, query: str, values: dict[str, Any], seconds: float) -> list[Any]:
        with within(self._connection, seconds):
            return driver(self._connection).execute(query, values).fetchall()


def ids_of(partition: int) -> list[Query]:
    """Return the query for a partition's least and greatest id."""
    ends = f"SELECT (SELECT min(id) FROM tasks_{partition}), (SELECT max(id) FROM tasks_{partition})"  # noqa: S608
    return [(ends, {})]


def pieces(ids: range, first: int, longest: int, *, newer: bool = False) -> Iterator[range]:
    """Cut ids into pieces, from the newest on unless said otherwise; each is twice as long as the one before."""
    length = first
    while ids:
        piece, ids = (ids[:length], ids[length:]) if newer else (ids[-length:], ids[:-length])
        yield piece
        length = min(2 * length, longest)
