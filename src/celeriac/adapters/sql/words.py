"""Names of tasks, workers and queues as numbers: a row is a third smaller, and an index on a name is one on a number."""

import sqlalchemy as sa

from celeriac.adapters.sql import schema


class Words:
    """All words of one history, read once; those that are new are stored with the rows that use them."""

    def __init__(self, connection: sa.Connection) -> None:
        pairs = connection.execute(sa.select(schema.words.c.text, schema.words.c.id)).all()
        self._numbers: dict[str, int] = {one.text: one.id for one in pairs}
        self._texts: dict[int, str] = {one.id: one.text for one in pairs}
        self._new: list[dict[str, object]] = []

    def number(self, text: str | None) -> int | None:
        """Return a word's number; a new word gets one."""
        if text is None:
            return None
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._numbers) + 1
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
