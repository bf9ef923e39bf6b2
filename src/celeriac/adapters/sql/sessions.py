"""The sessions in `control.db`. Who steals the file gets neither a session nor a token out of it, and can forge none."""

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from celeriac.access_ports import Renewals, Session, Sessions
from celeriac.adapters.sql.access_schema import sessions
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.sealing import key_of, seal, unseal

OF_ONE_SUBJECT = 100
LISTED_AT_MOST = 10_000
FORGOTTEN_AT_ONCE = 200
LONGEST_CLAIM_S = 900.0


class _Sealed(msgspec.Struct):
    """What is told to nobody without the secret."""

    groups: tuple[str, ...]
    id_token: str | None
    refresh_token: str | None


_session = msgspec.json.Decoder(Session).decode
_sealed = msgspec.json.Decoder(_Sealed).decode


class SqlSessions:
    """`Sessions` and `Renewals` on one database; of one subject the newest hundred are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, secret: str, session: Session) -> None:
        """Keep a new session; ends the oldest of a subject that has too many, and forgets some that are past their time."""
        row = sessions.c
        own = sa.select(row.key).where(row.subject == session.identity.subject)
        surplus = own.order_by(row.opened_at.desc(), row.key).offset(OF_ONE_SUBJECT)
        with self._database.writing() as connection:
            connection.execute(sa.insert(sessions).values(key=key_of(secret), **_row(secret, session)))
            connection.execute(sa.delete(sessions).where(row.key.in_(surplus)))
            _forget(connection, session.opened_at)

    def find(self, secret: str) -> Session | None:
        """Return the session of a secret; None if it has ended, or somebody else has changed what is stored of it."""
        with self._database.reading() as connection:
            return _found(connection, secret)

    def asked(self, secret: str, now: float) -> None:
        """Keep that the person has done something; does nothing where the session has been ended meanwhile."""
        with self._database.writing() as connection:
            kept = _found(connection, secret)
            if kept is not None and kept.asked_at < now:
                changed = sa.update(sessions).where(sessions.c.key == key_of(secret))
                connection.execute(changed.values(**_row(secret, replace(kept, asked_at=now))))

    def change(self, secret: str, session: Session) -> None:
        """Keep a session as it is now; does nothing where it has been ended meanwhile.

        Of one that was looked at before its roles were last read only the newer `asked_at` is taken: it holds a refresh token
        that has been used up.
        """
        with self._database.writing() as connection:
            kept = _found(connection, secret)
            if kept is None:
                return
            newest = session if _age(session) >= _age(kept) else kept
            newest = replace(newest, asked_at=max(kept.asked_at, session.asked_at))
            changed = sa.update(sessions).where(sessions.c.key == key_of(secret))
            connection.execute(changed.values(**_row(secret, newest)))

    def claim(self, id: str, now: float, for_s: float) -> bool:
        """Take it upon oneself to refresh a session; false while another has done so, for at most so many seconds."""
        row = sessions.c
        free = sa.or_(
            row.claimed_until.is_(None),
            row.claimed_until <= micros(now),
            row.claimed_until > micros(now + LONGEST_CLAIM_S),  # of a clock that was ahead
        )
        take = sa.update(sessions).where(row.id == id, free).values(claimed_until=micros(now + for_s))
        with self._database.writing() as connection:
            return connection.execute(take).rowcount == 1

    def standing(self, now: float, subject: str | None = None) -> list[Session]:
        """Return the sessions that have not ended, the newest first, without tokens and groups, which are sealed."""
        row = sessions.c
        query = sa.select(row.body).where(row.until_at > micros(now))
        if subject is not None:
            query = query.where(row.subject == subject)
        query = query.order_by(row.opened_at.desc(), row.id).limit(LISTED_AT_MOST)
        with self._database.reading() as connection:
            return [_session(body) for body in connection.scalars(query)]

    def end(
        self,
        now: float,
        *,
        id: str | None = None,
        subject: str | None = None,
        provider_session: str | None = None,
        parent: str | None = None,
    ) -> int:
        """End the sessions that fit all that is given, forget some past their time; return how many ended."""
        row = sessions.c
        given = {row.id: id, row.subject: subject, row.provider_session: provider_session, row.parent: parent}
        fits = [column == value for column, value in given.items() if value is not None]
        if not fits:
            raise ValueError("nothing says which sessions are to be ended")
        with self._database.writing() as connection:
            ended = connection.execute(sa.delete(sessions).where(row.until_at > micros(now), *fits)).rowcount
            connection.execute(sa.delete(sessions).where(*fits))
            _forget(connection, now)
            return ended


def _row(secret: str, session: Session) -> dict[str, object]:
    hidden = _Sealed(session.identity.groups, session.id_token, session.refresh_token)
    shown = replace(session, identity=replace(session.identity, groups=()), id_token=None, refresh_token=None)
    body = msgspec.json.encode(shown)
    return {
        "id": session.id,
        "subject": session.identity.subject,
        "provider_session": session.provider_session,
        "parent": session.parent,
        "opened_at": micros(session.opened_at),
        "until_at": micros(session.until),
        "body": body,
        "sealed": seal(secret, msgspec.json.encode(hidden), body),
    }


def _found(connection: sa.Connection, secret: str) -> Session | None:
    row = sessions.c
    found = connection.execute(sa.select(row.body, row.sealed).where(row.key == key_of(secret))).first()
    plain = None if found is None else unseal(secret, found.sealed, found.body)
    if found is None or plain is None:
        return None
    shown, hidden = _session(found.body), _sealed(plain)
    identity = replace(shown.identity, groups=hidden.groups)
    return replace(shown, identity=identity, id_token=hidden.id_token, refresh_token=hidden.refresh_token)


def _age(session: Session) -> tuple[float, float]:
    return session.authorised_at, float("inf") if session.refresh_at is None else session.refresh_at


def _forget(connection: sa.Connection, now: float) -> None:
    row = sessions.c
    over = sa.select(row.key).where(row.until_at <= micros(now)).limit(FORGOTTEN_AT_ONCE)
    connection.execute(sa.delete(sessions).where(row.key.in_(over)))


def _fits(one: SqlSessions) -> tuple[Sessions, Renewals]:
    """Let the type checker prove that the class fits its ports."""
    return one, one
