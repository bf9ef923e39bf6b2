"""What waits for workers, and what workers of the same queues begin: memory over several looks, as values for each of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from celeriac.core.model import Incarnation, Pool
from celeriac.core.queues import QueueSample

FRESH_S = 30.0
"""A sample that is older tells nothing of now; the observer takes one every 5 s."""


class Waiting(Struct, frozen=True):
    """Messages in one queue, since when it has not been empty, and what is on its way of it; None is not known."""

    depth: int
    since: float | None = None
    unacked: int | None = None
    consumers: int | None = None


class Held(Struct, frozen=True):
    """Tasks without an ETA that a life has received and not begun: their number, and the oldest one's time and name."""

    number: int
    since: float
    name: str | None = None


class Share(Struct, frozen=True):
    """What the workers of a worker's queues, `workers` in all, have begun since it began its last task: `theirs`."""

    theirs: int
    workers: int

    @property
    def chance(self) -> float:
        """Return how likely it is that none of these tasks came to it, if each goes to any of the workers alike.

        RabbitMQ goes round. Redis serves whoever asked first, and each asks anew every second: so steady traffic may favour
        some, and a small chance is a reason to ask, not a proof.
        """
        return (1 - 1 / self.workers) ** self.theirs if self.workers > 1 else 1.0


class Backlog:
    """Remembers since when each queue has not been empty, by the clock of who looks."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def take(self, samples: Iterable[QueueSample], observed_at: float, now: float) -> dict[str, Waiting]:
        """Return what waits by the newest samples; `observed_at` is now by the observer's clock, as samples are."""
        fresh = [one for one in samples if observed_at - one.at <= FRESH_S and "ready" not in one.unknown]
        self._since = {one.name: self._since.get(one.name, now) for one in fresh if one.depth}
        return {one.name: Waiting(one.depth, self._since.get(one.name), one.unacked, one.consumers) for one in fresh}


class Shares:
    """Counts what workers of the same queues begin while one of them begins nothing."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._totals: dict[frozenset[str], int] = {}
        self._bases: dict[str, int] = {}

    def take(self, lives: Iterable[Incarnation], pools: Mapping[str, Pool]) -> dict[str, Share]:
        """Return the share of each of these, by `Incarnation.key`; they are those who speak now."""
        groups: dict[frozenset[str], list[Incarnation]] = defaultdict(list)
        for one in lives:
            pool = pools.get(one.key)
            if pool and pool.queues and one.processed is not None:
                groups[frozenset(pool.queues)].append(one)
        before, bases, totals = self._begun, self._bases, self._totals
        self._begun, self._bases, self._totals = {}, {}, {}
        shares: dict[str, Share] = {}
        for queues, members in groups.items():
            began = {one.key: max(0, (one.processed or 0) - before.get(one.key, one.processed or 0)) for one in members}
            total = self._totals[queues] = totals.get(queues, 0) + sum(began.values())
            for one in members:
                idle = not began[one.key] and not one.active
                base = self._bases[one.key] = bases.get(one.key, total) if idle else total
                self._begun[one.key] = one.processed or 0
                shares[one.key] = Share(total - base, len(members))
        return shares
