"""What is asked of each partition: a filter as the conditions of one SELECT, with its values apart from its text."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from celeriac.adapters.sql.rows import COLUMNS, STATE_NUMBERS, key_of
from celeriac.adapters.sql.schema import micros
from celeriac.core.search import Cursor, TaskFilter

_TEXTS = ("args", "kwargs", "result", "exception")
_INDEXED = ("states", "names", "workers", "root_id")
_NOT_INDEXED = ("queues", "runtime_least", "runtime_most", *_TEXTS, "anywhere")
_SELECTED = ", ".join(COLUMNS)

Query = tuple[str, dict[str, Any]]


class Condition:
    """A filter for any partition; `number` gives a word's number, or one that no row has.

    Conditions that hold one or the other are kept as alternatives, none of which has a row of another: for each alone
    SQLite follows an index from the newest row on, for all at once it would sort every row that they match.
    """

    def __init__(self, which: TaskFilter, number: Callable[[str], int]) -> None:
        self._which = which
        self._parts: list[str] = []
        self._values: dict[str, Any] = {}
        self._alternatives: list[list[str]] = [[]]
        self._least, self._most = _times(which)
        self._order, self._nearer, self._farther = ("ASC", "<", ">") if which.newer else ("DESC", ">", "<")
        self._end = f"ORDER BY first_at {self._order}, key {self._order} LIMIT {which.limit}"
        self._any("name", [number(name) for name in which.names])
        self._any("worker", [number(worker) for worker in which.workers])
        self._any("queue", [number(queue) for queue in which.queues])
        self._compare("first_at", ">=", micros(which.since))
        self._compare("first_at", "<", micros(which.until))
        self._compare("runtime", ">=", which.runtime_least)
        self._compare("runtime", "<=", which.runtime_most)
        for column in _TEXTS:
            self._like([column], getattr(which, column))
        self._like(_TEXTS, which.anywhere)
        if which.states:
            self._either([f"state = {STATE_NUMBERS.get(state, -1)}" for state in set(which.states)])
        if which.root_id is not None:
            self._either(["root_id = :root", "root_id IS NULL AND key = :root_key"])
            self._values |= {"root": which.root_id, "root_key": key_of(which.root_id)[0]}

    def may_hold(self, from_at: int, to_at: int) -> bool:
        """Tell whether a partition with rows of these times may hold what is asked for."""
        return to_at >= self._least and from_at <= self._most

    def within(self, at: int) -> int:
        """Return a time, or what is nearest to it of the times that are asked for."""
        return int(min(max(at, self._least), self._most))

    @property
    def looks_at_rows(self) -> bool:
        """Tell whether something is asked for that no index has."""
        return _asks(self._which, _NOT_INDEXED)

    def scans(self, from_at: int, to_at: int) -> bool:
        """Tell whether a partition with rows of these times is read as its rows lie: neither values nor times narrow it."""
        return self.looks_at_rows and self.takes_all(from_at, to_at)

    def takes_all(self, from_at: int, to_at: int) -> bool:
        """Tell whether neither values that are in an index nor times narrow such a partition."""
        return not _asks(self._which, _INDEXED) and self._least < from_at and to_at < self._most

    def page(self, partition: int) -> list[Query]:
        """Return the queries for a partition's part of a page; each may fill the page alone."""
        return self._in_order(partition, *self._after_cursor())

    def between(self, partition: int, near: int, far: int | None) -> list[Query]:
        """Return the same for rows from one time on to another, which is left out, in the direction of the look."""
        parts, values = self._after_cursor()
        parts.append(f"first_at {self._farther}= :near")
        if far is not None:
            parts.append(f"first_at {self._nearer} :far")
        return self._in_order(partition, parts, values | {"near": near, "far": far})

    def among(self, partition: int, ids: range) -> list[Query]:
        """Return the query for what these ids have of a page; however many rows match, only a page's are read whole."""
        start = f"SELECT id FROM tasks_{partition} NOT INDEXED"  # noqa: S608
        found = f"{start} {_where(['id >= :from_id AND id < :to_id', *self._parts])} {self._end}"
        query = f"SELECT {_SELECTED} FROM tasks_{partition} WHERE id IN ({found})"  # noqa: S608
        return [(query, self._values | {"from_id": ids.start, "to_id": ids.stop})]

    def beyond(self, partition: int, ids: range, last: int) -> list[Query]:
        """Return the query for what the ids beyond these have of a page whose last row, so far, is of this time."""
        if self._which.newer:
            return self._in_order(partition, ["+id >= :edge", "first_at <= :last"], {"edge": ids.stop, "last": last})
        return self._in_order(partition, ["+id < :edge", "first_at >= :last"], {"edge": ids.start, "last": last})

    def edge_beyond(self, partition: int, ids: range) -> list[Query]:
        """Return the query for the first time, in the direction of the look, of the ids beyond these."""
        part = f"+id >= {ids.stop}" if self._which.newer else f"+id < {ids.start}"
        return self._times_of(partition, part)

    def following(self, partition: int, start: int, rows: int) -> list[Query]:
        """Return the query for the time of the row that follows so many others from this time on, whatever they hold."""
        return self._times_of(partition, f"first_at {self._farther}= {start}", rows)

    def beyond_time(self, partition: int, start: int) -> list[Query]:
        """Return the query for the first time beyond this one at which there is a row."""
        return self._times_of(partition, f"first_at {self._farther} {start}")

    def groups(self, partition: int, by: str, ids: range | None = None) -> list[Query]:
        """Return the queries that count a partition's matching rows by these columns, or those of some ids as they lie."""
        start = f"SELECT {by}, count(*) FROM tasks_{partition}"  # noqa: S608
        parts = list(self._parts)
        if ids is not None:
            start, parts = f"{start} NOT INDEXED", [f"id >= {ids.start} AND id < {ids.stop}", *parts]
        return [(f"{start} {_where([*parts, *more])} GROUP BY {by}", self._values) for more in self._alternatives]

    def _in_order(self, partition: int, parts: Sequence[str], values: dict[str, Any]) -> list[Query]:
        """Return the queries for which SQLite follows an index from the first row of the page on."""
        start, parts = f"SELECT {_SELECTED} FROM tasks_{partition}", [*self._parts, *parts]  # noqa: S608 (names of ours)
        values = self._values | values
        return [(f"{start} {_where([*parts, *more])} {self._end}", values) for more in self._alternatives]

    def _after_cursor(self) -> tuple[list[str], dict[str, Any]]:
        cursor, beyond = self._which.cursor, self._farther
        if cursor is None:
            return [], {}
        after = f"first_at {beyond}= :at AND (first_at {beyond} :at OR key {beyond} :key)"
        return [after], {"at": cursor.first_at, "key": _edge(cursor, newer=self._which.newer)}

    def _times_of(self, partition: int, part: str, skipped: int = 0) -> list[Query]:
        order = f"ORDER BY first_at {self._order} LIMIT 1 OFFSET {skipped}"
        return [(f"SELECT first_at FROM tasks_{partition} WHERE {part} {order}", {})]  # noqa: S608

    def _either(self, parts: Sequence[str]) -> None:
        self._alternatives = [[*one, part] for one in self._alternatives for part in parts]

    def _any(self, column: str, values: Sequence[int]) -> None:
        if values:
            marks = {f"{column}_{place}": value for place, value in enumerate(values)}
            self._parts.append(f"{column} IN ({', '.join(f':{mark}' for mark in marks)})")
            self._values |= marks

    def _compare(self, column: str, how: str, value: float | None) -> None:
        if value is not None:
            mark = f"{column}_{'least' if how == '>=' else 'most'}"
            self._parts.append(f"{column} {how} :{mark}")
            self._values[mark] = value

    def _like(self, columns: Sequence[str], text: str | None) -> None:
        if text is None:
            return
        mark = f"text_{len(self._values)}"
        plain = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        how = f"LIKE :{mark}" if plain == text else rf"LIKE :{mark} ESCAPE '\'"  # ESCAPE takes 4 % more
        self._parts.append(f"({' OR '.join(f'{column} {how}' for column in columns)})")
        self._values[mark] = f"%{plain}%"


def _asks(which: TaskFilter, fields: Sequence[str]) -> bool:
    return any(getattr(which, field) not in (None, ()) for field in fields)


def _times(which: TaskFilter) -> tuple[float, float]:
    """Return the least and the greatest time of what is asked for, in microseconds, the cursor's own among them."""
    since, until, cursor = micros(which.since), micros(which.until), which.cursor
    least, most = -math.inf if since is None else since, math.inf if until is None else until
    if cursor is None:
        return least, most
    return (max(least, cursor.first_at), most) if which.newer else (least, min(most, cursor.first_at))


def _where(parts: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _edge(cursor: Cursor, *, newer: bool) -> bytes:
    """Return the key to go on from; a cursor without one stands for all tasks of its microsecond."""
    if cursor.key:
        return bytes.fromhex(cursor.key)
    return b"" if newer else b"\xff" * 17
