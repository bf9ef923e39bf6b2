"""What it takes several looks to know: since when work waits, who begins none, who gives no answer, whose connection stays.

It is true of looks that follow each other. After a pause nobody knows what came in between, so all of it begins anew.
"""

import math
from collections.abc import Collection, Iterator

from msgspec.structs import replace

from celeriac.core.crowd import crowds
from celeriac.core.limits import Limits
from celeriac.core.model import Clients, Incarnation
from celeriac.core.pings import PingTally
from celeriac.core.queues import QueueSample
from celeriac.core.readings import Known, Reading, Unknown
from celeriac.core.snapshot import Crowd, Seen, Stream
from celeriac.core.work import Backlog, Shares

AWAY_S = 15.0
"""Seconds since the last look after which it tells nothing of now: another keeper was at work, or this one was stopped."""

NAMELESS_AT_ONCE = 50
QUIET_BEATS = 2
"""RabbitMQ may end a frozen worker's connection as early as suspicion begins, so the connection is looked at before."""


class Recollection:
    """The memory of one series of looks at one cluster."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._samples: list[QueueSample] = []
        self._backlog, self._shares = Backlog(), Shares()
        self._lingering: frozenset[str] = frozenset()
        self.crowds: dict[str, Crowd] = {}
        self.tally = PingTally()

    def with_work(
        self, seen: Seen, stream: Stream, speaking: Collection[Incarnation], samples: Reading[list[QueueSample]]
    ) -> Seen:
        """Return the look with what waits in the queues, and what each worker's siblings began."""
        self._samples = samples.value if isinstance(samples, Known) else self._samples
        return replace(
            seen,
            waiting=self._backlog.take(self._samples, stream.observed_at, seen.at),
            shares=self._shares.take(speaking, seen.pools),
        )

    def linger(self, seen: Seen, clients: Reading[Clients]) -> frozenset[str]:
        """Note whose connections are still there: of quiet ones for as long as they say nothing, of others until they go.

        Who said goodbye is judged by the broker's last answer while it is not asked.
        """
        before, there = self._lingering, clients.value.by_node if isinstance(clients, Known) else {}
        stayed = before if isinstance(clients, Unknown) else frozenset()
        silent = {one.key for one in quiet(seen) if one.node in there or one.key in before}
        left = {one.key for one in seen.incarnations if one.offline and (one.node in there or one.key in stayed)}
        self._lingering = frozenset(silent | left)
        return self._lingering

    def telling(self, seen: Seen) -> set[str]:
        """Return the nodes whose connections are to be named yet, or are to be seen to go."""
        pools, drain_s = seen.pools, self._limits.drain_deadline_s
        nameless = {one.node for one in seen.incarnations if one.key in pools and not pools[one.key].named}
        left = [one for one in seen.incarnations if one.offline]
        leaving = {one.node for one in left if seen.at - one.last_seen_at < drain_s or one.key in self._lingering}
        return set(sorted(nameless)[:NAMELESS_AT_ONCE]) | leaving

    def count(self, seen: Seen) -> None:
        """Note in which crowd of nameless connections each worker was counted last."""
        self.crowds = crowds(seen, self._limits.suspect_beats)


def quiet(seen: Seen, most_s: float = math.inf) -> Iterator[Incarnation]:
    """Yield the workers that missed two beats: long before any suspicion, and long after a goodbye would have come."""
    if not isinstance(seen.stream, Known):
        return
    for one in seen.incarnations:
        silent_s = seen.stream.value.observed_at - one.last_seen_at
        if not one.offline and QUIET_BEATS * one.freq <= silent_s < most_s:
            yield one
