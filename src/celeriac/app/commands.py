"""Everything that people can order, once, for pages, API and command line alike: stored as requests, done by the keeper."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from celeriac.app.queries import Queries
from celeriac.app.shaping import approvable, remedy_view
from celeriac.app.views import RemedyView
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.incident import Remedy, RemedyKind, RemedyState
from celeriac.core.model import Place
from celeriac.ports import Journal, Requests


class Commands:
    """Orders to the keeper; each returns at once with the stored request, its outcome shows in the incident."""

    def __init__(self, queries: Queries, journal: Journal, requests: Requests, clock: Callable[[], float]) -> None:
        self._queries = queries
        self._journal = journal
        self._requests = requests
        self._clock = clock

    def restart(self, worker: str, actor: str) -> RemedyView:
        """Ask the keeper to restart one worker's instance, as it is now; raises ConflictError where it has none."""
        seen = self._queries.worker(worker)
        board = self._journal.board(seen.cluster)
        finding = next((one for one in board.findings if one.place.id == seen.id), None) if board else None
        if finding is None or finding.site is None or finding.site.instance is None or finding.guid is None:
            raise ConflictError(f"{seen.name} has no running platform instance that could be restarted.")
        bound = Bound(finding.guid, finding.node, finding.pid)
        return self._submit(finding.place, RemedyKind.RESTART_INSTANCE, actor, bound)

    def approve(self, incident: str, actor: str) -> RemedyView:
        """Let the keeper do what an incident is held for, as long as its evidence still stands."""
        found = self._journal.incident(incident)
        if found is None:
            raise MissingError(f"No incident {incident!r} is known.")
        if not approvable(found):
            why = found.held_reason or found.state
            raise ConflictError(f"The incident of {found.place.name} is {why}: there is nothing to approve.")
        bound = Bound(found.guid, found.node, found.pid, incident=found.id)
        return self._submit(found.place, found.remedy, actor, bound)

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
        )
        self._requests.submit(remedy)
        return remedy_view(remedy)


class Bound(NamedTuple):
    """What an order is bound to: it lapses when this is no longer what is there."""

    guid: str | None
    node: str | None
    pid: int | None
    incident: str | None = None
