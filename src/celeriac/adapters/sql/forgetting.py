"""Forgetting what is beside the tasks: roll-ups, samples of queues, loads of apps, workers' lives, and words that nothing holds any more."""

import math
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.partitions import Catalogue
from celeriac.adapters.sql.schema import EACH
from celeriac.adapters.sql.words import Words
from celeriac.core.retention import DAY_S, Retention
from celeriac.core.rollup import HOUR, MINUTE

ROWS_AT_ONCE = 2_000
WORDS_AT_ONCE = 1_000
EVERY_S = 600.0
LIVES_S = 30 * DAY_S
EACH_SAMPLE_S = DAY_S
LEAST_S = 3600.0
"""What is younger is not given up, however little room there is."""


class Kind(NamedTuple):
    """Rows of one table that are kept for the same time; `unit` is what a second is in their `at`."""

    at: "sa.Column[int]"
    kept_s: float
    unit: int
    step: int | None = None

    def over(self, before: float) -> list[Any]:
        """Return the conditions of what is older."""
        return [*self._own(), self.at < math.ceil(before * self.unit)]

    def oldest_at(self, connection: sa.Connection) -> float | None:
        """Return the time of the oldest, in seconds."""
        at = connection.scalar(sa.select(sa.func.min(self.at)).where(*self._own()))
        return None if at is None else at / self.unit

    def delete(self, connection: sa.Connection, before: float) -> bool:
        """Delete some of what is older, the oldest first; False if there is nothing."""
        table = self.at.table
        keys = list(table.primary_key)
        query = sa.select(*keys).where(*self.over(before)).order_by(self.at).limit(ROWS_AT_ONCE)
        rows = connection.execute(query).all()
        if rows:
            marks = " AND ".join(f"{key.name} = ?" for key in keys)
            connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {marks}", [tuple(row) for row in rows])  # noqa: S608
        return bool(rows)

    def give_up(self, connection: sa.Connection, now: float) -> None:
        """Delete some of the oldest, though their time is not over."""
        self.delete(connection, now - LEAST_S)

    def _own(self) -> list[Any]:
        return [] if self.step is None else [self.at.table.c.step == self.step]


class Forgetting:
    """What is forgotten from one history, some at a time, and then for a while nothing."""

    def __init__(self, retention: Retention) -> None:
        rolled, sampled = schema.rollups.c.at, schema.queue_samples.c.at
        self._giving_up = [
            Kind(sampled, min(EACH_SAMPLE_S, retention.samples_s), 1_000_000, EACH),
            Kind(sampled, retention.samples_s, 1_000_000, MINUTE),
            Kind(schema.loads.c.at, retention.samples_s, 1),
            Kind(rolled, retention.minutes_s, 1, MINUTE),
            Kind(rolled, retention.hours_s, 1, HOUR),
        ]
        self.kinds = [
            *self._giving_up,
            Kind(schema.remarks.c.last_at, retention.samples_s, 1_000_000),  # after those that make them
            Kind(schema.incarnations.c.last_seen_at, LIVES_S, 1_000_000),
        ]
        self._due_at = 0.0
        self._looked_to = 0

    def step(self, connection: sa.Connection, catalogue: Catalogue, words: Words, now: float) -> bool:
        """Forget some of what is over; False if there is nothing to do now."""
        if now < self._due_at:
            return False
        if any(kind.delete(connection, now - kind.kept_s) for kind in self.kinds):
            return True
        if not self._forget_words(connection, catalogue, words):
            self._due_at = now + EVERY_S
        return True

    def oldest(self, connection: sa.Connection, now: float) -> tuple[Kind | None, float]:
        """Return the kind whose oldest row has lasted the longest, and for which share of its time; None if all are young."""
        return max(self._lasted(connection, now), key=itemgetter(1), default=(None, 0.0))

    def _lasted(self, connection: sa.Connection, now: float) -> Iterator[tuple[Kind, float]]:
        for kind in self._giving_up:
            oldest = kind.oldest_at(connection)
            if oldest is not None and now - oldest > LEAST_S:
                yield kind, (now - oldest) / kind.kept_s

    def _forget_words(self, connection: sa.Connection, catalogue: Catalogue, words: Words) -> bool:
        """Forget some of the words that no partition holds; False if all were looked at."""
        beside = words.beside(set().union(*(one.words for one in catalogue.all)))
        some = [number for number in beside if number > self._looked_to][:WORDS_AT_ONCE]
        words.forget(connection, some)
        self._looked_to = some[-1] if some else 0
        return bool(some)
