"""Everything that can be read, once, for pages, API, command line and stream alike; nothing here changes anything.

Whoever reads sees the clusters that a role of theirs is for: of others there is nothing, not even a name.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from celeriac.access_ports import BreakGlass
from celeriac.app.access.acting import Acting
from celeriac.app.access.audit_queries import AuditQueries
from celeriac.app.access.break_glass import BreakGlassUses
from celeriac.app.app_queries import AppQueries, heard_lives
from celeriac.app.app_record_queries import AppRecordQueries, Followers, Told
from celeriac.app.app_views import AppView
from celeriac.app.capacity_queries import CapacityQueries, Meter, Quotas
from celeriac.app.casebook_queries import CasebookQueries
from celeriac.app.chart_queries import ChartQueries
from celeriac.app.checkup_views import CheckupView
from celeriac.app.checkups import Checkups
from celeriac.app.observation_queries import ObservationQueries
from celeriac.app.order_views import OrderView
from celeriac.app.passing import Passing, scene_of
from celeriac.app.pausing import Pausing
from celeriac.app.queue_queries import QueueQueries
from celeriac.app.report_queries import ReportQueries
from celeriac.app.shaping import incident_view, order_view, remedy_view, worker_view
from celeriac.app.sources import STALE_S, Source, Sources
from celeriac.app.task_queries import TaskQueries
from celeriac.app.views import (
    ClusterView,
    Headline,
    IncidentView,
    Readiness,
    RemedyView,
    WorkerView,
    moment,
)
from celeriac.core.access import Right
from celeriac.core.errors import ConflictError, MissingError, UnreachableError
from celeriac.core.incident import Incident
from celeriac.core.model import Mode
from celeriac.evidence_ports import Casebook, Exhibits
from celeriac.ports import Audit, Journal, Pauses, Requests


class Library(NamedTuple):
    """What is read, whoever reads it; `told` and `meters` are by cluster.

    `disk_free` gives the room on the store's disk in bytes, or None where that is not known.
    """

    sources: Sources
    journal: Journal
    requests: Requests
    pauses: Pauses
    audit: Audit
    break_glass: BreakGlass
    casebook: Casebook
    exhibits: Exhibits
    checkups: Checkups
    told: Mapping[str, Told]
    meters: Mapping[str, Meter]
    clock: Callable[[], float]
    disk_free: Callable[[], int | None]
    quotas: Quotas
    followers: Followers


class Queries:
    """One actor's reads, shaped for people; what there is to read of tasks, queues and the hearing has its own part."""

    def __init__(self, library: Library, acting: Acting) -> None:
        sources, journal, clock = library.sources.within(acting.actor.sees), library.journal, library.clock
        self._sources, self._journal, self._requests, self._clock = sources, journal, library.requests, clock
        self.acting = acting
        self.pausing = Pausing(sources, library.pauses, acting, clock)
        self.audit = AuditQueries(library.audit, acting, sources)
        self.break_glass = BreakGlassUses(library.break_glass, acting, clock)
        self.reports = ReportQueries(sources, journal, clock)
        self.casebook = CasebookQueries(sources, journal, library.casebook, library.exhibits, acting)
        self._apps = AppQueries(sources, journal, clock)
        self.capacity = CapacityQueries(self._apps, library.meters, library.quotas, clock)
        self.app_records = AppRecordQueries(self._apps, library.told, library.followers, acting, clock)
        self.tasks = TaskQueries(sources, acting, clock)
        self.charts = ChartQueries(sources, clock)
        self.queues = QueueQueries(sources, journal, clock)
        self.observation = ObservationQueries(sources, journal, clock, library.disk_free)
        self._checkups = library.checkups

    def now(self) -> float:
        """Return the clock that every age is counted by."""
        return self._clock()

    def checkup(self, cluster: str | None = None) -> CheckupView:
        """Return the newest checkup of one cluster, or of all that the actor sees."""
        if cluster is None and self.acting.may(Right.SEE):
            return self._checkups.view(None)
        return self._checkups.view([one.name for one in self._sources.chosen(cluster)])

    # Clusters and readiness

    def clusters(self) -> list[ClusterView]:
        """Return every configured cluster, also those of which nothing is known yet."""
        return [self._cluster(one) for one in self._sources.chosen()]

    def cluster(self, id: str) -> ClusterView:
        """Return one cluster."""
        return self._cluster(*self._sources.chosen(id))

    def readiness(self) -> Readiness:
        """Return what keeps Celeriac from its work now."""
        problems = [f"{one.name}: {problem}" for one in self.clusters() for problem in one.problems]
        return Readiness(not problems, problems)

    def headline(self) -> Headline:
        """Return the verdict line: how things are, in one sentence."""
        clusters, incidents = self.clusters(), self.incidents(open_only=True)
        blind = [one for one in clusters if one.blind or one.problems]
        if incidents:
            oldest = min(one.opened_at for one in incidents)
            names = ", ".join(f"{one.worker_name} {one.verdict}" for one in incidents[:3])
            more = f" and {len(incidents) - 3} more" if len(incidents) > 3 else ""
            waiting = any(one.approvable or one.state == "escalated" for one in incidents)
            return Headline("bad" if waiting else "attention", f"{names}{more}", oldest)
        if blind:
            one = blind[0]
            return Headline("blind", f"{one.name}: {one.blind or one.problems[0]}", one.observed_at)
        if unseen := self.break_glass.unseen():
            use = unseen[0]
            return Headline("attention", f"Break-glass sign-on by {use.name} from {use.address}", use.at)
        workers = sum(one.workers for one in clusters)
        healthy = sum(one.verdicts.get("healthy", 0) + one.verdicts.get("busy", 0) for one in clusters)
        if not workers:
            return Headline("attention", "No worker has been seen yet")
        well = f"{healthy} of {workers} workers well"
        paused = [one.name for one in clusters if one.paused]
        if paused:
            return Headline("attention", f"{well}; {', '.join(paused)} paused")
        for source in self._sources.chosen():
            heard, _ = source.heard()
            if troubles := self.observation.troubles(heard):
                return Headline("attention", f"{well} as far as they are heard; {source.name}: {troubles[0]}")
        return Headline("good" if healthy == workers else "attention", well)

    def version(self) -> tuple[int, ...]:
        """Return numbers that change whenever anything stored changes, and when nothing is stored any more."""
        return (self._requests.version(), *(number for one in self._sources.chosen() for number in self._version(one)))

    # Workers

    def workers(self, cluster: str | None = None) -> list[WorkerView]:
        """Return the workers of one or all clusters, by name."""
        found: list[WorkerView] = []
        for source in self._sources.chosen(cluster):
            board = self._journal.board(source.name)
            if board:
                incidents = self._open_by_place(source.name)
                stream, lives = heard_lives(source)
                scene = scene_of(board, self._clock())
                found += [worker_view(each, board, lives, stream, incidents, scene) for each in board.findings]
        return sorted(found, key=lambda one: (one.cluster, one.name))

    def worker(self, id: str, cluster: str | None = None) -> WorkerView:
        """Return one worker by id, name or node name; raises MissingError, or ConflictError with the candidates."""
        found = [one for one in self.workers(cluster) if id in (one.id, one.name, one.node)]
        if not found:
            raise MissingError(f"No worker {id!r} is known.")
        if len(found) > 1:
            candidates = ", ".join(f"{one.name} in {one.cluster} ({one.id})" for one in found)
            raise ConflictError(f"{id!r} names more than one worker: {candidates}.")
        return found[0]

    # Incidents and remedies

    def incidents(self, cluster: str | None = None, *, open_only: bool = False, limit: int = 100) -> list[IncidentView]:
        """Return incidents, newest first."""
        found = self._stories(cluster, open_only=open_only, limit=limit)
        passing = Passing(self._journal, self._clock)
        return [incident_view(one, passing.of(one)) for one in found]

    def _stories(self, cluster: str | None, *, open_only: bool, limit: int) -> list[Incident]:
        names = [one.name for one in self._sources.chosen(cluster)]
        found = [one for name in names for one in self._journal.incidents(name, open_only=open_only, limit=limit)]
        return sorted(found, key=lambda one: (-one.opened_at, one.id))[:limit]

    def incident(self, id: str) -> IncidentView:
        """Return one incident."""
        found = self._journal.incident(id)
        if found is None or found.cluster not in self._sources:
            raise MissingError(f"No incident {id!r} is known.")
        return incident_view(found, Passing(self._journal, self._clock).of(found))

    def remedy(self, id: str) -> RemedyView:
        """Return one remedy."""
        found = self._requests.remedy(id)
        if found is None or found.cluster not in self._sources:
            raise MissingError(f"No remedy {id!r} is known.")
        return remedy_view(found)

    def order(self, id: str) -> OrderView:
        """Return how far it is what a person wants to be done with an incident."""
        found = self._requests.word(id)
        if found is None or found.cluster not in self._sources:
            raise MissingError(f"No order {id!r} is known.")
        return order_view(found)

    # Apps

    def apps(self, cluster: str | None = None) -> list[AppView]:
        """Return the watched apps with the platform's state and our verdict side by side."""
        return self._apps.all(cluster)

    def app(self, id: str, cluster: str | None = None) -> AppView:
        """Return one app by id or name; raises MissingError, or ConflictError where several clusters watch it."""
        return self._apps.one(id, cluster)

    def _version(self, source: Source) -> tuple[int, bool]:
        try:
            return source.history.version(), self.observation.stalled(source.history.stream()) is not None
        except UnreachableError:
            return -1, True

    def _open_by_place(self, cluster: str) -> dict[str, str]:
        return {one.place.id: one.id for one in self._journal.incidents(cluster, open_only=True, limit=1000)}

    def _cluster(self, source: Source) -> ClusterView:
        board = self._journal.board(source.name)
        stream, unread = source.heard()
        fresh = board is not None and self._clock() - board.at < STALE_S
        stalled = unread or self.observation.stalled(stream)
        problems = [stalled] if stalled else []
        problems += board.problems if board and fresh else ["the keeper has not judged it yet or has stopped"]
        verdicts: dict[str, int] = {}
        for finding in board.findings if board else ():
            verdicts[finding.verdict] = verdicts.get(finding.verdict, 0) + 1
        return ClusterView(
            id=source.name,
            name=source.name,
            broker=source.broker,
            mode=Mode(board.mode) if board else Mode.OBSERVE,
            paused=(board.paused if board else None) or self.pausing.text(source.name),
            blind=board.blind if board and fresh and not stalled else problems[0],
            problems=problems,
            notes=list(board.notes) if board and fresh and not stalled else [],
            observed_at=moment(stream.observed_at) if stream else None,
            judged_at=moment(board.at) if board else None,
            sentence=board.sentence if board else "",
            workers=sum(verdicts.values()),
            verdicts=verdicts,
            open_incidents=len(self._open_by_place(source.name)),
            events=stream.events if stream else 0,
            malformed=stream.malformed if stream else 0,
            reconnects=stream.reconnects if stream else 0,
        )
