"""The checkup: every source of every cluster and platform asked at once, each within its time limit, and told in lines.

It reads and tries; it writes nothing and acts on nothing.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from celeriac.app.asking import Asked
from celeriac.app.checkup_views import CheckupView, checkup_view
from celeriac.checkup_ports import BrokerTrial, StoreLook
from celeriac.core.checkup import Line, checkup
from celeriac.core.checkup.facts import ClusterFacts, Denied, Facts, FileState, PlatformFacts, StoreState, Told
from celeriac.core.checkup.nodes import live_nodes
from celeriac.core.errors import MissingError, PortError, UnreachableError
from celeriac.core.limits import Policy
from celeriac.core.model import Clients, Mode, Pool
from celeriac.core.readings import Known, Reading
from celeriac.core.retention import Retention
from celeriac.core.search import TaskFilter
from celeriac.evidence_ports import Results
from celeriac.platform_ports import PlatformRights
from celeriac.ports import Broker, Control, History, Journal, Platform, Tasks

T = TypeVar("T")

FIRST_LIMIT_S = 6.0
SECOND_LIMIT_S = 5.0
"""Most is asked at once; what needs the names of the workers comes after."""

MOST_THREADS = 48
NEWEST_TASKS = 200
DAY_S = 86_400.0
NOBODY = "celeriac-doctor"
"""A task that nobody has sent: to ask for its result reads the backend, and finds nothing."""


class ClusterProbes(Struct, frozen=True):
    """The ports of one cluster; what is not configured is None."""

    name: str
    broker_kind: str
    mode: Mode
    history: History
    tasks: Tasks
    control: Control
    policy: Callable[[], Policy]
    trial: BrokerTrial | None = None
    broker: Broker | None = None
    results: Results | None = None
    foundation: Platform | None = None
    platforms: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    management: bool = False
    enable_task_events: str = "once"


class PlatformProbes(Struct, frozen=True):
    """The ports of one platform; `where` is what the settings name there."""

    name: str
    kind: str
    where: str
    rights: PlatformRights | None = None


class StoreProbes(Struct, frozen=True):
    """The store: what looks at it from outside, and the keeper's memory."""

    look: StoreLook
    journal: Journal
    retention: Retention = Retention()


class Checkup:
    """Checks one or all clusters; `serving` tells that the server itself asks, `clock` is in seconds since the epoch."""

    def __init__(
        self,
        clusters: Collection[ClusterProbes],
        platforms: Collection[PlatformProbes],
        store: StoreProbes,
        clock: Callable[[], float],
        *,
        serving: bool,
    ) -> None:
        self._clusters = {one.name: one for one in clusters}
        self._platforms, self._store = platforms, store
        self._clock, self._serving = clock, serving

    def lines(self, clusters: Collection[str] | None) -> tuple[Line, ...]:
        """Return the lines of these clusters and the platforms that they name, none for no cluster; None stands for all.

        Raises MissingError with the names that there are.
        """
        if clusters is None:
            return checkup(self._facts(list(self._clusters.values()), self._platforms))
        for name in clusters:
            if name not in self._clusters:
                raise MissingError(f"No cluster {name!r} is configured; there are: {', '.join(self._clusters)}.")
        if not clusters:
            return ()
        chosen = [one for name, one in self._clusters.items() if name in clusters]
        named = {name for one in chosen for name in one.platforms}
        return checkup(self._facts(chosen, [one for one in self._platforms if one.name in named]))

    def view(self, clusters: Collection[str] | None) -> CheckupView:
        """Return the same as people and programs see it."""
        return checkup_view(self.lines(clusters), self._clock())

    def _facts(self, clusters: list[ClusterProbes], places: Collection[PlatformProbes]) -> Facts:
        threads = min(MOST_THREADS, 4 + 12 * len(clusters) + 2 * len(places))
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="checkup")
        now = self._clock()  # all ages are as of the beginning: what is asked last must not make the first look old
        try:
            ask = Asking(pool, self._clock)
            state = ask.first(self._store.look.state)
            ask.store_is_there = _is_there(state.answer())
            lease = ask.of_store(self._store.look.lease)
            looks = [ClusterLook(one, self._store.journal, ask, now) for one in clusters]
            platforms = [PlatformLook(one, ask) for one in places]
            for look in looks:
                look.go_on()
            return Facts(
                at=now,
                clusters=tuple(look.facts() for look in looks),
                platforms=tuple(one.facts(acts=self._acts(one.name)) for one in platforms),
                store=state.answer(),
                lease=lease.answer(),
                retention=self._store.retention,
                serving=self._serving,
            )
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _acts(self, platform: str) -> bool:
        return any(one.mode is not Mode.OBSERVE for one in self._clusters.values() if platform in one.platforms)


class Asking:
    """Asks in threads; a port's error is an answer."""

    def __init__(self, pool: ThreadPoolExecutor, clock: Callable[[], float]) -> None:
        self._pool, self._clock = pool, clock
        self.store_is_there = True

    def of_store(self, call: Callable[[], T]) -> "Asked[T | Denied]":
        """Ask the store, if there is one."""
        return self.first(call if self.store_is_there else _no_store)

    def first(self, call: Callable[[], T]) -> "Asked[T | Denied]":
        """Ask what needs nothing else."""
        return Asked(self._pool.submit(_tried, call), self._clock, FIRST_LIMIT_S)

    def second(self, call: Callable[[], T]) -> "Asked[T | Denied]":
        """Ask what needs the names of the workers."""
        return Asked(self._pool.submit(_tried, call), self._clock, SECOND_LIMIT_S)


def _tried(call: Callable[[], T]) -> T | Denied:
    try:
        return call()
    except PortError as error:
        return Denied(str(error), error.retryable)


def _no_store() -> NoReturn:
    raise UnreachableError("there is no store yet")


def _is_there(found: Reading[StoreState | Denied]) -> bool:
    state = _or_none(found)
    return state is None or any(one.state is not FileState.MISSING for one in state.files)


class PlatformLook:
    """The look at one platform."""

    def __init__(self, probes: PlatformProbes, ask: Asking) -> None:
        self._probes, self.name = probes, probes.name
        self._rights = ask.first(probes.rights.rights) if probes.rights else None
        self._ahead = ask.first(probes.rights.clock_ahead) if probes.rights else None

    def facts(self, *, acts: bool) -> PlatformFacts:
        """Return what it answered; `acts` tells that some cluster's mode may restart there."""
        one = self._probes
        return PlatformFacts(one.name, one.kind, one.where, acts, _answer(self._rights), _answer(self._ahead))


class ClusterLook:
    """The look at one cluster at one time: it asks at once when it is made, and once more when it goes on."""

    def __init__(self, probes: ClusterProbes, journal: Journal, ask: Asking, now: float) -> None:
        self._probes, self._ask, self._now = probes, ask, now
        one = probes
        self._stream = ask.of_store(one.history.stream)
        self._lives = ask.of_store(lambda: tuple(one.history.incarnations()))
        self._book = ask.of_store(lambda: journal.book(one.name, now))
        self._board = ask.of_store(lambda: journal.board(one.name))
        self._told = ask.of_store(lambda: told(one.tasks, now))
        self._policy = ask.of_store(one.policy)
        self._discovered = ask.first(one.control.discover)
        self._access = ask.first(one.trial.access) if one.trial else None
        self._heartbeats = ask.first(one.trial.heartbeats) if one.trial else None
        self._results = ask.first(lambda: _readable(one.results)) if one.results else None
        self._watched = ask.first(one.foundation.apps) if one.foundation else None
        self._clients: Asked[Clients | Denied] | None = None
        self._pools: Asked[dict[str, Pool] | Denied] | None = None

    def go_on(self) -> None:
        """Ask what needs the names of the workers."""
        broker, control = self._probes.broker, self._probes.control
        basis = self._basis()
        nodes = live_nodes(basis)
        unknown = nodes - {key.rpartition("#")[0] for key in basis.pools}
        if broker:
            self._clients = self._ask.second(lambda: broker.clients(nodes))
        if unknown:
            self._pools = self._ask.second(lambda: control.pools(unknown))

    def facts(self) -> ClusterFacts:
        """Return everything, once all have answered or had their time."""
        basis = self._basis()
        learned = (_or_none(self._pools.answer()) if self._pools else None) or {}
        return replace(
            basis,
            pools={**basis.pools, **learned},
            access=_answer(self._access),
            clients=_answer(self._clients),
            heartbeats=_answer(self._heartbeats),
            told=self._told.answer(),
            results=_answer(self._results),
            watched=_answer(self._watched),
            board=_or_none(self._board.answer()),
            policy=self._policy.answer(),
        )

    def _basis(self) -> ClusterFacts:
        """Return what tells who is there."""
        one, book = self._probes, _or_none(self._book.answer())
        return ClusterFacts(
            at=self._now,
            name=one.name,
            broker=one.broker_kind,
            mode=one.mode,
            management=one.management,
            platform=", ".join(one.platforms) or None,
            apps=one.apps,
            enable_task_events=one.enable_task_events,
            stream=self._stream.answer(),
            incarnations=_or_none(self._lives.answer()) or (),
            discovered=self._discovered.answer(),
            pools=book.pools if book else {},
        )


def _answer(asked: "Asked[T] | None") -> Reading[T] | None:
    return asked.answer() if asked else None


def _or_none(found: "Reading[T | Denied]") -> T | None:
    return found.value if isinstance(found, Known) and not isinstance(found.value, Denied) else None


def told(tasks: Tasks, now: float) -> Told:
    """Return what senders said of the newest tasks of the last day."""
    rows = tasks.find(TaskFilter(limit=NEWEST_TASKS, since=now - DAY_S)).rows
    unsent: dict[str, int] = {}
    for row in rows:
        if row.task.sent_at is None:
            name = row.task.name or "(no name)"
            unsent[name] = unsent.get(name, 0) + 1
    return Told(len(rows), unsent)


def _readable(results: Results | None) -> bool:
    return results is not None and not results.ended([NOBODY])
