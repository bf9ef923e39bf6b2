"""One cluster's history as its observer keeps it: how well it hears, the workers' lives, the samples of queues."""

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream
from celeriac.ports import History

KEPT_S = 2 * 86400.0
"""How long an incarnation that says nothing more is listed."""

CURRENT_S = 300.0
"""How long a queue that is no longer sampled is listed."""

MOST_SAMPLES = 2000


class SqlHistory:
    """`History` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stream(self) -> Stream | None:
        """Return how well the observer hears, as of its last flush."""
        with self._database.reading() as connection:
            body = connection.scalar(sa.select(schema.stream.c.body))
            return msgspec.json.decode(body, type=Stream) if body else None

    def incarnations(self) -> list[Incarnation]:
        """Return every incarnation heard within two days of the newest."""
        row = schema.incarnations.c
        newest = sa.select(sa.func.max(row.last_seen_at)).scalar_subquery()
        query = sa.select(row.body).where(row.last_seen_at > newest - micros(KEPT_S))
        with self._database.reading() as connection:
            return [msgspec.json.decode(body, type=Incarnation) for body in connection.scalars(query)]

    def queues(self) -> list[QueueSample]:
        """Return the newest sample of each queue that was sampled within five minutes of the newest of all."""
        row = schema.queue_samples.c
        latest = sa.select(sa.func.max(row.at)).scalar_subquery()
        lately = row.at > latest - micros(CURRENT_S)
        newest = sa.select(row.queue, sa.func.max(row.at).label("at")).where(lately).group_by(row.queue).subquery()
        query = sa.select(row.body).join(newest, sa.and_(newest.c.queue == row.queue, newest.c.at == row.at))
        with self._database.reading() as connection:
            return sorted(_samples(connection.scalars(query)), key=lambda one: one.name)

    def queue(self, name: str, since: float, until: float) -> list[QueueSample]:
        """Return one queue's samples, oldest first; evenly thinned to at most two thousand."""
        row = schema.queue_samples.c
        number = sa.select(schema.words.c.id).where(schema.words.c.text == name).scalar_subquery()
        query = sa.select(row.body).where(row.queue == number, row.at.between(micros(since), micros(until)))
        with self._database.reading() as connection:
            bodies = connection.scalars(query.order_by(row.at)).all()
        return _samples(bodies[:: len(bodies) // MOST_SAMPLES + 1])

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return self._database.version()


def _samples(bodies: Iterable[bytes]) -> list[QueueSample]:
    return [msgspec.msgpack.decode(body, type=QueueSample) for body in bodies]


def _fits(history: SqlHistory) -> History:
    """Let the type checker prove that the class fits its port."""
    return history
