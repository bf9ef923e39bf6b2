"""Everything that people can order, once, for pages, API and command line alike: stored as requests, done by the keeper."""

import secrets
from collections.abc import Callable

from celeriac.app.queries import Queries
from celeriac.app.shaping import approvable, remedy_view
from celeriac.app.views import RemedyView
from celeriac.core.errors import ConflictError, MissingError
from celeriac.core.incident import Remedy, RemedyKind, RemedyState
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
        return self._submit(
            Remedy(
                id=secrets.token_hex(10),
                cluster=seen.cluster,
                place=finding.place,
                kind=RemedyKind.RESTART_INSTANCE,
                state=RemedyState.REQUESTED,
                asked_at=self._clock(),
                actor=actor,
                guid=finding.guid,
                node=finding.node,
                pid=finding.pid,
            )
        )

    def approve(self, incident: str, actor: str) -> RemedyView:
        """Let the keeper do what an incident is held for, as long as its evidence still stands."""
        found = self._journal.incident(incident)
        if found is None:
            raise MissingError(f"No incident {incident!r} is known.")
        if not approvable(found):
            why = found.held_reason or found.state
            raise ConflictError(f"The incident of {found.place.name} is {why}: there is nothing to approve.")
        return self._submit(
            Remedy(
                id=secrets.token_hex(10),
                cluster=found.cluster,
                place=found.place,
                kind=found.remedy,
                state=RemedyState.REQUESTED,
                asked_at=self._clock(),
                actor=actor,
                incident=found.id,
                guid=found.guid,
                node=found.node,
                pid=found.pid,
            )
        )

    def _submit(self, remedy: Remedy) -> RemedyView:
        self._requests.submit(remedy)
        return remedy_view(remedy)
