"""Everything that somebody can order, once, for pages, API and command line alike: stored as requests, done by the keeper.

Each takes a right over what it is for, and this is where it is asked for. Each order is in the audit trail before it is stored, so that nothing is done of which nobody knows who wanted it.
"""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from celeriac.app.access.acting import Acting, did
from celeriac.app.app_queries import meant
from celeriac.app.order_views import OrderView
from celeriac.app.queries import Queries
from celeriac.app.recycling import no_recycling
from celeriac.app.shaping import approvable, order_view, remedy_view
from celeriac.app.views import RemedyView
from celeriac.core.access import Right
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.handling import refused
from celeriac.core.incident import Deed, Incident, Remedy, RemedyKind, RemedyState, Scale, Strategy, Word
from celeriac.core.model import App, Place, Verdict
from celeriac.core.repair import Repair
from celeriac.ports import Journal, Requests


class Scaled(NamedTuple):
    """How many instances are wanted of a process, which may be left out where only one can be meant."""

    instances: int
    process: str | None = None
    drain: bool = True


class Commands:
    """One actor's orders to the keeper; each returns at once with the stored request, its outcome shows in the incident.

    Whoever lacks the right gets DeniedError; what the actor may not even see is not there (MissingError).
    """

    def __init__(
        self, queries: Queries, journal: Journal, requests: Requests, clock: Callable[[], float], acting: Acting
    ) -> None:
        self._queries = queries
        self._journal = journal
        self._requests = requests
        self._clock = clock
        self._acting = acting
        self.pausing, self.break_glass = queries.pausing, queries.break_glass

    def restart(self, worker: str) -> RemedyView:
        """Ask the keeper to restart one worker's instance, as it is now; raises ConflictError where it has none."""
        return self._order(worker, RemedyKind.RESTART_INSTANCE)

    def recycle(self, worker: str) -> RemedyView:
        """Ask the keeper to end one worker once its tasks have ended; raises ConflictError where it cannot be recycled."""
        return self._order(worker, RemedyKind.RECYCLE)

    def restart_app(self, app: str, cluster: str | None = None, strategy: Strategy = Strategy.ROLLING) -> RemedyView:
        """Ask the keeper to restart an app's instances; raises ConflictError where the name is no one app's."""
        place, _ = self._app(app, cluster, "restart an app")
        return self._submit(place, RemedyKind.RESTART_APP, Bound(strategy=strategy))

    def restart_instance(
        self, app: str, index: int, cluster: str | None = None, process: str | None = None
    ) -> RemedyView:
        """Ask the keeper to restart one index of an app; raises MissingError where the app has no such index."""
        whole, found = self._app(app, cluster, "restart an instance")
        process = _one_process(found, process)
        if (process, index) not in {(one.process, one.index) for one in found.instances}:
            raise MissingError(f"{found.name} has no index {index} of process {process}.")
        place = replace(whole, process=process, index=index)
        return self._order(place.id, RemedyKind.RESTART_INSTANCE)

    def scale(self, app: str, wanted: Scaled, cluster: str | None = None) -> RemedyView:
        """Ask the keeper to have so many instances of a process; raises ConflictError where there are as many already."""
        place, found = self._app(app, cluster, "scale an app")
        process = _one_process(found, wanted.process)
        before = next(one.wanted for one in found.processes if one.type == process)
        if before == wanted.instances:
            raise ConflictError(f"{found.name} has {before} instances of process {process} already.")
        scale = Scale(process, before, wanted.instances, wanted.drain)
        return self._submit(place, RemedyKind.SCALE, Bound(scale=scale))

    def _app(self, app: str, cluster: str | None, what: str) -> tuple[Place, App]:
        """Return the one watched app of this name or id, and its place, whose incident nobody may hold."""
        seen = self._queries.app(app, cluster)
        self._acting.need(Right.REMEDIES, what, seen.cluster, seen.name)
        place = Place(seen.cluster, seen.platform, seen.name)
        for one in self._journal.incidents(place.cluster, open_only=True, limit=1000):
            if one.place == place:
                _not_held(one)
        board = self._journal.board(place.cluster)
        apps = board.apps if board else ()
        return place, next(one for one in apps if (one.platform, one.name) == (place.platform, place.app))

    def _order(self, worker: str, kind: RemedyKind) -> RemedyView:
        seen = self._queries.worker(worker)
        board = self._journal.board(seen.cluster)
        finding = next((one for one in board.findings if one.place.id == seen.id), None) if board else None
        self._acting.need(Right.REMEDIES, _DOES[kind], seen.cluster, finding.place.app if finding else None)
        if board is None or finding is None or finding.site is None or finding.guid is None:
            raise ConflictError(f"{seen.name} has no running platform instance that could be restarted.")
        if kind is RemedyKind.RECYCLE and (no := no_recycling(finding, board)):
            raise ConflictError(f"{seen.name} cannot be recycled: {no}.")
        if seen.incident:
            _not_held(self._incident(seen.incident))
        bound = Bound(finding.guid, finding.node, finding.pid)
        return self._submit(finding.place, kind, bound)

    def approve(self, incident: str) -> RemedyView:
        """Let the keeper do what an incident is held for, as long as its evidence still stands."""
        found = self._incident(incident)
        self._need(found, "approve a remedy")
        _not_held(found)
        if not approvable(found):
            why = found.held_reason or found.state
            raise ConflictError(f"The incident of {found.place.name} is {why}: there is nothing to approve.")
        bound = Bound(found.guid, found.node, found.pid, incident=found.id, verdict=found.verdict, repair=found.repair)
        return self._submit(found.place, found.remedy, bound)

    def hold(self, incident: str, why: str) -> OrderView:
        """Have the keeper do nothing for an incident until somebody releases it."""
        return self._say(incident, Deed.HOLD, why)

    def release(self, incident: str, why: str = "") -> OrderView:
        """Have the keeper judge an incident again that somebody holds."""
        return self._say(incident, Deed.RELEASE, why)

    def close(self, incident: str, why: str = "") -> OrderView:
        """End an incident's story; the same process with the same verdict opens no other one for an hour."""
        return self._say(incident, Deed.CLOSE, why)

    def _say(self, incident: str, deed: Deed, why: str) -> OrderView:
        found, now = self._incident(incident), self._clock()
        self._need(found, f"{deed} an incident")
        if no := refused(found, deed):
            raise ConflictError(f"The incident of {found.place.name} cannot be {DONE[deed]}: {no}.")
        word = Word(secrets.token_hex(10), found.cluster, found.id, deed, self._acting.actor.called, now, why)
        self._acting.note(replace(did(deed.value, found.place.name, f"incident {found.id}", found.cluster), why=why))
        self._requests.say(word)
        return order_view(word)

    def _incident(self, id: str) -> Incident:
        self._queries.incident(id)  # whose cluster the actor sees
        found = self._journal.incident(id)
        if found is None:
            raise MissingError(f"No incident {id!r} is known.")
        return found

    def _need(self, incident: Incident, what: str) -> None:
        self._acting.need(Right.REMEDIES, what, incident.cluster, incident.place.app)

    def _submit(self, place: Place, kind: RemedyKind, bound: "Bound") -> RemedyView:
        remedy = Remedy(
            id=secrets.token_hex(10),
            cluster=place.cluster,
            place=place,
            kind=kind,
            state=RemedyState.REQUESTED,
            asked_at=self._clock(),
            actor=self._acting.actor.called,
            incident=bound.incident,
            guid=bound.guid,
            node=bound.node,
            pid=bound.pid,
            verdict=bound.verdict,
            repair=bound.repair,
            strategy=bound.strategy,
            scale=bound.scale,
        )
        action = "approve" if bound.incident else _ACTIONS[kind]
        entry = did(action, place.name, f"{kind}, {bound.text}, order {remedy.id}", place.cluster)
        self._acting.note(replace(entry, before=bound.before, after=bound.after))
        self._requests.submit(remedy)
        return remedy_view(remedy)


_ACTIONS = {
    RemedyKind.RESTART_INSTANCE: "restart",
    RemedyKind.RECYCLE: "recycle",
    RemedyKind.RESTART_APP: "restart-app",
    RemedyKind.SCALE: "scale",
}
_DOES = {RemedyKind.RESTART_INSTANCE: "restart a worker", RemedyKind.RECYCLE: "recycle a worker"}
DONE = {Deed.HOLD: "held", Deed.RELEASE: "released", Deed.CLOSE: "closed"}


class Bound(NamedTuple):
    """What an order is bound to: it lapses when this is no longer what is there. An order for an app says what it is."""

    guid: str | None = None
    node: str | None = None
    pid: int | None = None
    incident: str | None = None
    verdict: Verdict | None = None
    repair: Repair | None = None
    strategy: Strategy = Strategy.ROLLING
    scale: Scale | None = None

    @property
    def text(self) -> str:
        """Return it in words for the audit trail."""
        if self.repair:
            return self.repair.text
        if self.scale:
            drained = "" if self.scale.drain else " without draining"
            return f"process {self.scale.process} from {self.scale.before} to {self.scale.wanted}{drained}"
        return f"guid {self.guid}" if self.guid else f"all its instances, {self.strategy}"

    @property
    def before(self) -> str:
        """Return what is there when the order is given, where the order says so."""
        return f"{self.scale.before} instances" if self.scale else self.verdict.value if self.verdict else ""

    @property
    def after(self) -> str:
        """Return what there is to be, where the order says so."""
        return f"{self.scale.wanted} instances" if self.scale else ""


def _one_process(app: App, process: str | None) -> str:
    """Return which process type is meant."""
    there = sorted(one.type for one in app.processes)
    if not there:
        raise MissingError(f"The platform {app.platform} shows no process of {app.name}.")
    process = process or meant(app)
    if process is None:
        raise ConflictError(f"{app.name} has {len(there)} processes: {', '.join(there)}. Name the process.")
    if process not in there:
        raise MissingError(f"{app.name} has no process {process!r}; it has: {', '.join(there)}.")
    return process


def _not_held(incident: Incident) -> None:
    if incident.held_by:
        raise ConflictError(
            f"{incident.held_by} holds the incident of {incident.place.name} ({incident.held_why}): release it first."
        )
