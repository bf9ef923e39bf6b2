"""What is asked of each partition: a filter as the conditions of one SELECT, with its values apart from its text."""

from collections.abc import Callable, Sequence
from typing import Any

from celeriac.adapters.sql.rows import COLUMNS, STATE_NUMBERS, key_of
from celeriac.adapters.sql.schema import micros
from celeriac.core.search import TaskFilter

_TEXTS = ("args", "kwargs", "result", "exception")
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
        self._least, self._most = micros(which.since), micros(which.until)
        self._any("name", [number(name) for name in which.names])
        self._any("worker", [number(worker) for worker in which.workers])
        self._any("queue", [number(queue) for queue in which.queues])
        self._compare("first_at", ">=", self._least)
        self._compare("first_at", "<", self._most)
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
        cursor = self._which.cursor
        least, most = self._least, self._most
        if cursor is not None and self._which.newer:
            least = cursor.first_at if least is None else max(least, cursor.first_at)
        elif cursor is not None:
            most = cursor.first_at if most is None else min(most, cursor.first_at)
        return (least is None or to_at >= least) and (most is None or from_at <= most)

    def page(self, partition: int) -> list[Query]:
        """Return the queries for a partition's part of a page; each may fill the page alone."""
        which, parts, values = self._which, list(self._parts), dict(self._values)
        order = "ASC" if which.newer else "DESC"
        if which.cursor is not None:
            beyond = ">" if which.newer else "<"
            parts.append(f"first_at {beyond}= :at AND (first_at {beyond} :at OR key {beyond} :key)")
            values |= {"at": which.cursor.first_at, "key": _edge(which)}
        start = f"SELECT {_SELECTED} FROM tasks_{partition}"  # noqa: S608 (names of ours)
        end = f"ORDER BY first_at {order}, key {order} LIMIT {which.limit}"
        return [(f"{start} {_where([*parts, *more])} {end}", values) for more in self._alternatives]

    def groups(self, partition: int, by: str) -> list[Query]:
        """Return the queries that count a partition's matching rows by these columns."""
        start = f"SELECT {by}, count(*) FROM tasks_{partition}"  # noqa: S608
        return [(f"{start} {_where([*self._parts, *more])} GROUP BY {by}", self._values) for more in self._alternatives]

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
        self._parts.append(f"({' OR '.join(f'{column} LIKE :{mark} ESCAPE :escape' for column in columns)})")
        plain = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        self._values |= {mark: f"%{plain}%", "escape": "\\"}


def _where(parts: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _edge(which: TaskFilter) -> bytes:
    """Return the key to go on from; a cursor without one stands for all tasks of its microsecond."""
    if which.cursor is None or not which.cursor.key:
        return b"" if which.newer else b"\xff" * 17
    return bytes.fromhex(which.cursor.key)
