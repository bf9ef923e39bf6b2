"""What the use cases need of the outside: one page of Protocols, each small, named by role.

Every method may raise a `PortError` (`core.errors`) and nothing else, and returns within its adapter's own time limit.
Times are seconds since the epoch. Ports are synchronous: callers that ask several at once use threads.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from celeriac.core.case import Finding
from celeriac.core.incident import Incident, Remedy
from celeriac.core.model import App, Consumer, Crash, Incarnation, Instance, Pool
from celeriac.core.snapshot import Lived, Stream
from celeriac.core.tasks import Task


class EventStream(Protocol):
    """The cluster's events, as a subscription of our own."""

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies (JSON) that came within so many seconds, as soon as one came; connects first if need be."""

    def send(self, event: dict[str, object]) -> None:
        """Publish one event of our own to everybody who listens."""

    def close(self) -> None:
        """Drop the connection; the next `receive` makes a new one."""


class Broker(Protocol):
    """What the broker itself knows of its clients and queues."""

    def consumers(self) -> dict[str, Consumer]:
        """Return each worker's connections by node name, as far as connections carry names."""

    def depths(self, queues: Collection[str]) -> dict[str, int]:
        """Return the number of waiting messages of each queue."""


class Control(Protocol):
    """Celery's remote control, always directed at named nodes."""

    def ping(self, nodes: Collection[str]) -> frozenset[str]:
        """Return the nodes that answered in time."""

    def pools(self, nodes: Collection[str]) -> dict[str, Pool]:
        """Return, by `Incarnation.key`, what the nodes that answer say of their pool and queues."""

    def consuming(self, nodes: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the queues that each answering node consumes now."""


class Platform(Protocol):
    """Where the workers' processes run."""

    name: str

    def apps(self) -> tuple[App, ...]:
        """Return the watched apps with every index of every process, the wanted but missing ones too."""

    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the exits since then that nobody asked for, each once."""

    def instance(self, like: Instance) -> Instance:
        """Read one index again, now; raises MissingError if it is gone."""

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index; the platform starts it again by itself. Addressed by index, so read it right before."""


class Batch(Struct, frozen=True):
    """What one flush of an observer stores."""

    stream: Stream
    tasks: Sequence[Task] = ()
    incarnations: Sequence[Incarnation] = ()


class TaskFilter(Struct, frozen=True):
    """Which tasks to list, newest first; `before` is the cursor of an earlier page."""

    limit: int = 50
    state: str | None = None
    name: str | None = None
    worker: str | None = None
    before: tuple[int, str] | None = None


class TaskRow(Struct, frozen=True):
    """A stored task and its place in the list."""

    cursor: tuple[int, str]
    task: Task


class History(Protocol):
    """One cluster's events as rows: written by its observer, read by everybody."""

    def record(self, batch: Batch) -> None:
        """Store one flush in one transaction; rows merge, newer fields win."""

    def stream(self) -> Stream | None:
        """Return how well the observer hears, as of its last flush."""

    def incarnations(self) -> list[Incarnation]:
        """Return every incarnation heard within the last days."""

    def tasks(self, which: TaskFilter) -> list[TaskRow]:
        """Return tasks, newest first."""

    def task(self, uuid: str) -> Task | None:
        """Return one task."""

    def version(self) -> int:
        """Return a number that changes when another process has written."""


class Book(Struct, frozen=True):
    """What the keeper must know of its own past to decide: open incidents, recent ones, remedies, requests."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    pools: dict[str, Pool] = {}
    lived: tuple[Lived, ...] = ()


class Board(Struct, frozen=True):
    """The keeper's last word on a cluster, for pages and API."""

    cluster: str
    at: float
    sentence: str
    mode: str
    paused: str | None = None
    blind: str | None = None
    problems: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    apps: tuple[App, ...] = ()
    pools: dict[str, Pool] = {}


class Changes(Struct, frozen=True):
    """What one cycle writes, in one transaction."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    pools: dict[str, Pool] = {}
    lived: tuple[Lived, ...] = ()
    board: Board | None = None


class Journal(Protocol):
    """The keeper's memory: incidents, remedies, the lease. Every write is durable when the call returns."""

    def hold_lease(self, holder: str, now: float, ttl: float) -> bool:
        """Take or renew the keeper's lease; False while another holder's runs."""

    def book(self, cluster: str, since: float) -> Book:
        """Return all that is open, and what ended since then."""

    def commit(self, changes: Changes, holder: str | None = None) -> None:
        """Store it all or nothing; raises ConflictError if `holder` is given and no longer holds the lease."""

    def incidents(self, cluster: str | None, *, open_only: bool, limit: int) -> list[Incident]:
        """Return incidents, newest first."""

    def incident(self, id: str) -> Incident | None:
        """Return one incident."""

    def board(self, cluster: str) -> Board | None:
        """Return the keeper's last word."""


class Requests(Protocol):
    """What people ask of the keeper."""

    def submit(self, remedy: Remedy) -> None:
        """Store a remedy in state `requested`."""

    def remedy(self, id: str) -> Remedy | None:
        """Return one remedy."""

    def version(self) -> int:
        """Return a number that changes when another process has written."""
