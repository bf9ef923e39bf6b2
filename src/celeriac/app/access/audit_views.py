"""What people see of the audit trail and of break-glass sign-ons; times are aware, ids opaque."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditEntryView:
    """One row: who did what to what, how it was and is, why, and how it went.

    `outcome` is one of those of `core.audit`. `token` names the session or token that the actor came by, or tells how it was known who it is; it is no secret.
    """

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


@dataclass(frozen=True, slots=True)
class AuditPageView:
    """A page of rows, newest first; `next` leads to older ones, `previous` to newer ones."""

    items: list[AuditEntryView]
    next: str | None = None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class BreakGlassUseView:
    """One sign-on with the break-glass account, and which administrator has seen it since."""

    id: str
    at: datetime
    name: str
    address: str
    seen_at: datetime | None
    seen_by: str
