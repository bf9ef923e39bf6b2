"""The table of roles in `control.db`, where somebody changed it, with what it was before."""

import msgspec
import sqlalchemy as sa

from celeriac.access_ports import RoleTable, RoleTables
from celeriac.adapters.sql.access_schema import role_tables
from celeriac.adapters.sql.database import Database

AT_MOST = 1_000

_table = msgspec.json.Decoder(RoleTable).decode


class SqlRoleTables:
    """`RoleTables` on one database; the newest thousand are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> RoleTable | None:
        """Return the table that holds, None if the settings do."""
        newest = next(iter(self.history(1)), None)
        return newest if newest and newest.rules else None

    def change(self, table: RoleTable) -> None:
        """Let a table hold from now on; one without rules gives it back to the settings."""
        surplus = sa.select(role_tables.c.id).order_by(role_tables.c.id.desc()).offset(AT_MOST)
        with self._database.writing() as connection:
            connection.execute(sa.insert(role_tables).values(body=msgspec.json.encode(table).decode()))
            connection.execute(sa.delete(role_tables).where(role_tables.c.id.in_(surplus)))

    def history(self, limit: int) -> list[RoleTable]:
        """Return the newest ones, the newest first."""
        query = sa.select(role_tables.c.body).order_by(role_tables.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_table(body) for body in connection.scalars(query)]


def _fits(one: SqlRoleTables) -> RoleTables:
    """Let the type checker prove that the class fits its port."""
    return one
