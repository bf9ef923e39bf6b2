"""What must not happen twice, in `control.db`: what is to be taken by one taker, and what has been seen."""

import sqlalchemy as sa

from celeriac.access_ports import Kept, Once
from celeriac.adapters.sql.access_schema import once
from celeriac.adapters.sql.database import Database, insert
from celeriac.adapters.sql.schema import micros
from celeriac.adapters.sql.sealing import key_of, seal, unseal
from celeriac.core.errors import RefusedError

AT_MOST = 20_000
"""So many of each kind of key: who begins sign-ons without end fills the room of sign-ons alone, not that of codes and tokens."""

FORGOTTEN_AT_ONCE = 500

_TO_TAKE, _SEEN = "to take", "seen"


class SqlOnce:
    """`Once` on one database; what is kept is sealed with its own key, which is not stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: str, kept: Kept, now: float) -> None:
        """Keep something to be taken once, until its time; raises RefusedError if too much is kept."""
        hashed = key_of(key)
        row = {"kind": _kind(_TO_TAKE, key), "key": hashed, "until_at": micros(kept.until)}
        sealed = seal(key, kept.text.encode(), hashed)
        with self._database.writing() as connection:
            _make_room(connection, _TO_TAKE, key, now)
            connection.execute(sa.insert(once).values(**row, sealed=sealed))

    def take(self, key: str, now: float) -> str | None:
        """Return and forget it; of many takers exactly one gets it."""
        row, hashed = once.c, key_of(key)
        taken = (
            sa.delete(once)
            .where(row.kind == _kind(_TO_TAKE, key), row.key == hashed)
            .returning(row.until_at, row.sealed)
        )
        with self._database.writing() as connection:
            found = connection.execute(taken).first()
        if found is None or found.until_at <= (micros(now) or 0):
            return None
        plain = unseal(key, found.sealed, hashed)
        return None if plain is None else plain.decode()

    def first(self, key: str, now: float, until: float) -> bool:
        """Tell whether this key is seen for the first time; raises RefusedError if too many are remembered."""
        see = insert(once).values(kind=_kind(_SEEN, key), key=key_of(key), until_at=micros(until))
        see = see.on_conflict_do_update(
            index_elements=["kind", "key"],
            set_={"until_at": see.excluded.until_at},
            where=once.c.until_at <= micros(now),
        )
        with self._database.writing() as connection:
            _make_room(connection, _SEEN, key, now)
            return connection.execute(see).rowcount == 1


def _kind(use: str, key: str) -> str:
    kind, mark, _ = key.partition(":")
    return f"{use}: {kind}" if mark else use  # a key without a kind is a secret as a whole


def _make_room(connection: sa.Connection, use: str, key: str, now: float) -> None:
    """Forget some of what is past its time."""
    row, kind = once.c, _kind(use, key)
    over = sa.select(row.kind, row.key).where(row.until_at <= micros(now)).limit(FORGOTTEN_AT_ONCE)
    connection.execute(sa.delete(once).where(sa.tuple_(row.kind, row.key).in_(over)))
    if (connection.scalar(sa.select(sa.func.count()).where(row.kind == kind)) or 0) >= AT_MOST:
        what = "sign-ons are under way" if use == _TO_TAKE else "tokens are remembered that must not come twice"
        raise RefusedError(f"{AT_MOST:,} {what}, and no more are kept: try again in some minutes")


def _fits(one: SqlOnce) -> Once:
    """Let the type checker prove that the class fits its port."""
    return one
