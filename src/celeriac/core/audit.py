"""The audit trail's rows: who did what to what, how it was and is, why, and how it went."""

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """How what is in the audit trail went."""

    ORDERED = "ordered"
    DONE = "done"
    DENIED = "denied"
    FAILED = "failed"


class AuditEntry(Struct, frozen=True):
    """One thing that was ordered, done, tried or denied: when, by whom, to what, how it was and is, why, and how it went.

    `actor` is the subject or what it is called; `token` names the session or token it came by, and is no secret.
    """

    at: float
    actor: str
    action: str
    target: str
    detail: str = ""
    cluster: str | None = None
    outcome: Outcome = Outcome.DONE
    role: str = ""
    address: str = ""
    token: str = ""
    before: str = ""
    after: str = ""
    why: str = ""
    id: int | None = None


class AuditFilter(Struct, frozen=True):
    """Which entries: all that is given must fit; `text` is looked for in target, detail and why. `below` and `above` are ids of
    entries: the newest of those below, or the oldest of those above, which come newest first too."""

    limit: int
    cluster: str | None = None
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: Outcome | None = None
    since: float | None = None
    until: float | None = None
    text: str | None = None
    below: int | None = None
    above: int | None = None
