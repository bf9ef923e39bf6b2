"""One cluster's history as its observer keeps it: how well it hears, the workers' lives, the samples of queues."""

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import samples, schema
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream
from celeriac.ports import History

_stream = msgspec.json.Decoder(Stream).decode
_incarnation = msgspec.json.Decoder(Incarnation).decode

KEPT_S = 2 * 86400.0
"""How long an incarnation that says nothing more is listed."""


class SqlHistory:
    """`History` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stream(self) -> Stream | None:
        """Return how well the observer hears, as of its last flush."""
        with self._database.reading() as connection:
            body = connection.scalar(sa.select(schema.stream.c.body))
            return _stream(body) if body else None

    def incarnations(self) -> list[Incarnation]:
        """Return every incarnation heard within two days of the newest."""
        row = schema.incarnations.c
        newest = sa.select(sa.func.max(row.last_seen_at)).scalar_subquery()
        query = sa.select(row.body).where(row.last_seen_at > newest - micros(KEPT_S))
        with self._database.reading() as connection:
            return [_incarnation(body) for body in connection.scalars(query)]

    def queues(self) -> list[QueueSample]:
        """Return the newest sample of each queue that was sampled within five minutes of the newest of all."""
        with self._database.reading() as connection:
            return sorted(samples.newest(connection), key=lambda one: one.name)

    def queue(self, name: str, since: float, until: float) -> list[QueueSample]:
        """Return one queue's samples, oldest first; evenly thinned to at most two thousand."""
        with self._database.reading() as connection:
            return samples.of_queue(connection, name, since, until)

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return self._database.version()


def _fits(history: SqlHistory) -> History:
    """Let the type checker prove that the class fits its port."""
    return history
