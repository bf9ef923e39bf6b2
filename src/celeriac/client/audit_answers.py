"""What the API answers about the audit trail and break-glass sign-ons."""

from datetime import datetime

from msgspec import Struct


class AuditEntry(Struct, frozen=True):
    """One row of the trail: who did what to what, how it was and is, why, and how it went."""

    id: str
    at: datetime
    actor: str
    role: str
    address: str
    token: str
    action: str
    target: str
    cluster: str | None
    outcome: str
    before: str
    after: str
    why: str
    detail: str


class AuditPage(Struct, frozen=True):
    """A page of the trail, newest first; `next` leads to older rows, `previous` to newer ones."""

    items: list[AuditEntry]
    next: str | None = None
    previous: str | None = None


class BreakGlassUse(Struct, frozen=True):
    """One sign-on with the break-glass account, and which administrator has seen it since."""

    id: str
    at: datetime
    name: str
    address: str
    seen_at: datetime | None
    seen_by: str
