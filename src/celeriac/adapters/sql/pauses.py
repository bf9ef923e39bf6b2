"""The pauses in `control.db`, which people order and every keeper obeys."""

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, upsert
from celeriac.adapters.sql.schema import micros
from celeriac.core.pauses import Pause
from celeriac.ports import Pauses

_pause = msgspec.json.Decoder(Pause).decode


class SqlPauses:
    """`Pauses` on one database; those that are over stay, as a trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, pause: Pause) -> None:
        """Store a pause; it is durable when the call returns."""
        with self._database.writing() as connection:
            connection.execute(upsert(schema.pauses), [_row(pause)])

    def standing(self, now: float) -> tuple[Pause, ...]:
        """Return the pauses that hold now, the oldest first."""
        row = schema.pauses.c
        query = sa.select(row.body).where(row.ended_at.is_(None), row.until_at > micros(now)).order_by(row.at, row.id)
        with self._database.reading() as connection:
            return tuple(_pause(body) for body in connection.scalars(query).all())

    def end(self, id: str, now: float, actor: str) -> None:
        """End one of them before its time; one that has ended stays as it is."""
        row = schema.pauses.c
        with self._database.writing() as connection:
            body = connection.scalar(sa.select(row.body).where(row.id == id, row.ended_at.is_(None)))
            if body is not None:
                pause = _pause(body)
                connection.execute(upsert(schema.pauses), [_row(replace(pause, ended_at=now, ended_by=actor))])


def _row(pause: Pause) -> dict[str, object]:
    return {
        "id": pause.id,
        "cluster": pause.cluster,
        "at": micros(pause.at),
        "until_at": micros(pause.until),
        "ended_at": micros(pause.ended_at),
        "body": msgspec.json.encode(pause).decode(),
    }


def _fits(pauses: SqlPauses) -> Pauses:
    """Let the type checker prove that the class fits its port."""
    return pauses
