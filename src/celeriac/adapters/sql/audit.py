"""The audit trail in `control.db`: what Celeriac has told workers, by whom it was wanted, and how it went."""

import sqlalchemy as sa

from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.ports import Audit, AuditEntry

KEPT_S = 2 * 365 * 86400.0


class SqlAudit:
    """`Audit` on one database; entries are kept for two years."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, entry: AuditEntry) -> None:
        """Store one entry; it is durable when the call returns."""
        row = schema.audit
        with self._database.writing() as connection:
            connection.execute(
                sa.insert(row).values(
                    at=micros(entry.at),
                    cluster=entry.cluster,
                    actor=entry.actor,
                    action=entry.action,
                    target=entry.target,
                    outcome=entry.outcome,
                )
            )
            connection.execute(sa.delete(row).where(row.c.at < micros(entry.at - KEPT_S)))

    def entries(
        self,
        cluster: str | None,
        *,
        action: str | None = None,
        target: str | None = None,
        since: float | None = None,
        limit: int,
    ) -> list[AuditEntry]:
        """Return the entries that fit, newest first."""
        row = schema.audit.c
        wanted = {row.cluster: cluster, row.action: action, row.target: target}
        query = sa.select(row.at, row.actor, row.action, row.target, row.outcome, row.cluster)
        query = query.where(*(column == value for column, value in wanted.items() if value is not None))
        if since is not None:
            query = query.where(row.at >= micros(since))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(row.at.desc(), row.id.desc()).limit(limit)).all()
        return [AuditEntry(at / 1_000_000, *rest) for at, *rest in found]


def _fits(audit: SqlAudit) -> Audit:
    """Let the type checker prove that the class fits its port."""
    return audit
