"""What the API answers about a checkup."""

from datetime import datetime

from msgspec import Struct


class Check(Struct, frozen=True):
    """One check: `state` is ok, warn or fail; `cost` is what follows while it stays so, `fix` what mends it."""

    id: str
    subject: str
    state: str
    text: str
    cost: str | None = None
    fix: str | None = None


class Checkup(Struct, frozen=True):
    """All checks, by subject, and how many are in each state."""

    checked_at: datetime
    counts: dict[str, int]
    items: list[Check]
