"""One place with all that bears on it: the questions that the rules of `diagnose` ask, and the evidence they leave."""

from msgspec import Struct

from celeriac.core.crowd import Counted
from celeriac.core.limits import Limits
from celeriac.core.logs import Logged
from celeriac.core.model import Consumer, Incarnation, Inspection, Taking
from celeriac.core.places import Site
from celeriac.core.readings import Known, Unknown
from celeriac.core.snapshot import Seen, Stream
from celeriac.core.stuck import Stuck
from celeriac.core.work import Held, Waiting

ON_ONE_CONNECTION = frozenset({"prefork", "solo", "threads"})
"""Pools with which a worker hears remote control over the connection by which it consumes (sources: the adapter's)."""


class Case(Struct, frozen=True):
    """One place and all that bears on it."""

    seen: Seen
    limits: Limits
    site: Site
    stream: Stream | None
    silent_s: float
    siblings: str
    crowd: Counted = Counted(None, 0)

    @property
    def suspect_after(self) -> float:
        one = self.site.incarnation
        if one is not None and beatless(one, self.seen, self.limits):
            return self.limits.rediscover_s
        return self.limits.suspect_beats * (one.freq if one else 2.0)

    @property
    def convict_after(self) -> float:
        one = self.site.incarnation
        return max(self.limits.silent_s, self.limits.silent_beats * (one.freq if one else 2.0))

    def heard(self) -> bool:
        """Tell whether it spoke since our own last gap."""
        one, stream = self.site.incarnation, self.stream
        return (
            one is not None
            and stream is not None
            and spoke_at(one, self.seen, self.limits) >= (stream.flowing_since or 0.0)
        )

    def idle_s(self) -> float | None:
        """Return for how long it has begun nothing though it has room, by its own beats; None while it has none."""
        one, stream = self.site.incarnation, self.stream
        if one is None or stream is None or one.offline or not self._has_room(one):
            return None
        if not self.heard() or self.silent_s >= self.suspect_after:
            return None
        since = max(one.last_start_at or 0.0, one.first_seen_at, stream.flowing_since or stream.observed_at)
        return max(0.0, stream.observed_at - since)

    def _has_room(self, one: Incarnation) -> bool:
        """Tell whether a slot is free, of the processes that its pool says to have now: it may have shrunk since its birth."""
        told, slots = self.inspection(), self.slots()
        if slots is not None and isinstance(told, Known) and told.value.processes is not None:
            slots = min(slots, told.value.processes)
        return one.active == 0 or (one.active is not None and slots is not None and one.active < slots)

    def owed(self, for_s: float) -> tuple[str, Waiting] | None:
        """Return the queue of its whose messages have waited longest, if for so many seconds at least."""
        queues = [(name, one) for name in self.queues() if (one := self.seen.waiting.get(name)) and one.since]
        name, longest = min(queues, key=lambda each: each[1].since or 0.0, default=("", Waiting(0)))
        waited = longest.since is not None and self.seen.at - longest.since >= for_s
        return (name, longest) if waited else None

    def held(self) -> Held | None:
        """Return what it has received long since and not begun, where it runs nothing: a busy worker prefetches by design."""
        one = self.site.incarnation
        held = self.seen.held.get(one.key) if one and one.active == 0 else None
        return held if held and self.seen.at - held.since >= self.limits.deaf_s else None

    def passed_over(self) -> bool:
        """Tell whether its siblings began so much since it began its last task that chance does not explain it."""
        one = self.site.incarnation
        share = self.seen.shares.get(one.key) if one else None
        return share is not None and share.chance < self.limits.deaf_chance

    def queues(self) -> tuple[str, ...]:
        """Return the queues that it consumed at its birth."""
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return pool.queues if pool else ()

    def listened(self, for_s: float) -> bool:
        """Tell whether the stream has flowed for so long."""
        stream = self.stream
        return (
            stream is not None
            and stream.flowing_since is not None
            and stream.observed_at - stream.flowing_since >= for_s
        )

    def beats(self) -> bool:
        """Tell whether it sends heartbeats at all."""
        return self.site.incarnation is not None and self.site.incarnation.beats > 0

    def ping(self) -> Known[bool] | Unknown:
        node = self.site.incarnation.node if self.site.incarnation else ""
        return self.seen.pings.get(node, Unknown("not asked yet"))

    def inspection(self) -> Known[Inspection] | Unknown:
        node = self.site.incarnation.node if self.site.incarnation else ""
        return self.seen.inspected.get(node, Unknown("not asked yet"))

    def logged(self) -> Logged:
        """Return what its log tells; nothing if it was not read."""
        one = self.site.incarnation
        reading = self.seen.logged.get(one.node) if one else None
        return reading.value if isinstance(reading, Known) else Logged()

    def stuck(self) -> tuple[Stuck, ...]:
        """Return the tasks that hold slots of its for too long."""
        one = self.site.incarnation
        return self.seen.stuck.get(one.node, ()) if one and one.active else ()

    def slots(self) -> int | None:
        """Return how many tasks it can run at once; None while its pool is not known."""
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return pool.concurrency if pool else None

    def consumer(self) -> Consumer | None:
        one, clients = self.site.incarnation, self.seen.clients
        return clients.value.by_node.get(one.node) if one and isinstance(clients, Known) else None

    def not_given(self, queue: str) -> bool:
        """Tell whether the broker shows, beyond doubt, that it has no consumer of this worker's on a queue.

        The list of consumers is some seconds old, and may lack a part of a cluster of brokers. So it counts only if it has
        shown the same for long enough, and as many consumers of this queue as the queue itself tells. A green pool hears
        remote control over another connection than it consumes by, and so may an unknown one.
        """
        clients, waiting = self.seen.clients, self.seen.waiting.get(queue)
        taking = self.taking()
        if taking is None or waiting is None or not isinstance(clients, Known) or clients.value.takers is None:
            return False
        return (
            self.pool_kind() in ON_ONE_CONNECTION
            and queue not in taking.queues
            and taking.lasting_s >= self.limits.broker_lasting_s
            and waiting.consumers == clients.value.takers.get(queue, 0)
        )

    def taking(self) -> Taking | None:
        """Return what the broker tells of its consumers; None where it tells nothing."""
        consumer = self.consumer()
        return consumer.taking if consumer else None

    def on_redis(self) -> Consumer | None:
        """Return its connections where the broker tells which of them fetch: by name, on Redis."""
        return None if self.of_rabbitmq() else self.consumer()

    def named(self) -> bool:
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return self.consumer() is not None or (pool is not None and pool.named)

    def beatless(self) -> bool:
        """Tell whether it sends no heartbeats, and has answered pings instead."""
        one = self.site.incarnation
        return one is not None and beatless(one, self.seen, self.limits)

    def counted_idle(self) -> bool:
        """Tell whether the number of nameless connections shows that its own are there, and take no message."""
        one = self.site.incarnation
        return one is not None and self.crowd.shows_idle(self.seen.crowds.get(one.key))

    def counted_gone(self) -> bool:
        """Tell whether the number of nameless connections shows that its own are gone, and that they went unasked.

        A warm shutdown ends its subscriptions first, while its last tasks still run; but its goodbye would have been heard.
        """
        one = self.site.incarnation
        if one is None or self.named() or not self.crowd.shows_gone(self.seen.crowds.get(one.key)):
            return False
        return self.heard() or self.silent_s > self.limits.drain_deadline_s

    def outstays(self) -> bool:
        """Tell whether its connections are there, or were when the broker was last asked for them after its goodbye."""
        one, clients = self.site.incarnation, self.seen.clients
        if isinstance(clients, Known):
            return self.consumer() is not None
        return one is not None and one.key in self.seen.lingering

    def gone_from_broker(self) -> bool:
        return isinstance(self.seen.clients, Known) and self.consumer() is None and self.named()

    def of_rabbitmq(self) -> bool:
        """Tell whether its broker is RabbitMQ, of whose connections it is not told whether they live."""
        return self.stream is not None and self.stream.reader == "rabbitmq"

    def held_by_rabbitmq(self) -> bool:
        """Tell whether its connection is still there, of which AMQP does not tell whether it lives."""
        return self.of_rabbitmq() and self.consumer() is not None

    def may_have_left(self) -> bool:
        """Tell whether a missing connection may be the worker's own doing.

        RabbitMQ tells of a worker only by its remote-control queue, which a warm shutdown ends at once while the last
        tasks still run. A freeze leaves it until RabbitMQ's own heartbeat ends the connection (measured).
        """
        one, rabbitmq = self.site.incarnation, self.of_rabbitmq()
        return rabbitmq and one is not None and self.consumer() is None and one.key not in self.seen.lingering

    def pool_kind(self) -> str | None:
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return pool.kind if pool else None


def beatless(one: Incarnation, seen: Seen, limits: Limits) -> bool:
    """Tell whether it answered a ping when it should have sent heartbeats long since, and has sent none."""
    answered_at = seen.answered.get(one.node)
    return (
        not one.beats and answered_at is not None and answered_at - one.first_seen_at >= limits.suspect_beats * one.freq
    )


def spoke_at(one: Incarnation, seen: Seen, limits: Limits) -> float:
    """Return when it last gave a sign of life: its last event, or its answer to a ping if it sends no heartbeats."""
    if not beatless(one, seen, limits):
        return one.last_seen_at
    return max(one.last_seen_at, seen.answered[one.node])
