"""What is kept beside incidents in `control.db`: the tasks that died with a worker, evidence, and the moment of decision."""

import zlib
from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, upsert
from celeriac.adapters.sql.schema import micros
from celeriac.core.casualties import Casualties
from celeriac.core.exhibits import Kept, joined
from celeriac.core.offline import Moment
from celeriac.evidence_ports import Casebook, Exhibits

_kept = msgspec.json.Decoder(Kept).decode
_moment = msgspec.json.Decoder(Moment).decode
_casualties = msgspec.json.Decoder(Casualties).decode

CASUALTIES_KEPT_S = 400 * 86400.0
EVIDENCE_KEPT_S = 90 * 86400.0
EVIDENCE_AT_MOST = 1000
"""So many are kept, the newest; each is at most some hundred kilobytes."""

_EXHIBITS, _MOMENT = "exhibits", "moment"


class SqlCasebook:
    """`Casebook` and `Exhibits` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, records: Collection[Casualties]) -> None:
        """Store these records; all are durable when the call returns."""
        if not records:
            return
        newest = max(one.looked_at or one.ended_at for one in records)
        with self._database.writing() as connection:
            connection.execute(upsert(schema.casualties), [_row(one) for one in records])
            old = schema.casualties.c.ended_at < micros(newest - CASUALTIES_KEPT_S)
            connection.execute(sa.delete(schema.casualties).where(old))

    def casualties(self, incident: str) -> list[Casualties]:
        """Return the ended lives that belong to one incident, the oldest end first."""
        return self._records(schema.casualties.c.incident == incident)

    def watched(self, cluster: str) -> list[Casualties]:
        """Return the records of one cluster that are not closed yet."""
        return self._records(schema.casualties.c.cluster == cluster, schema.casualties.c.closed.is_(False))

    def keep(self, kept: Kept) -> None:
        """Store the exhibits of an incident, in place of earlier ones of the same sources."""
        with self._database.writing() as connection:
            body = _body(connection, kept.incident, _EXHIBITS)
            earlier = _kept(body) if body else None
            _store(connection, kept.incident, _EXHIBITS, kept.at, msgspec.json.encode(joined(earlier, kept)))

    def kept(self, incident: str) -> Kept | None:
        """Return what was kept of an incident's worker before it was killed, or after it had crashed."""
        with self._database.reading() as connection:
            body = _body(connection, incident, _EXHIBITS)
        return _kept(body) if body else None

    def keep_moment(self, incident: str, moment: Moment) -> None:
        """Store the moment in which an incident was opened or acted on, in place of an earlier one."""
        body = msgspec.json.encode(moment)
        with self._database.writing() as connection:
            _store(connection, incident, _MOMENT, moment.seen.at, body)

    def moment(self, incident: str) -> Moment | None:
        """Return the last such moment."""
        with self._database.reading() as connection:
            body = _body(connection, incident, _MOMENT)
        return _moment(body) if body else None

    def _records(self, *conditions: sa.ColumnElement[bool]) -> list[Casualties]:
        row = schema.casualties.c
        query = sa.select(row.body).where(*conditions).order_by(row.ended_at, row.id)
        with self._database.reading() as connection:
            bodies = connection.scalars(query).all()
        return [_casualties(body) for body in bodies]


def _store(connection: sa.Connection, incident: str, kind: str, at: float, body: bytes) -> None:
    row = schema.evidence.c
    values = {"incident": incident, "kind": kind, "at": micros(at), "body": zlib.compress(body)}
    connection.execute(upsert(schema.evidence), [values])
    connection.execute(sa.delete(schema.evidence).where(row.at < micros(at - EVIDENCE_KEPT_S)))
    edge = sa.select(row.at).order_by(row.at.desc()).offset(2 * EVIDENCE_AT_MOST).limit(1).scalar_subquery()
    connection.execute(sa.delete(schema.evidence).where(row.at <= edge))


def _body(connection: sa.Connection, incident: str, kind: str) -> bytes | None:
    row = schema.evidence.c
    packed = connection.scalar(sa.select(row.body).where(row.incident == incident, row.kind == kind))
    return zlib.decompress(packed) if packed else None


def _row(record: Casualties) -> dict[str, object]:
    return {
        "id": record.id,
        "cluster": record.cluster,
        "incident": record.incident,
        "ended_at": micros(record.ended_at),
        "closed": record.closed,
        "body": msgspec.json.encode(record).decode(),
    }


def _fits(casebook: SqlCasebook) -> tuple[Casebook, Exhibits]:
    """Let the type checker prove that the class fits its ports."""
    return casebook, casebook
