"""Pauses that people order: with a reason, for one cluster or all, and never for ever."""

from datetime import UTC, datetime

from msgspec import Struct

LONGEST_S = 30 * 86400.0


class Pause(Struct, frozen=True):
    """While it stands nothing is restarted, not even by a person's order; `cluster` None means all of them."""

    id: str
    cluster: str | None
    why: str
    actor: str
    at: float
    until: float
    ended_at: float | None = None
    ended_by: str | None = None

    def stands(self, now: float) -> bool:
        """Tell whether it holds now."""
        return self.ended_at is None and now < self.until

    def holds(self, cluster: str) -> bool:
        """Tell whether it is for this cluster, alone or with all others."""
        return self.cluster in {None, cluster}

    @property
    def text(self) -> str:
        end = datetime.fromtimestamp(self.until, UTC)
        return f"{self.why} (by {self.actor}, until {end:%Y-%m-%d %H:%M} UTC)"
