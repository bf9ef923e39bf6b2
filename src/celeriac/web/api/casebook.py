"""What is kept beside an incident, over HTTP: tasks that were in flight, evidence, and the moment of decision."""

from fastapi import APIRouter
from fastapi.responses import Response

from celeriac.app.casebook_views import CasualtiesView, KeptView
from celeriac.web.api.answers import MISSING, IncidentId
from celeriac.web.deps import Reads

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents/{id}/tasks", summary="Tell what became of the tasks in flight", responses=MISSING)
def casualties(id: IncidentId, queries: Reads) -> CasualtiesView:
    """Return the tasks that were in flight when the incident's worker died, the lost ones first, each with its fate."""
    return queries.casebook.casualties(id)


@router.get("/incidents/{id}/evidence", summary="Show what was kept before a kill or after a crash", responses=MISSING)
def evidence(id: IncidentId, queries: Reads) -> KeptView:
    """Return logs, tasks, statistics and platform events of the worker, as they were right before it was killed."""
    return queries.casebook.kept(id)


@router.get(
    "/incidents/{id}/snapshot",
    summary="Give the moment of decision",
    response_class=Response,
    responses={**MISSING, 200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def snapshot(id: IncidentId, queries: Reads) -> Response:
    """Return what the keeper saw when it opened the incident or acted on it, for `celeriac plan --snapshot`."""
    return Response(queries.casebook.snapshot(id), media_type="application/json")
