"""One page of tasks: partitions are asked from the newest on, or from the oldest, until the page is full or time is up.

A partition of which each row must be looked at is read in pieces. When time is up, what the finished pieces gave counts, and
where none was finished, one is read all the same: who goes on from there comes to an end, however little time each look has.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from celeriac.adapters.sql.asking import Asking, ids_of, pieces
from celeriac.adapters.sql.conditions import Condition, Query
from celeriac.adapters.sql.rows import COLUMNS
from celeriac.core.search import Cursor, TaskFilter

_FIRST, _KEY = COLUMNS.index("first_at"), COLUMNS.index("key")

FIRST_PIECE, LONGEST_PIECE = 2_000, 16_000
"""Rows that are read at once as they lie; the first pieces are short, for what every task has."""

SLICES = 16
"""Parts of a partition's time that are read at once through an index."""


class Page:
    """A look for one page; times are those of `first_at`, in microseconds.

    The *edge* of a partition, or of what is left of it, is where it begins in the direction of the look: all rows that are
    nearer were looked at.
    """

    def __init__(self, asking: Asking, condition: Condition, partitions: Sequence[Any], which: TaskFilter) -> None:
        self._asking, self._condition, self._which = asking, condition, which
        held = (one for one in partitions if condition.may_hold(one.from_at, one.to_at))
        self._partitions = sorted(held, key=self._edge, reverse=not which.newer)
        self._rows: list[Any] = []
        self._left: Callable[[], int]

    def found(self) -> tuple[list[Any], Cursor | None]:
        """Return the page's rows, newest first, and how far the look went if time ran out."""
        edge = self._read()
        if edge is not None:
            self._rows = [row for row in self._rows if self._nearer(row[_FIRST], edge)]
        if edge is not None and not self._nearer(self._edge(self._partitions[0]), edge):
            edge = self._read_least()
        rows = sorted(self._rows, key=_place, reverse=True)
        return rows, None if edge is None or self._full else Cursor(edge, "")

    def _read(self) -> int | None:
        """Read until the page is full; return the edge of what is left if time runs out before."""
        for number, one in enumerate(self._partitions):
            self._left = partial(self._edge, one)
            if self._full_before(self._edge(one)):
                break
            try:
                self._read_partition(one)
            except TimeoutError:
                return self._nearest([self._left(), *map(self._edge, self._partitions[number + 1 :])])
        return None

    def _read_partition(self, one: Any) -> None:
        if self._condition.scans(one.from_at, one.to_at):
            self._read_as_it_lies(one)
        elif self._condition.looks_at_rows:
            self._read_slices(one)
        else:
            self._add(self._asking.ask(self._condition.page(one.id)))

    def _read_as_it_lies(self, one: Any) -> None:
        """Read a partition in the order in which its rows came, which is nearly that of their times.

        So a page is often full long before the end, and few of the rows that were not read come before its last: an index
        leads to those.
        """
        ((least, most),) = self._asking.ask(ids_of(one.id))
        for ids in pieces(range(least, most + 1), FIRST_PIECE, LONGEST_PIECE, newer=self._which.newer):
            self._add(self._asking.ask(self._condition.among(one.id, ids)))
            self._left = partial(self._edge_beyond, one, ids)
            if self._full:
                self._add(self._asking.ask(self._condition.beyond(one.id, ids, self._rows[-1][_FIRST])))
                return

    def _read_slices(self, one: Any) -> None:
        """Read a partition by time."""
        for near, far in self._slices(one):
            self._add(self._asking.ask(self._condition.between(one.id, near, far)))
            if far is None or self._full_before(far):
                return
            self._left = partial(int, far)

    def _slices(self, one: Any) -> Iterator[tuple[int, int | None]]:
        near, end = self._edge(one), self._condition.within(one.to_at if self._which.newer else one.from_at)
        length = max(1, (one.to_at - one.from_at) // SLICES) * (1 if self._which.newer else -1)
        for far in range(near + length, end, length):
            yield near, far
            near = far
        yield near, None

    def _read_least(self) -> int | None:
        """Read anew, and only the first few rows, whatever the time; return the edge of what is left, if anything is."""
        self._rows = []
        start = self._edge(self._partitions[0])
        ends = [end for one in self._partitions if (end := self._end_of_a_piece(one, start)) is not None]
        edge = self._nearest(ends) if ends else None
        for one in self._partitions:
            if edge is None or self._nearer(self._edge(one), edge):
                self._add(self._asking.anyway(self._condition.between(one.id, start, edge)))
        return edge

    def _end_of_a_piece(self, one: Any, start: int) -> int | None:
        """Return the time of the row that follows on the first piece of a partition; never that of its start."""
        end = self._first(self._condition.following(one.id, start, FIRST_PIECE))
        return end if end != start else self._first(self._condition.beyond_time(one.id, start))

    def _edge_beyond(self, one: Any, ids: range) -> int:
        """Return the edge of the rows that lie beyond these; their end, if there are none."""
        edge = self._first(self._condition.edge_beyond(one.id, ids))
        return edge if edge is not None else (one.to_at + 1 if self._which.newer else one.from_at - 1)

    def _first(self, queries: list[Query]) -> int | None:
        return next((int(at) for (at,) in self._asking.anyway(queries)), None)

    def _edge(self, one: Any) -> int:
        return self._condition.within(one.from_at if self._which.newer else one.to_at)

    def _nearest(self, edges: Sequence[int]) -> int:
        return min(edges) if self._which.newer else max(edges)

    def _nearer(self, first_at: int, edge: int) -> bool:
        """Tell whether a row comes before all that lie at an edge or beyond, in the direction of the look."""
        return first_at < edge if self._which.newer else first_at > edge

    @property
    def _full(self) -> bool:
        return len(self._rows) == self._which.limit

    def _full_before(self, edge: int) -> bool:
        return self._full and self._nearer(self._rows[-1][_FIRST], edge)

    def _add(self, rows: list[Any]) -> None:
        self._rows = sorted(self._rows + rows, key=_place, reverse=not self._which.newer)[: self._which.limit]


def _place(row: Any) -> tuple[int, bytes]:
    return (row[_FIRST], row[_KEY])
