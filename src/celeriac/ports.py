"""What the use cases need of the outside: one page of Protocols, each small, named by role.

Every method may raise a `PortError` (`core.errors`) and nothing else, and returns within its adapter's own time limit.
Times are seconds since the epoch. Ports are synchronous: callers that ask several at once use threads.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from celeriac.core.audit import AuditEntry as AuditEntry  # noqa: PLC0414 (a word of the port too)
from celeriac.core.audit import AuditFilter as AuditFilter  # noqa: PLC0414 (a word of the port too)
from celeriac.core.audit import Outcome as Outcome  # noqa: PLC0414 (a word of the port too)
from celeriac.core.changes import Change
from celeriac.core.incident import Incident, Remedy, Word
from celeriac.core.memory import Board, Book, Changes
from celeriac.core.model import App, Clients, Crash, Incarnation, Inspection, Instance, Pool
from celeriac.core.occupancy import Load
from celeriac.core.pauses import Pause
from celeriac.core.queues import QueueSample, QueueState
from celeriac.core.repair import Repair
from celeriac.core.rollup import Count
from celeriac.core.search import Facets, Found, Histogram, TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task


class Condition(Struct, frozen=True):
    """How a reader fares: what waits in its own buffer, and what it knows to be lost.

    `keeps`: the broker keeps what comes while nobody reads. `cuts` counts connections that ended while we were behind, or
    that the broker ended for our slowness, `refused` messages of a content type that is not accepted.
    """

    reader: str
    keeps: bool = False
    backlog_bytes: int = 0
    cuts: int = 0
    refused: int = 0


class EventStream(Protocol):
    """The cluster's events, as a subscription of our own."""

    def receive(self, within: float) -> list[bytes]:
        """Return the bodies (JSON) that came within so many seconds, as soon as one did; b"" is an unreadable one."""

    def mark(self) -> int:
        """Return what stands for all that `receive` has returned so far."""

    def settle(self, mark: int) -> None:
        """All up to that mark is stored: a broker that keeps messages until then may forget them."""

    def send(self, event: dict[str, object]) -> None:
        """Publish one event of our own to everybody who listens."""

    def condition(self) -> Condition:
        """Return how the reader fares; asks nobody."""

    def close(self) -> None:
        """Drop the connection; the next `receive` makes a new one."""


class Broker(Protocol):
    """What the broker itself knows of its clients and queues."""

    def clients(self, nodes: Collection[str]) -> Clients:
        """Return the connections of those of these nodes (and maybe of others) that can be told apart, the rest counted."""

    def queues(self, named: Collection[str]) -> tuple[QueueState, ...]:
        """Return what is known of these queues, and of those that the broker lists by itself."""


class Control(Protocol):
    """Celery's remote control, directed at named nodes but for `discover`."""

    def ping(self, nodes: Collection[str]) -> frozenset[str]:
        """Return the nodes that answered in time."""

    def discover(self) -> frozenset[str]:
        """Return all nodes that answer in time, asked or not."""

    def pools(self, nodes: Collection[str]) -> dict[str, Pool]:
        """Return, by `Incarnation.key`, what the nodes that answer say of their pool and queues."""

    def inspect(self, nodes: Collection[str]) -> dict[str, Inspection]:
        """Return what each answering node says of its queues, its pool and what it holds."""

    def running(self, nodes: Collection[str]) -> dict[str, frozenset[str]]:
        """Return the ids of the tasks that each answering node runs now."""

    def enable_events(self, nodes: Collection[str]) -> dict[str, str]:
        """Have these nodes send task events from now on; return what each answering one says to that."""


class Hands(Protocol):
    """What remote control changes in one worker; raises MissingError if it does not answer, RefusedError if it says no."""

    def repair(self, node: str, repair: Repair) -> str:
        """Mend it, and return what it says to that."""

    def cancel(self, node: str, queue: str) -> str:
        """Have it consume a queue no more, and return what it says to that."""

    def shutdown(self, node: str) -> None:
        """Have it end once its running tasks have ended; it says nothing to that."""


class Platform(Protocol):
    """Where the workers' processes run."""

    name: str

    def apps(self) -> tuple[App, ...]:
        """Return the watched apps with every index of every process, the wanted but missing ones too."""

    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the exits since then that nobody asked for, each once."""

    def changes(self, since: float) -> tuple[Change, ...]:
        """Return what was done to the watched apps since then, each once, and the deployments that are under way."""

    def instance(self, like: Instance) -> Instance:
        """Read one index again, now; raises MissingError if it is gone."""

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index; the platform starts it again by itself. Addressed by index, so read it right before."""


class Batch(Struct, frozen=True):
    """What one flush of an observer stores."""

    stream: Stream
    tasks: Sequence[Task] = ()
    incarnations: Sequence[Incarnation] = ()
    queues: Sequence[QueueSample] = ()
    loads: Sequence[Load] = ()


class Opening(Struct, frozen=True):
    """What an observer takes up from its history: what tells it from any other, the workers' lives, its last word."""

    identity: str
    incarnations: tuple[Incarnation, ...] = ()
    stream: Stream | None = None


class Recorder(Protocol):
    """Where an observer's flushes go, one at a time."""

    def open(self) -> Opening:
        """Make ready to record; raises UnreachableError while the store is away or its schema is not up to date."""

    def record(self, batch: Batch) -> None:
        """Hand over one batch, and return before it is stored; only while not busy."""

    def busy(self, within: float = 0.0) -> bool:
        """Tell whether the last batch is still on its way after so many seconds.

        Raises UnreachableError, once, if it was not stored: it is to be handed over again.
        """

    def written(self) -> int:
        """Return how many rows of tasks were written so far."""

    def close(self) -> None:
        """Wait a bounded time for the batch that is on its way, and end."""


class History(Protocol):
    """One cluster's history as its observer keeps it, read by everybody."""

    def stream(self) -> Stream | None:
        """Return how well the observer hears, as of its last flush."""

    def incarnations(self) -> list[Incarnation]:
        """Return every incarnation heard within the last days."""

    def queues(self) -> list[QueueSample]:
        """Return the newest sample of each queue that was sampled within the last minutes."""

    def queue(self, name: str, since: float, until: float) -> list[QueueSample]:
        """Return one queue's samples, oldest first; at most some thousands, evenly thinned."""

    def version(self) -> int:
        """Return a number that changes when another process has written."""


class Tasks(Protocol):
    """One cluster's stored tasks."""

    def find(self, which: TaskFilter) -> Found:
        """Return a page of tasks, newest first."""

    def task(self, uuid: str) -> Task | None:
        """Return one task."""

    def facets(self, which: TaskFilter) -> Facets:
        """Count the matching tasks by their values; limit and cursor do not count."""

    def histogram(self, which: TaskFilter, step_s: int) -> Histogram:
        """Count the matching tasks by time; limit and cursor do not count."""


class Charts(Protocol):
    """One cluster's roll-ups: they outlive the tasks, and a day of them is read in milliseconds."""

    def counts(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        """Return tasks by state (`core.rollup`) in each step, by its beginning in seconds; `step_s` is whole minutes."""

    def durations(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        """Return run times and waits (`core.rollup`) in each step, in the same way."""

    def by_name(self, since: float, until: float) -> dict[str, Count]:
        """Return the sums of the whole range by task name; by whole hours where it is longer than some hours."""


class Journal(Protocol):
    """The keeper's memory: incidents, remedies, the lease. Every write is durable when the call returns."""

    def hold_lease(self, holder: str, now: float, ttl: float) -> bool:
        """Take or renew the keeper's lease; False while another holder's runs."""

    def book(self, cluster: str, since: float) -> Book:
        """Return all that is open, and what ended since then."""

    def commit(self, changes: Changes, holder: str | None = None) -> None:
        """Store it all or nothing; raises ConflictError if `holder` is given and no longer holds the lease."""

    def incidents(
        self, cluster: str | None, *, open_only: bool, limit: int, since: float | None = None
    ) -> list[Incident]:
        """Return incidents, newest first; with `since` those that were opened from then on."""

    def incident(self, id: str) -> Incident | None:
        """Return one incident."""

    def board(self, cluster: str) -> Board | None:
        """Return the keeper's last word."""


class Audit(Protocol):
    """What was done by Celeriac or through it, whoever wanted it; entries are added and, when they are old, dropped."""

    def note(self, entry: AuditEntry) -> None:
        """Store one entry; it is durable when the call returns."""

    def entries(self, which: AuditFilter) -> list[AuditEntry]:
        """Return the entries that fit, newest first."""


class Requests(Protocol):
    """What people ask of the keeper."""

    def submit(self, remedy: Remedy) -> None:
        """Store a remedy in state `requested`."""

    def remedy(self, id: str) -> Remedy | None:
        """Return one remedy."""

    def say(self, word: Word) -> None:
        """Store what a person wants to be done with an incident."""

    def word(self, id: str) -> Word | None:
        """Return one of these."""

    def version(self) -> int:
        """Return a number that changes when another process has written."""


class Pauses(Protocol):
    """The pauses that people have ordered."""

    def begin(self, pause: Pause) -> None:
        """Store a pause; it is durable when the call returns."""

    def standing(self, now: float) -> tuple[Pause, ...]:
        """Return the pauses that hold now, the oldest first."""

    def end(self, id: str, now: float, actor: str) -> None:
        """End one of them before its time."""
