"""Names of tasks, workers and queues as numbers: a row is a third smaller, and an index on a name is one on a number."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.schema import EACH
from celeriac.core.rollup import HOUR, MINUTE

T = TypeVar("T")


class Words:
    """All words of one history, read once; those that are new are stored with the rows that use them."""

    def __init__(self, connection: sa.Connection) -> None:
        pairs = connection.execute(sa.select(schema.words.c.text, schema.words.c.id)).all()
        self._numbers: dict[str, int] = {one.text: one.id for one in pairs}
        self._texts: dict[int, str] = {one.id: one.text for one in pairs}
        self._newest = max(self._texts, default=0)
        self._new: list[dict[str, object]] = []

    def number(self, text: str | None) -> int | None:
        """Return a word's number; a new word gets one."""
        if text is None:
            return None
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = self._newest = self._newest + 1
            self._texts[number] = text
            self._new.append({"id": number, "text": text})
        return number

    def text(self, number: int | None) -> str | None:
        """Return the word of a number that `number` or the store gave."""
        return None if number is None else self._texts[number]

    def store(self, connection: sa.Connection) -> None:
        """Store the new words."""
        if self._new:
            connection.execute(sa.insert(schema.words), self._new)
            self._new = []

    def beside(self, used: set[int]) -> list[int]:
        """Return the numbers that are not among these, in order."""
        return sorted(self._texts.keys() - used)

    def forget(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        """Forget those of these words that neither a roll-up nor a sample holds; no row of a task may hold them."""
        word, rolled, sampled = schema.words.c, schema.rollups.c, schema.queue_samples.c
        query = sa.select(word.id).where(
            word.id.in_(numbers),
            ~sa.exists().where(rolled.step.in_([MINUTE, HOUR]), rolled.name == word.id),
            ~sa.exists().where(sampled.step.in_([EACH, MINUTE]), sampled.queue == word.id),
        )
        over = connection.scalars(query).all()
        connection.execute(sa.delete(schema.words).where(word.id.in_(over)))
        for number in over:
            del self._numbers[self._texts.pop(number)]


_ASKED_AT_ONCE = 1000


def texts_of(connection: sa.Connection, numbers: Iterable[int | None]) -> dict[int | None, str | None]:
    """Return the words of these numbers; of None, None."""
    texts: dict[int | None, str | None] = {None: None}
    for some in _slices({number for number in numbers if number is not None}):
        query = sa.select(schema.words.c.id, schema.words.c.text).where(schema.words.c.id.in_(some))
        texts |= {one.id: one.text for one in connection.execute(query)}
    return texts


def numbers_of(connection: sa.Connection, texts: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those of these words that are there."""
    numbers: dict[str, int] = {}
    for some in _slices(set(texts)):
        query = sa.select(schema.words.c.text, schema.words.c.id).where(schema.words.c.text.in_(some))
        numbers |= {one.text: one.id for one in connection.execute(query)}
    return numbers


def _slices(these: Iterable[T]) -> Iterable[list[T]]:
    every = list(these)
    return (every[start : start + _ASKED_AT_ONCE] for start in range(0, len(every), _ASKED_AT_ONCE))
