"""Celeriac's own tokens in `control.db`, by their hashes."""

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from celeriac.access_ports import ApiToken, ApiTokens
from celeriac.adapters.sql.access_schema import api_tokens
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros, seconds
from celeriac.adapters.sql.sealing import key_of
from celeriac.core.errors import RefusedError

AT_MOST = 10_000
KEPT_S = 400 * 86400.0
"""How long one that is past its time is still listed."""

USE_KEPT_EVERY_S = 60.0

_token = msgspec.json.Decoder(ApiToken).decode


class SqlApiTokens:
    """`ApiTokens` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, secret: str, token: ApiToken) -> None:
        """Keep a new one; raises RefusedError if there are too many."""
        row = api_tokens.c
        values = {
            "key": key_of(secret),
            "id": token.id,
            "made_at": micros(token.made_at),
            "until_at": micros(token.until),
            "used_at": micros(token.used_at),
            "used_from": token.used_from,
            "revoked_at": micros(token.revoked_at),
            "revoked_by": token.revoked_by,
            "body": msgspec.json.encode(token).decode(),
        }
        with self._database.writing() as connection:
            connection.execute(sa.delete(api_tokens).where(row.until_at < micros(token.made_at - KEPT_S)))
            if (connection.scalar(sa.select(sa.func.count()).select_from(api_tokens)) or 0) >= AT_MOST:
                raise RefusedError(f"there are {AT_MOST:,} API tokens already, and no more are kept")
            connection.execute(sa.insert(api_tokens).values(values))

    def find(self, secret: str) -> ApiToken | None:
        """Return the token of a secret, also one that is revoked or past its time."""
        found = self._found(api_tokens.c.key == key_of(secret))
        return found[0] if found else None

    def all(self) -> list[ApiToken]:
        """Return all that are kept, the newest first."""
        return self._found(sa.true())

    def used(self, id: str, now: float, address: str) -> None:
        """Keep when and from where one was last used; not more often than once a minute."""
        row = api_tokens.c
        due = sa.or_(row.used_at.is_(None), row.used_at <= micros(now - USE_KEPT_EVERY_S))
        with self._database.reading() as connection:  # most uses change nothing, and need not wait for a writer
            if connection.scalar(sa.select(row.id).where(row.id == id, due)) is None:
                return
        use = sa.update(api_tokens).where(row.id == id, due).values(used_at=micros(now), used_from=address)
        with self._database.writing() as connection:
            connection.execute(use)

    def revoke(self, id: str, now: float, by: str) -> bool:
        """Revoke one; false if there is none of this id that stands."""
        row = api_tokens.c
        stands = row.id == id, row.revoked_at.is_(None), row.until_at > micros(now)
        end = sa.update(api_tokens).where(*stands).values(revoked_at=micros(now), revoked_by=by)
        with self._database.writing() as connection:
            return connection.execute(end).rowcount == 1

    def _found(self, fits: sa.ColumnElement[bool]) -> list[ApiToken]:
        row = api_tokens.c
        query = sa.select(row.body, row.used_at, row.used_from, row.revoked_at, row.revoked_by).where(fits)
        with self._database.reading() as connection:
            return [_of_row(one) for one in connection.execute(query.order_by(row.made_at.desc(), row.id))]


def _of_row(one: Any) -> ApiToken:
    return replace(
        _token(one.body),
        used_at=seconds(one.used_at),
        used_from=one.used_from,
        revoked_at=seconds(one.revoked_at),
        revoked_by=one.revoked_by,
    )


def _fits(one: SqlApiTokens) -> ApiTokens:
    """Let the type checker prove that the class fits its port."""
    return one
