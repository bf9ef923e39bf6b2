"""Tries to sign on, in `control.db`. Names are kept as hashes: people type passwords there by mistake."""

import sqlalchemy as sa

from celeriac.access_ports import Attempts
from celeriac.adapters.sql.access_schema import attempts
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.sealing import key_of

WITHIN_S = 900.0
OF_ONE_KIND = 30_000
FORGOTTEN_AT_ONCE = 500


class SqlAttempts:
    """`Attempts` on one database; of each kind of key the newest ones, so that no kind pushes another out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tried(self, key: str, now: float, most: int) -> int | None:
        """Count a try before it is looked at, and return how many there were lately; None where there were `most`."""
        stored = _stored(key)
        with self._database.writing() as connection:
            if (so_far := _count(connection, stored, now)) >= most:
                return None
            connection.execute(sa.insert(attempts).values(key=stored, at=micros(now)))
            _forget_surplus(connection, stored, now)
            return so_far + 1

    def take_back(self, key: str) -> None:
        """Uncount the newest try."""
        row = attempts.c
        newest = sa.select(row.id).where(row.key == _stored(key)).order_by(row.at.desc(), row.id.desc()).limit(1)
        with self._database.writing() as connection:
            connection.execute(sa.delete(attempts).where(row.id.in_(newest)))

    def count(self, key: str, now: float) -> int:
        """Return how many there were within the last quarter of an hour."""
        with self._database.reading() as connection:
            return _count(connection, _stored(key), now)

    def forget(self, key: str) -> None:
        """Count anew."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.key == _stored(key)))


def _stored(key: str) -> bytes:
    """Return a key as it is stored: its kind, by which those of one kind stand together, and a hash."""
    kind, mark, _ = key.partition(":")
    return (f"{kind}:" if mark else ":").encode() + key_of(key)  # a key without a kind is what people typed, as a whole


def _forget_surplus(connection: sa.Connection, stored: bytes, now: float) -> None:
    """Forget some of what is past its time, and of what is too much of this kind."""
    row, kind = attempts.c, stored.partition(b":")[0]
    alike = sa.and_(row.key >= kind + b":", row.key < kind + b";")  # the next character
    over = sa.select(row.id).where(row.at <= micros(now - WITHIN_S)).limit(FORGOTTEN_AT_ONCE)
    connection.execute(sa.delete(attempts).where(row.id.in_(over)))
    surplus = (connection.scalar(sa.select(sa.func.count()).where(alike)) or 0) - OF_ONE_KIND
    if surplus > 0:
        oldest = sa.select(row.id).where(alike).order_by(row.id).limit(min(surplus, FORGOTTEN_AT_ONCE))
        connection.execute(sa.delete(attempts).where(row.id.in_(oldest)))


def _count(connection: sa.Connection, stored: bytes, now: float) -> int:
    lately = attempts.c.key == stored, attempts.c.at > micros(now - WITHIN_S)
    return connection.scalar(sa.select(sa.func.count()).where(*lately)) or 0


def _fits(one: SqlAttempts) -> Attempts:
    """Let the type checker prove that the class fits its port."""
    return one
