"""Ports of the checkup: what is tried, or looked at, so that people know before the first night what will work.

Nothing here changes anything that outlives the call. Every method may raise a `PortError` (`core.errors`) and nothing
else, and returns within its adapter's own time limit.
"""

from typing import Protocol

from celeriac.core.checkup.facts import Access, Lease, StoreState


class BrokerTrial(Protocol):
    """Trying what we ask of a broker."""

    def access(self) -> tuple[Access, ...]:
        """Return what our account may do, by purpose; raises RefusedError if it may not even log in."""

    def heartbeats(self) -> dict[str, float] | None:
        """Return the seconds between two heartbeats of each worker's connection, by node name; None if nothing tells."""


class StoreLook(Protocol):
    """Looking at the store from outside, also while it is not there."""

    def state(self) -> StoreState:
        """Return the schema of each file, whether we may write there, and how much room there is."""

    def lease(self) -> Lease | None:
        """Return the keeper's lease as it was taken last; None before the first."""
