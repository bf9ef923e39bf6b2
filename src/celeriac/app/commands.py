"""Everything that people can order, once, for pages, API and command line alike: stored as requests, done by the keeper.

Each order is in the audit trail before it is stored, so that nothing is done of which nobody knows who wanted it.
"""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from celeriac.app.order_views import OrderView
from celeriac.app.queries import Queries
from celeriac.app.recycling import no_recycling
from celeriac.app.shaping import approvable, order_view, remedy_view
from celeriac.app.views import RemedyView
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.handling import refused
from celeriac.core.incident import Deed, Incident, Remedy, RemedyKind, RemedyState, Word
from celeriac.core.model import Place, Verdict
from celeriac.core.repair import Repair
from celeriac.ports import Audit, AuditEntry, Journal, Requests


class Commands:
    """Orders to the keeper; each returns at once with the stored request, its outcome shows in the incident."""

    def __init__(
        self, queries: Queries, journal: Journal, requests: Requests, clock: Callable[[], float], audit: Audit
    ) -> None:
        self._queries = queries
        self._journal = journal
        self._requests = requests
        self._clock = clock
        self._audit = audit
        self.pausing = queries.pausing

    def restart(self, worker: str, actor: str) -> RemedyView:
        """Ask the keeper to restart one worker's instance, as it is now; raises ConflictError where it has none."""
        return self._order(worker, RemedyKind.RESTART_INSTANCE, actor)

    def recycle(self, worker: str, actor: str) -> RemedyView:
        """Ask the keeper to end one worker once its tasks have ended; raises ConflictError where it cannot be recycled."""
        return self._order(worker, RemedyKind.RECYCLE, actor)

    def restart_app(self, app: str, actor: str, cluster: str | None = None) -> RemedyView:
        """Ask the keeper to restart an app's instances, one at a time; raises ConflictError where the name is no one app's."""
        found = [one for one in self._queries.apps(cluster) if app in (one.id, one.name)]
        if not found:
            raise MissingError(f"No app {app!r} is watched.")
        if len(found) > 1:
            clusters = ", ".join(one.cluster for one in found)
            raise ConflictError(f"{app!r} is watched in more than one cluster: {clusters}. Name the cluster.")
        place = Place(found[0].cluster, found[0].platform, found[0].name)
        for one in self._journal.incidents(place.cluster, open_only=True, limit=1000):
            if one.place == place:
                _not_held(one)
        return self._submit(place, RemedyKind.RESTART_APP, actor, Bound(None, None, None))

    def _order(self, worker: str, kind: RemedyKind, actor: str) -> RemedyView:
        seen = self._queries.worker(worker)
        board = self._journal.board(seen.cluster)
        finding = next((one for one in board.findings if one.place.id == seen.id), None) if board else None
        if board is None or finding is None or finding.site is None or finding.guid is None:
            raise ConflictError(f"{seen.name} has no running platform instance that could be restarted.")
        if kind is RemedyKind.RECYCLE and (no := no_recycling(finding, board)):
            raise ConflictError(f"{seen.name} cannot be recycled: {no}.")
        if seen.incident:
            _not_held(self._incident(seen.incident))
        bound = Bound(finding.guid, finding.node, finding.pid)
        return self._submit(finding.place, kind, actor, bound)

    def approve(self, incident: str, actor: str) -> RemedyView:
        """Let the keeper do what an incident is held for, as long as its evidence still stands."""
        found = self._incident(incident)
        _not_held(found)
        if not approvable(found):
            why = found.held_reason or found.state
            raise ConflictError(f"The incident of {found.place.name} is {why}: there is nothing to approve.")
        bound = Bound(found.guid, found.node, found.pid, incident=found.id, verdict=found.verdict, repair=found.repair)
        return self._submit(found.place, found.remedy, actor, bound)

    def hold(self, incident: str, actor: str, why: str) -> OrderView:
        """Have the keeper do nothing for an incident until somebody releases it."""
        return self._say(incident, Deed.HOLD, actor, why)

    def release(self, incident: str, actor: str, why: str = "") -> OrderView:
        """Have the keeper judge an incident again that somebody holds."""
        return self._say(incident, Deed.RELEASE, actor, why)

    def close(self, incident: str, actor: str, why: str = "") -> OrderView:
        """End an incident's story; the same process with the same verdict opens no other one for an hour."""
        return self._say(incident, Deed.CLOSE, actor, why)

    def _say(self, incident: str, deed: Deed, actor: str, why: str) -> OrderView:
        found, now = self._incident(incident), self._clock()
        if no := refused(found, deed):
            raise ConflictError(f"The incident of {found.place.name} cannot be {DONE[deed]}: {no}.")
        word = Word(secrets.token_hex(10), found.cluster, found.id, deed, actor, now, why)
        self._note(found.cluster, actor, deed.value, found.place.name, why or f"incident {found.id}")
        self._requests.say(word)
        return order_view(word)

    def _incident(self, id: str) -> Incident:
        found = self._journal.incident(id)
        if found is None:
            raise MissingError(f"No incident {id!r} is known.")
        return found

    def _submit(self, place: Place, kind: RemedyKind, actor: str, bound: "Bound") -> RemedyView:
        remedy = Remedy(
            id=secrets.token_hex(10),
            cluster=place.cluster,
            place=place,
            kind=kind,
            state=RemedyState.REQUESTED,
            asked_at=self._clock(),
            actor=actor,
            incident=bound.incident,
            guid=bound.guid,
            node=bound.node,
            pid=bound.pid,
            verdict=bound.verdict,
            repair=bound.repair,
        )
        what = bound.repair.text if bound.repair else f"guid {bound.guid}" if bound.guid else "all its instances"
        action = "approve" if bound.incident else _ACTIONS[kind]
        self._note(place.cluster, actor, action, place.name, f"{kind}, {what}, order {remedy.id}")
        self._requests.submit(remedy)
        return remedy_view(remedy)

    def _note(self, cluster: str, actor: str, action: str, target: str, outcome: str) -> None:
        self._audit.note(AuditEntry(self._clock(), actor, action, target, outcome, cluster))


_ACTIONS = {
    RemedyKind.RESTART_INSTANCE: "restart",
    RemedyKind.RECYCLE: "recycle",
    RemedyKind.RESTART_APP: "restart-app",
}
DONE = {Deed.HOLD: "held", Deed.RELEASE: "released", Deed.CLOSE: "closed"}


class Bound(NamedTuple):
    """What an order is bound to: it lapses when this is no longer what is there."""

    guid: str | None
    node: str | None
    pid: int | None
    incident: str | None = None
    verdict: Verdict | None = None
    repair: Repair | None = None


def _not_held(incident: Incident) -> None:
    if incident.held_by:
        raise ConflictError(
            f"{incident.held_by} holds the incident of {incident.place.name} ({incident.held_why}): release it first."
        )
