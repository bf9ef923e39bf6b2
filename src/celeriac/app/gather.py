"""One look at one cluster: every source asked at once, each within its time limit; a source that fails is Unknown.

Cheap sources are read each cycle. Pings, broker connections and closer looks at the platform follow suspicion, so that a
quiet cluster costs next to nothing.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from celeriac.app.asking import Asked, by_node
from celeriac.app.change_watch import ChangeWatch
from celeriac.app.discovery import Discovery
from celeriac.app.held_watch import HeldWatch
from celeriac.app.log_watch import LogWatch, running
from celeriac.app.platform_watch import PlatformWatch
from celeriac.app.recollection import AWAY_S, Recollection, quiet
from celeriac.app.result_watch import ResultWatch
from celeriac.app.stuck_watch import StuckWatch
from celeriac.core.crashes import recycled
from celeriac.core.diagnose import diagnose
from celeriac.core.limits import Limits
from celeriac.core.memory import Book
from celeriac.core.model import Clients, Pool, Verdict
from celeriac.core.pings import Whom
from celeriac.core.queues import QueueSample
from celeriac.core.readings import Known, Reading, Unknown
from celeriac.core.snapshot import Lived, Seen, Stream, speaks
from celeriac.evidence_ports import PlatformRecords, Results, TasksOfLives
from celeriac.platform_ports import AppOrders
from celeriac.ports import Broker, Charts, Control, Hands, History, Platform, Tasks

T = TypeVar("T")

STALE_S = 5.0
UNSEEN = "a broker of this kind tells nothing of its clients"
NAMES_EVERY_S = 30.0
POOLS_EVERY_S = 10.0
POOLS_AT_ONCE = 50
DOUBTED_AT_ONCE = 50
QUIET_S = 60.0
"""After so long only suspects are asked for: RabbitMQ logs an error for each queue that is not there."""

WITNESSES = 3
"""Well workers that are pinged beside the suspects: if none of them answers, the way to them is at fault."""
WARY = frozenset({Verdict.STARTING, Verdict.DRAINING, Verdict.CRASHED, Verdict.CRASH_LOOPING, Verdict.HUNG})
"""Verdicts that make the next look at the platform come sooner."""


class Sources(Struct, frozen=True):
    """The ports of one cluster; what is not configured is None."""

    history: History
    broker: Broker | None
    control: Control
    hands: Hands | None = None
    records: PlatformRecords | None = None
    platform: Platform | None = None
    orders: AppOrders | None = None
    tasks: Tasks | None = None
    charts: Charts | None = None
    lives: TasksOfLives | None = None
    results: Results | None = None
    poll_s: float = 10.0
    poll_on_suspicion_s: float = 2.0


class Gatherer:
    """Looks at one cluster again and again, and remembers between looks what takes two of them to know."""

    def __init__(self, cluster: str, sources: Sources, limits: Limits, clock: Callable[[], float]) -> None:
        self.cluster, self.clock = cluster, clock
        self.platform, self.hands, self.orders = sources.platform, sources.hands, sources.orders
        self._sources, self._limits = sources, limits
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix=f"look-{cluster}")
        self._observed: tuple[float, float] | None = None
        self._moved = False
        self._watch = PlatformWatch(
            cluster, sources.platform, clock, every_s=sources.poll_s, on_suspicion_s=sources.poll_on_suspicion_s
        )
        self._changes = ChangeWatch(self._pool, clock, sources.poll_s)
        self._names_due_at = 0.0
        self._pools_asked: dict[str, float] = {}
        self._discovery = Discovery(sources.control, self._ask, limits)
        self._looked_at: float | None = None
        self._begin_anew()
        self.learned: dict[str, Pool] = {}
        self.lived: tuple[Lived, ...] = ()

    def _begin_anew(self) -> None:
        """Remember nothing of earlier looks, and take up no answer to what they asked."""
        sources, limits = self._sources, self._limits
        self._recollection = Recollection(limits)
        self._logs = LogWatch(sources.records, self._ask) if sources.records else None
        self._slots = None
        if sources.tasks and sources.charts:
            self._slots = StuckWatch(sources.tasks, sources.charts, sources.control, self._ask, limits)
        self._held = HeldWatch(sources.tasks, self._ask, limits)
        self._results = ResultWatch(sources.lives, sources.results, self._ask, self.clock)
        self._watch.forget()
        self._changes.forget()
        self._discovery.forget()
        self._wary = True

    def close(self) -> None:
        """Let the threads go; those that still wait for a source end with its time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._watch.close()

    def processes(self, node: str) -> Collection[str]:
        """Ask a node which process it is now, and return the keys (`Incarnation.key`) of those that answer."""
        return self._sources.control.pools([node]).keys()

    def look(self, book: Book) -> Seen:
        """Return what is to be seen now; the first look for long begins anew."""
        if self._looked_at is not None and self.clock() - self._looked_at > AWAY_S:
            self._begin_anew()
        seen = self._far(book)
        self._looked_at = seen.at
        return self._near(seen, book)

    # The far look: what is read each cycle

    def _far(self, book: Book) -> Seen:
        sources = self._sources
        # In this order: a worker may have spoken since the observer's last word, never the other way round.
        heard = self._ask(sources.history.stream).answer()
        lives = self._ask(sources.history.incarnations).answer()
        samples = self._ask(sources.history.queues).answer()
        self._watch.look(wary=self._wary)
        now = self.clock()
        known = {one.guid: one for one in book.lived}
        self.lived = self._watch.new_guids(known, now)
        known.update({one.guid: one for one in self.lived})
        seen = Seen(
            cluster=self.cluster,
            at=now,
            # Without the list of workers everybody would seem never to have joined.
            stream=self._fresh(heard, now) if isinstance(lives, Known) else lives,
            incarnations=tuple(lives.value) if isinstance(lives, Known) else (),
            platform=self._watch.apps,
            crashes=self._watch.crashes,
            changes=self._changes.look(self.platform, self._watch.apps, wary=self._wary) if self.platform else None,
            lived=tuple(known.values()),
            pools=book.pools,
            crowds=self._recollection.crowds,
            recycled=recycled(book.remedies),
            platform_ahead_s=max(self._watch.ahead_s, self._changes.ahead_s, key=abs),
        )
        return self._discovery.joined(self._with_work(seen, samples))

    def _with_work(self, seen: Seen, samples: Reading[list[QueueSample]]) -> Seen:
        """Add what waits in the queues, and what each worker's siblings began."""
        if not isinstance(seen.stream, Known):
            return seen
        stream = seen.stream.value
        speaking = [one for one in seen.incarnations if not one.offline and speaks(one, stream, self._limits)]
        return replace(
            self._recollection.with_work(seen, stream, speaking, samples),
            stuck=self._slots.found if self._slots else {},
            held=self._held.go_on(seen, speaking),
        )

    def _fresh(self, stream: Known[Stream | None] | Unknown, now: float) -> Reading[Stream]:
        """Judge the observer by our own clock: its last word must change, and must have changed since we began."""
        if isinstance(stream, Unknown):
            return stream
        if stream.value is None:
            return Unknown("the observer has not stored anything yet", now)
        observed_at = stream.value.observed_at
        if self._observed is None or self._observed[0] != observed_at:
            self._moved = self._observed is not None
            self._observed = (observed_at, now)
        unchanged = now - self._observed[1]
        if unchanged > STALE_S:
            return Unknown(f"the observer has said nothing for {unchanged:.0f} s", now)
        return Known(stream.value, now) if self._moved else Unknown("the observer's next word is awaited", now)

    # The near look: what is asked of those who need it

    def _near(self, seen: Seen, book: Book) -> Seen:
        whom = self._whom(seen, book)
        now, control, broker = seen.at, self._sources.control, self._sources.broker
        silent = {one.node for one in quiet(seen, most_s=QUIET_S)}
        ask_broker = broker is not None and (whom.anybody or silent or now >= self._names_due_at)

        nodes = (whom.pinged - whom.doubted) | silent | self._recollection.telling(seen)
        clients = self._ask(lambda: broker.clients(nodes)) if broker and ask_broker else None
        pings = self._ask(lambda: control.ping(whom.pinged)) if whom.pinged else None
        inspected = self._ask(lambda: control.inspect(whom.inspected)) if whom.inspected else None
        pools = self._ask(lambda: control.pools(whom.newcomers)) if whom.newcomers else None
        self._discovery.go_on(seen)
        if self._slots:
            self._slots.go_on(seen)

        known = clients.answer() if clients else Unknown("not asked" if broker else UNSEEN)
        if isinstance(known, Known):
            self._names_due_at = now + NAMES_EVERY_S
        self.learned = self._learn(seen, pools.answer() if pools else None, known)
        pongs = self._recollection.tally.judge(pings.answer(), whom, now) if pings else {}
        self._discovery.heard(pongs)
        seen = replace(
            seen,
            pools={**seen.pools, **self.learned},
            clients=known,
            lingering=self._recollection.linger(seen, known),
            pings=pongs,
            inspected=by_node(inspected.answer(), whom.inspected) if inspected else {},
            answered=self._discovery.answered,
            logged=self._logs.logged if self._logs else {},
            outcomes=self._results.go_on(book.incidents),
        )
        self._held.heard(seen.inspected)
        self._recollection.count(seen)
        return seen

    def _whom(self, seen: Seen, book: Book) -> Whom:
        """Return the nodes that a closer look is for, as far as the far look tells."""
        first = diagnose(seen, self._limits)
        unproven = {one.place for one in book.incidents if one.under_proof}
        suspects = {one.node for one in first if one.suspect and one.node}
        doubted = {
            one.node for one in first if (one.doubt or one.verdict is Verdict.DEAF) and one.node
        } | self._discovery.missed
        if self._logs:
            self._logs.go_on(running(first, suspects | doubted), seen.at)
        well = [one.node for one in first if one.well and one.verdict is Verdict.HEALTHY and one.node not in doubted]
        # A person may sleep: the platform is not read sooner for the sake of what waits for one.
        waiting = {one.place for one in book.incidents if one.awaits_person}
        moving = any(not one.over and not one.awaits_person for one in book.incidents)
        self._wary = moving or any((one.suspect or one.verdict in WARY) and one.place not in waiting for one in first)
        return Whom(
            suspects=frozenset(suspects),
            doubted=frozenset(sorted(doubted)[:DOUBTED_AT_ONCE]),
            proving=frozenset(one.node for one in first if one.place in unproven and one.node),
            witnesses=frozenset([one for one in well if one][:WITNESSES]) if suspects | doubted else frozenset(),
            newcomers=frozenset(self._newcomers(seen)),
        )

    def _newcomers(self, seen: Seen) -> set[str]:
        """Return the nodes whose pool we do not know yet and that may answer; each is asked every few seconds only."""
        if not isinstance(seen.stream, Known):
            return set()
        now = seen.at
        found: set[str] = set()
        asked = self._pools_asked
        self._pools_asked = {one.key: asked[one.key] for one in seen.incarnations if one.key in asked}
        for one in seen.incarnations:
            lives = speaks(one, seen.stream.value, self._limits)
            due = now - self._pools_asked.get(one.key, 0.0) >= POOLS_EVERY_S
            pool = seen.pools.get(one.key)
            unknown = pool is None or not pool.queues  # at birth a worker may answer before it consumes
            if unknown and lives and due and not one.offline and len(found) < POOLS_AT_ONCE:
                self._pools_asked[one.key] = now
                found.add(one.node)
        return found

    def _learn(self, seen: Seen, pools: Reading[dict[str, Pool]] | None, clients: Reading[Clients]) -> dict[str, Pool]:
        """Return the pools that are new, and those whose connections are now seen to carry their name."""
        learned = dict(pools.value) if isinstance(pools, Known) else {}
        for key in learned.keys() & seen.pools.keys():
            learned[key] = replace(learned[key], named=seen.pools[key].named)
        if isinstance(clients, Known):
            for one in seen.incarnations:
                pool = learned.get(one.key, seen.pools.get(one.key))
                if pool is not None and not pool.named and one.node in clients.value.by_node:
                    learned[one.key] = replace(pool, named=True)
        return learned

    def _ask(self, call: Callable[[], T]) -> Asked[T]:
        return Asked(self._pool.submit(call), self.clock)
