"""A clock that stands until a test moves it, and the outside world in memory: a broker, remote control, a platform."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from celeriac.adapters.sql import SqlStore
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.gather import Gatherer, Sources
from celeriac.core.casualties import Whereabouts
from celeriac.core.changes import Change
from celeriac.core.errors import MissingError, UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.limits import Limits
from celeriac.core.memory import Book
from celeriac.core.model import App, Clients, Consumer, Crash, Inspection, Instance, Nameless, Place, Pool
from celeriac.core.queues import QueueSample, QueueState
from celeriac.core.redact import Redaction
from celeriac.core.repair import Repair
from celeriac.ports import Batch, Condition
from core.builders import CLUSTER, NOW, app, guid, instance, stream, worker

STORED_S = 1.0
"""Seconds after which what an observer has heard is surely stored."""


@dataclass
class Clock:
    """Call it for the time; move it with `pass_`."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class MemoryStream:
    """An `EventStream`: what is sent comes back, unless the broker is away or the connection half open."""

    clock: Clock
    waiting: list[bytes] = field(default_factory=list)
    away: str | None = None
    half_open: bool = False
    dropping: bool = False
    """What is sent is lost, though the connection stands."""
    delay: float = 0.0
    """Seconds that `receive` takes beyond its due: the process was stopped in it."""
    closed: int = 0
    marked: int = 0
    settled: list[int] = field(default_factory=list)
    keeps: bool = False
    unsettling: str | None = None
    """Why nothing can be settled."""
    said: dict[str, int] = field(default_factory=dict)
    """With which mark each task's event was handed over."""

    def receive(self, within: float) -> list[bytes]:
        self._be_there()
        self.clock.pass_(within + self.delay)
        self.marked += 1
        self.said |= {json.loads(body)["uuid"]: self.marked for body in self.waiting if b'"uuid"' in body}
        bodies, self.waiting, self.delay = ([], self.waiting, 0.0) if self.half_open else (self.waiting, [], 0.0)
        return bodies

    def mark(self) -> int:
        return self.marked

    def settle(self, mark: int) -> None:
        if self.unsettling:
            raise UnreachableError(self.unsettling)
        self.settled.append(mark)

    def condition(self) -> Condition:
        return Condition("memory", keeps=self.keeps, cuts=self.closed)

    def send(self, event: dict[str, object]) -> None:
        self._be_there()
        if not self.half_open and not self.dropping:
            self.waiting.append(json.dumps(event).encode())

    def close(self) -> None:
        self.closed += 1
        if not self.keeps:
            self.waiting.clear()

    def say(self, kind: str, node: str = "celery@a", **fields: object) -> None:
        """Let a worker say something."""
        event = {"type": kind, "hostname": node, "timestamp": self.clock(), "pid": 7, **fields}
        self.waiting.append(json.dumps(event).encode())

    def _be_there(self) -> None:
        if self.away:
            raise UnreachableError(self.away)


@dataclass
class MemoryBroker:
    """A `Broker` that notes what it was asked."""

    there: dict[str, Consumer] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    away: str | None = None
    asked: list[object] = field(default_factory=list)
    held: Whereabouts = field(default_factory=Whereabouts)
    nodes: frozenset[str] = frozenset()
    """Whom the last question about clients named."""
    nameless: Nameless | None = None

    def clients(self, nodes) -> Clients:
        self.asked.append("clients")
        self.nodes = frozenset(nodes)
        if self.away:
            raise UnreachableError(self.away)
        return Clients(dict(self.there), self.nameless)

    def holding(self, tasks, queues) -> Whereabouts:
        self.asked.append(("holding", frozenset(tasks)))
        if self.away:
            raise UnreachableError(self.away)
        unacked = self.held.unacked & set(tasks)
        return Whereabouts(
            unacked, {id: name for id, name in self.held.queued.items() if id in tasks}, self.held.unknown
        )

    def queues(self, named) -> tuple[QueueState, ...]:
        return tuple(QueueState(name, {0: self.lengths.get(name, 0)}) for name in named)


@dataclass
class MemoryResults:
    """A `Results`; `away` is raised, if it is one."""

    stored: set[str] = field(default_factory=set)
    away: Exception | None = None
    asked: list[frozenset[str]] = field(default_factory=list)

    def ended(self, tasks) -> frozenset[str]:
        self.asked.append(frozenset(tasks))
        if self.away:
            raise self.away
        return frozenset(self.stored & set(tasks))


@dataclass
class MemoryControl:
    """A `Control`; the nodes in `alive` answer."""

    alive: set[str] = field(default_factory=set)
    kinds: dict[str, Pool] = field(default_factory=dict)
    says: dict[str, Inspection] = field(default_factory=dict)
    runs: dict[str, frozenset[str]] = field(default_factory=dict)
    mended: list[tuple[str, Repair]] = field(default_factory=list)
    no: Exception | None = None
    """Raised when it is to repair something."""
    cancelled: list[tuple[str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    no_end: Exception | None = None
    """Raised when it is to consume no more, or to end."""
    away: str | None = None
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def ping(self, nodes) -> frozenset[str]:
        return frozenset(self._ask("ping", nodes))

    def pools(self, nodes) -> dict[str, Pool]:
        asked = self._ask("pools", nodes)
        return {key: pool for key, pool in self.kinds.items() if key.partition("#")[0] in asked}

    def discover(self) -> frozenset[str]:
        return frozenset(self._ask("discover", self.alive))

    def inspect(self, nodes) -> dict[str, Inspection]:
        return {node: self.says.get(node, Inspection(("celery",))) for node in self._ask("inspect", nodes)}

    def running(self, nodes) -> dict[str, frozenset[str]]:
        return {node: self.runs.get(node, frozenset()) for node in self._ask("running", nodes)}

    def repair(self, node, repair) -> str:
        self.mended.append((node, repair))
        if self.no:
            raise self.no
        self.says[node] = Inspection((repair.what,))
        return "add consumer"

    def cancel(self, node, queue) -> str:
        self.cancelled.append((node, queue))
        if self.no_end:
            raise self.no_end
        self.says[node] = Inspection(())
        return "no longer consuming"

    def shutdown(self, node) -> None:
        if self.no_end:
            raise self.no_end
        self.ended.append(node)

    def enable_events(self, nodes) -> dict[str, str]:
        return dict.fromkeys(self._ask("enable_events", nodes), "task events enabled")

    def _ask(self, what: str, nodes) -> set[str]:
        self.asked.append((what, frozenset(nodes)))
        if self.away:
            raise UnreachableError(self.away)
        return self.alive & set(nodes)

    def nodes(self, what: str) -> list[frozenset[str]]:
        """Return whom each such question went to."""
        return [nodes for kind, nodes in self.asked if kind == what]


@dataclass
class MemoryPlatform:
    """A `Platform` with one app; `before_restart` is called with the instance, right before the order takes effect."""

    name: str = "cf"
    instances: dict[int, Instance] = field(default_factory=dict)
    crashed: tuple[Crash, ...] = ()
    changed: tuple[Change, ...] = ()
    away: Exception | None = None
    answer: Exception | None = None
    """Raised by `restart_instance`, after it has taken effect if `takes_effect`."""
    takes_effect: bool = True
    before_restart: object = None
    asked: list[str] = field(default_factory=list)
    written: dict[int, tuple[Line, ...]] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    life: int = 1
    """The generation that it runs, where all are restarted at once."""
    scaled: list[int] = field(default_factory=list)
    owner: str | None = None
    """What else scales the app."""
    state: str = "STARTED"

    def apps(self) -> tuple[App, ...]:
        self._ask("apps")
        return (app(*self.instances.values(), state=self.state),)

    def read(self, place: Place) -> App:
        self._ask("read")
        return app(*self.instances.values(), state=self.state)

    def restart_app(self, one: App) -> None:
        self._ask("restart app")
        if self.takes_effect:
            self.life += 1
            self.instances = {index: instance(index, life=self.life) for index in self.instances}
        if self.answer:
            raise self.answer

    def scale(self, one: App, process: str, instances: int) -> None:
        self._ask("scale")
        if self.takes_effect:
            self.scaled.append(instances)
            there = self.instances
            self.instances = {index: there.get(index) or instance(index) for index in range(instances)}
        if self.answer:
            raise self.answer

    def scaled_by(self, one: App) -> str | None:
        self._ask("scaled by")
        return self.owner

    def crashes(self, since: float) -> tuple[Crash, ...]:
        self._ask("crashes")
        return tuple(one for one in self.crashed if one.at >= since)

    def changes(self, since: float) -> tuple[Change, ...]:
        self._ask("changes")
        return tuple(one for one in self.changed if one.active or one.at >= since)

    def instance(self, like: Instance) -> Instance:
        self._ask("instance")
        if like.index not in self.instances:
            message = "the index is gone"
            raise MissingError(message)
        return self.instances[like.index]

    def logs(self, like: Instance, limit: int) -> tuple[Line, ...]:
        self._ask("logs")
        return self.written.get(like.index, ())[-limit:]

    def restart_instance(self, instance: Instance) -> None:
        self._ask("restart")
        if self.before_restart:
            self.before_restart(instance)
        if self.takes_effect:
            there = self.instances[instance.index]
            self.restarted.append(there.guid)
            self.instances[instance.index] = replace(there, guid=f"{there.guid}-next", uptime_s=0.0)
        if self.answer:
            raise self.answer

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise self.away


PREFORK = Pool("prefork", 4, ("celery",))
CALM = Book(pools={f"celery@{guid(index)}#7": PREFORK for index in range(4)})
"""A journal in which nothing is open, and every pool is known."""


NODE = f"celery@{guid()}"


def alive(clock, index=0, **fields):
    """Return a worker that speaks at the next two looks too."""
    return worker(index, now=clock() + 4, **fields)


class Cluster:
    """Everything that a look asks, in memory; the history is a real one."""

    def __init__(self, clock, history):
        self.clock, self.history = clock, history
        self.recorder = SqlRecorder(history._database, Redaction())
        self.broker, self.control, self.platform = MemoryBroker(), MemoryControl(), MemoryPlatform()
        self.platform.instances = {index: instance(index) for index in range(4)}
        self.gatherer = self.another()

    def another(self, **changes) -> Gatherer:
        sources = {"history": self.history, "broker": self.broker, "control": self.control, "hands": self.control}
        sources |= {"platform": self.platform, "records": self.platform, "orders": self.platform}
        return Gatherer(CLUSTER, Sources(**{**sources, **changes}), Limits(), self.clock)

    def observe(self, *workers):
        """Let the observer have its next word, with these workers and what waits in the queues."""
        samples = [QueueSample(name, self.clock(), {0: depth}) for name, depth in self.broker.lengths.items()]
        self.recorder.record(Batch(stream(now=self.clock()), incarnations=workers, queues=samples))

    def look(self, *workers, book=CALM, after=2.0):
        """Look once more, so many seconds later, while the observer works."""
        self.clock.pass_(after)
        self.observe(*workers)
        return self.gatherer.look(book)

    def looked(self, *workers, book=CALM):
        """Look twice: only then is it known that the observer works."""
        self.look(*workers, book=book)
        return self.look(*workers, book=book)


def stored(directory: Path) -> SqlStore:
    """Return a real store in this directory, with its schema in place."""
    store = SqlStore(directory, (CLUSTER,))
    store.migrate()
    return store
