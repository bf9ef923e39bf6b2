"""The uses of the break-glass account, in `control.db`."""

import sqlalchemy as sa

from celeriac.access_ports import BreakGlass, BreakGlassUse
from celeriac.adapters.sql.access_schema import break_glass
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros, seconds

AT_MOST = 10_000


class SqlBreakGlass:
    """`BreakGlass` on one database; the newest ten thousand are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def used(self, use: BreakGlassUse) -> None:
        """Keep one; it is durable when the call returns."""
        row = break_glass.c
        values = {
            "id": use.id,
            "at": micros(use.at),
            "name": use.name,
            "address": use.address,
            "seen_at": micros(use.seen_at),
            "seen_by": use.seen_by,
        }
        surplus = sa.select(row.id).order_by(row.at.desc(), row.id).offset(AT_MOST)
        with self._database.writing() as connection:
            connection.execute(sa.insert(break_glass).values(values))
            connection.execute(sa.delete(break_glass).where(row.id.in_(surplus)))

    def uses(self, *, unseen_only: bool = False, limit: int = 100) -> list[BreakGlassUse]:
        """Return them, the newest first."""
        row = break_glass.c
        query = sa.select(row.id, row.at, row.name, row.address, row.seen_at, row.seen_by)
        if unseen_only:
            query = query.where(row.seen_at.is_(None))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(row.at.desc(), row.id).limit(limit)).all()
        return [
            BreakGlassUse(id, at / 1_000_000, name, address, seconds(seen_at), seen_by)
            for id, at, name, address, seen_at, seen_by in found
        ]

    def seen(self, id: str, now: float, by: str) -> bool:
        """Keep that an administrator has seen one; false if there is none of this id to see."""
        row = break_glass.c
        look = sa.update(break_glass).where(row.id == id, row.seen_at.is_(None))
        with self._database.writing() as connection:
            return connection.execute(look.values(seen_at=micros(now), seen_by=by)).rowcount == 1


def _fits(one: SqlBreakGlass) -> BreakGlass:
    """Let the type checker prove that the class fits its port."""
    return one
