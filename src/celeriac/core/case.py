"""One place with all that bears on it: the questions that the rules of `diagnose` ask, and the evidence they leave."""

from msgspec import Struct

from celeriac.core.incident import RemedyKind
from celeriac.core.limits import Limits
from celeriac.core.model import Consumer, InstanceState, Place, Status, Verdict
from celeriac.core.places import Site
from celeriac.core.readings import Evidence, Known, Unknown
from celeriac.core.snapshot import Seen, Stream


class Finding(Struct, frozen=True):
    """One place's verdict with what it rests on; `approval` says why only a person may order the remedy."""

    place: Place
    verdict: Verdict
    suspect: bool = False
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remedy: RemedyKind = RemedyKind.NONE
    approval: str | None = None
    site: Site | None = None
    silence_s: float = 0.0

    @property
    def status(self) -> Status:
        alive = self.verdict in {Verdict.HEALTHY, Verdict.BUSY, Verdict.DRAINING} or self._between_crashes
        return Status.ONLINE if alive else Status.OFFLINE

    @property
    def _between_crashes(self) -> bool:
        instance = self.site.instance if self.site else None
        running = instance is not None and instance.state is InstanceState.RUNNING
        return self.verdict is Verdict.CRASH_LOOPING and running and self.node is not None

    @property
    def well(self) -> bool:
        """Tell whether there is nothing to heal here."""
        return self.verdict in {Verdict.HEALTHY, Verdict.BUSY} and not self.suspect

    @property
    def guid(self) -> str | None:
        return self.site.instance.guid if self.site and self.site.instance else None

    @property
    def node(self) -> str | None:
        return self.site.incarnation.node if self.site and self.site.incarnation else None

    @property
    def pid(self) -> int | None:
        return self.site.incarnation.pid if self.site and self.site.incarnation else None


class Case(Struct, frozen=True):
    """One place and all that bears on it."""

    seen: Seen
    limits: Limits
    site: Site
    stream: Stream | None
    silent_s: float
    siblings: str

    def finding(
        self,
        verdict: Verdict,
        *notes: str,
        suspect: bool = False,
        remedy: RemedyKind = RemedyKind.NONE,
        approval: str | None = None,
        evidence: tuple[Evidence, ...] = (),
    ) -> Finding:
        """Return the finding of a rule, with every signal that was read for this place."""
        one = self.site.incarnation
        if one and self.site.twins:
            notes = (*notes, f"{self.site.twins + 1} processes use the node name {one.node}")
        return Finding(
            place=self.site.place,
            verdict=verdict,
            suspect=suspect,
            notes=notes,
            evidence=(*self.signals(), *evidence),
            remedy=remedy,
            approval=approval,
            site=self.site,
            silence_s=self.silent_s,
        )

    @property
    def suspect_after(self) -> float:
        one = self.site.incarnation
        return self.limits.suspect_beats * (one.freq if one else 2.0)

    @property
    def convict_after(self) -> float:
        one = self.site.incarnation
        return max(self.limits.silent_s, self.limits.silent_beats * (one.freq if one else 2.0))

    def heard(self) -> bool:
        """Tell whether it spoke since our own last gap."""
        one, stream = self.site.incarnation, self.stream
        return one is not None and stream is not None and one.last_seen_at >= (stream.flowing_since or 0.0)

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

    def consumer(self) -> Consumer | None:
        one, consumers = self.site.incarnation, self.seen.consumers
        return consumers.value.get(one.node) if one and isinstance(consumers, Known) else None

    def named(self) -> bool:
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return self.consumer() is not None or (pool is not None and pool.named)

    def gone_from_broker(self) -> bool:
        return isinstance(self.seen.consumers, Known) and self.consumer() is None and self.named()

    def may_have_left(self) -> bool:
        """Tell whether a missing connection may be the worker's own doing.

        RabbitMQ tells of a worker only by its remote-control queue, which a warm shutdown ends at once while the last
        tasks still run. A freeze leaves it until RabbitMQ's own heartbeat ends the connection (measured).
        """
        one, rabbitmq = self.site.incarnation, self.stream is not None and self.stream.reader == "rabbitmq"
        return rabbitmq and one is not None and self.consumer() is None and one.key not in self.seen.lingering

    def pool_kind(self) -> str | None:
        one = self.site.incarnation
        pool = self.seen.pools.get(one.key) if one else None
        return pool.kind if pool else None

    def signals(self) -> tuple[Evidence, ...]:
        """Return every signal that was read for this place, in the order of the proof."""
        return tuple(
            line for line in (self._heartbeat(), self._ping(), self._broker(), self._platform(), self._echo()) if line
        )

    def _heartbeat(self) -> Evidence | None:
        one, stream = self.site.incarnation, self.stream
        if one is None or stream is None:
            return None
        text = f"last event {self.silent_s:.1f} s ago, one every {one.freq:g} s is usual; pid {one.pid}"
        return Evidence("heartbeat", text, one.last_seen_at)

    def _ping(self) -> Evidence | None:
        reading = self.ping()
        if isinstance(reading, Unknown):
            return None if reading.why == "not asked yet" else Evidence("ping", reading.why, reading.at)
        return Evidence("ping", "answered" if reading.value else "no answer", reading.at)

    def _broker(self) -> Evidence | None:
        consumers, consumer = self.seen.consumers, self.consumer()
        if isinstance(consumers, Unknown):
            return Evidence("broker", consumers.why, consumers.at) if consumers.at else None
        if consumer is None:
            return Evidence("broker", "no connection of its own", consumers.at) if self.named() else None
        doing = "fetching" if consumer.fetching else f"none fetching, idle {consumer.idle_s:.0f} s"
        return Evidence("broker", f"{consumer.connections} connections, {doing}", consumers.at)

    def _platform(self) -> Evidence | None:
        instance, platform = self.site.instance, self.seen.platform
        if isinstance(platform, Unknown):
            return Evidence("platform", platform.why, platform.at)
        if instance is None or platform is None:
            return None
        up = f" for {instance.uptime_s:.0f} s" if instance.uptime_s is not None else ""
        return Evidence("platform", f"{instance.state}{up}, guid {instance.guid or 'none'}", platform.at)

    def _echo(self) -> Evidence | None:
        stream = self.stream
        if stream is None or stream.echo_at is None:
            return None
        text = f"our own echo {stream.observed_at - stream.echo_at:.1f} s ago; {self.siblings}"
        return Evidence("echo", text, stream.observed_at, rules_out="broker outage")

    def rules_out(self, signal: str, reading: str, alternative: str) -> Evidence:
        return Evidence(signal, reading, self.seen.at, rules_out=alternative)
