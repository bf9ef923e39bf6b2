"""The keeper's memory in `control.db`: incidents, remedies, people's requests, and the lease that elects one keeper."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from msgspec.json import Decoder

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database, insert, upsert
from celeriac.adapters.sql.schema import micros
from celeriac.core.errors import ConflictError
from celeriac.core.incident import OVER, Incident, Remedy, RemedyState, Word, WordState
from celeriac.core.memory import Board, Book, Changes
from celeriac.core.model import Pool
from celeriac.core.snapshot import Lived
from celeriac.ports import Journal, Requests

T = TypeVar("T")

_INCIDENT, _REMEDY, _WORD = Decoder(Incident), Decoder(Remedy), Decoder(Word)
_LIVED, _POOL, _BOARD = Decoder(Lived), Decoder(Pool), Decoder(Board)

KEEPER_LEASE = "keeper"
OPEN_REMEDIES = (RemedyState.REQUESTED, RemedyState.INTENDED, RemedyState.ACTED)
LONGEST_LEASE_S = 900.0
KEPT_S = 7 * 86400.0
"""How long earlier guids and pools are remembered."""


class SqlJournal:
    """`Journal` and `Requests` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold_lease(self, holder: str, now: float, ttl: float) -> bool:
        """Take or renew the lease; False while another holder's runs."""
        row = schema.lease.c
        with self._database.writing() as connection:
            take = insert(schema.lease).values(name=KEEPER_LEASE, holder=holder, expires_at=micros(now + ttl))
            take = take.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": take.excluded.holder, "expires_at": take.excluded.expires_at},
                # One that ends later than any could is of a clock that was ahead: it protects nobody.
                where=sa.or_(
                    row.holder == holder, row.expires_at <= micros(now), row.expires_at > micros(now + LONGEST_LEASE_S)
                ),
            )
            return connection.execute(take).rowcount == 1

    def book(self, cluster: str, since: float) -> Book:
        """Return all that is open, and what ended since then."""
        incident, remedy, deed = schema.incidents.c, schema.remedies.c, schema.deeds.c
        recent_incident = sa.or_(incident.resolved_at.is_(None), incident.resolved_at > micros(since))
        recent_remedy = sa.or_(
            remedy.state.in_(OPEN_REMEDIES), remedy.asked_at > micros(since), remedy.ended_at > micros(since)
        )
        with self._database.reading() as connection:
            incidents = connection.scalars(
                sa.select(incident.body).where(incident.cluster == cluster, recent_incident)
            ).all()
            remedies = connection.scalars(
                sa.select(remedy.body).where(remedy.cluster == cluster, recent_remedy).order_by(remedy.asked_at)
            ).all()
            pools = connection.execute(
                sa.select(schema.pools.c.incarnation, schema.pools.c.body).where(schema.pools.c.cluster == cluster)
            ).all()
            words = connection.scalars(
                sa.select(deed.body)
                .where(deed.cluster == cluster, deed.state == WordState.REQUESTED)
                .order_by(deed.asked_at, deed.id)
            ).all()
            lived = connection.scalars(sa.select(schema.lived.c.body).where(schema.lived.c.cluster == cluster)).all()
            return Book(
                incidents=_all(incidents, _INCIDENT),
                remedies=_all(remedies, _REMEDY),
                pools={key: _POOL.decode(body) for key, body in pools},
                lived=_all(lived, _LIVED),
                words=_all(words, _WORD),
            )

    def commit(self, changes: Changes, holder: str | None = None) -> None:
        """Store it all or nothing; raises ConflictError if `holder` no longer holds the lease."""
        with self._database.writing() as connection:
            if holder is not None and connection.scalar(sa.select(schema.lease.c.holder)) != holder:
                raise ConflictError("another keeper has taken over")
            _write_many(connection, schema.incidents, [_incident_row(one) for one in changes.incidents])
            _write_many(connection, schema.remedies, [_remedy_row(one) for one in changes.remedies])
            _write_many(connection, schema.deeds, [_word_row(one) for one in changes.words])
            if changes.board is not None:
                self._write_learned(connection, changes, changes.board)

    def _write_learned(self, connection: sa.Connection, changes: Changes, board: Board) -> None:
        cluster, at = board.cluster, micros(board.at)
        pools = [
            {"cluster": cluster, "incarnation": key, "learned_at": at, "body": _text(pool)}
            for key, pool in changes.pools.items()
        ]
        lived = [
            {"cluster": cluster, "guid": one.guid, "seen_at": micros(one.seen_at), "body": _text(one)}
            for one in changes.lived
        ]
        _write_many(connection, schema.pools, pools)
        _write_many(connection, schema.lived, lived)
        _write_many(connection, schema.boards, [{"cluster": cluster, "at": at, "body": _text(board)}])
        before = micros(board.at - KEPT_S)
        connection.execute(sa.delete(schema.pools).where(schema.pools.c.learned_at < before))
        connection.execute(sa.delete(schema.lived).where(schema.lived.c.seen_at < before))

    def incidents(
        self, cluster: str | None, *, open_only: bool, limit: int, since: float | None = None
    ) -> list[Incident]:
        """Return incidents, newest first; with `since` those that were opened from then on."""
        row = schema.incidents.c
        query = sa.select(row.body).order_by(row.opened_at.desc(), row.id).limit(limit)
        if cluster is not None:
            query = query.where(row.cluster == cluster)
        if since is not None:
            query = query.where(row.opened_at >= micros(since))
        if open_only:
            query = query.where(row.state.not_in(OVER))
        with self._database.reading() as connection:
            return list(_all(connection.scalars(query).all(), _INCIDENT))

    def incident(self, id: str) -> Incident | None:
        """Return one incident."""
        return self._one(schema.incidents, id, _INCIDENT)

    def board(self, cluster: str) -> Board | None:
        """Return the keeper's last word."""
        with self._database.reading() as connection:
            body = connection.scalar(sa.select(schema.boards.c.body).where(schema.boards.c.cluster == cluster))
            return _BOARD.decode(body) if body else None

    def submit(self, remedy: Remedy) -> None:
        """Store a remedy in state `requested`."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(schema.remedies).values(_remedy_row(remedy)))

    def remedy(self, id: str) -> Remedy | None:
        """Return one remedy."""
        return self._one(schema.remedies, id, _REMEDY)

    def say(self, word: Word) -> None:
        """Store what a person wants to be done with an incident."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(schema.deeds).values(_word_row(word)))

    def word(self, id: str) -> Word | None:
        """Return one of these."""
        return self._one(schema.deeds, id, _WORD)

    def version(self) -> int:
        """Return a number that changes when another process has written."""
        return self._database.version()

    def _one(self, table: sa.Table, id: str, kind: Decoder[T]) -> T | None:
        with self._database.reading() as connection:
            body = connection.scalar(sa.select(table.c.body).where(table.c.id == id))
            return kind.decode(body) if body else None


def _incident_row(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "cluster": incident.cluster,
        "worker": incident.place.id,
        "state": incident.state,
        "opened_at": micros(incident.opened_at),
        "resolved_at": micros(incident.resolved_at),
        "body": _text(incident),
    }


def _remedy_row(remedy: Remedy) -> dict[str, object]:
    return {
        "id": remedy.id,
        "cluster": remedy.cluster,
        "worker": remedy.place.id,
        "incident": remedy.incident,
        "state": remedy.state,
        "asked_at": micros(remedy.asked_at),
        "ended_at": micros(remedy.ended_at),
        "body": _text(remedy),
    }


def _word_row(word: Word) -> dict[str, object]:
    return {
        "id": word.id,
        "cluster": word.cluster,
        "incident": word.incident,
        "state": word.state,
        "asked_at": micros(word.asked_at),
        "ended_at": micros(word.ended_at),
        "body": _text(word),
    }


def _write_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        connection.execute(upsert(table), list(rows))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _all(bodies: Iterable[str], kind: Decoder[T]) -> tuple[T, ...]:
    return tuple(kind.decode(body) for body in bodies)


def _fits(journal: SqlJournal) -> tuple[Journal, Requests]:
    """Let the type checker prove that the class fits its ports."""
    return journal, journal
