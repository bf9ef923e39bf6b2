"""The audit trail in `control.db`: rows are added, and dropped when they are old; the file itself refuses all else."""

from typing import Any

import sqlalchemy as sa

from celeriac.adapters.sql.access_schema import audit
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.schema import micros
from celeriac.ports import Audit, AuditEntry, AuditFilter, Outcome

DAY_S = 86400.0
KEPT_DAYS = 730
LEAST_DAYS = 30
"""The file refuses to drop what is younger (migration control_0005)."""

DROPPED_AT_ONCE = 100

_FIELDS = (
    "actor",
    "action",
    "target",
    "detail",
    "cluster",
    "outcome",
    "role",
    "address",
    "token",
    "before",
    "after",
    "why",
)
_COLUMNS = [audit.c.id, audit.c.at, *(audit.c[name] for name in _FIELDS)]


class SqlAudit:
    """`Audit` on one database; entries are kept for so many days."""

    def __init__(self, database: Database, days: int = KEPT_DAYS) -> None:
        self._database, self._kept_s = database, max(days, LEAST_DAYS) * DAY_S

    def note(self, entry: AuditEntry) -> None:
        """Store one entry, which is durable when the call returns, and drop some that are too old."""
        values = {name: getattr(entry, name) for name in _FIELDS}
        with self._database.writing() as connection:
            connection.execute(sa.insert(audit).values(at=micros(entry.at), **values))
            over = audit.c.at < micros(entry.at - self._kept_s), audit.c.at < _YOUNG
            some = sa.select(audit.c.id).where(*over).order_by(audit.c.at).limit(DROPPED_AT_ONCE)
            connection.execute(sa.delete(audit).where(audit.c.id.in_(some)))

    def entries(self, which: AuditFilter) -> list[AuditEntry]:
        """Return the entries that fit, in the order in which they were stored, the newest first."""
        newer = which.above is not None
        order = audit.c.id if newer else audit.c.id.desc()
        query = sa.select(*_COLUMNS).where(*_conditions(which)).order_by(order).limit(which.limit)
        with self._database.reading() as connection:
            found = [_entry(row) for row in connection.execute(query)]
        return found[::-1] if newer else found


_YOUNG = (sa.cast(sa.func.strftime("%s", "now"), sa.BigInteger) - int(LEAST_DAYS * DAY_S)) * 1_000_000
"""Since when, by the machine's own clock: an entry of a clock that is far ahead must not have the file refuse it."""


def _conditions(which: AuditFilter) -> list[sa.ColumnElement[bool]]:
    row = audit.c
    equal: dict[Any, object] = {
        row.cluster: which.cluster,
        row.actor: which.actor,
        row.action: which.action,
        row.target: which.target,
        row.outcome: which.outcome,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if which.since is not None:
        conditions.append(row.at >= micros(which.since))
    if which.until is not None:
        conditions.append(row.at < micros(which.until))
    if which.below is not None:
        conditions.append(row.id < which.below)
    if which.above is not None:
        conditions.append(row.id > which.above)
    if which.text:
        conditions.append(
            sa.or_(*(one.icontains(which.text, autoescape=True) for one in (row.target, row.detail, row.why)))
        )
    return conditions


def _entry(row: "sa.Row[Any]") -> AuditEntry:
    fields: dict[str, Any] = dict(zip(_FIELDS, row[2:], strict=True))
    return AuditEntry(row.at / 1_000_000, **{**fields, "outcome": Outcome(row.outcome)}, id=row.id)


def _fits(one: SqlAudit) -> Audit:
    """Let the type checker prove that the class fits its port."""
    return one
