"""The API of what people decide themselves: to hold, release and close incidents, and to pause and resume everything."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from celeriac.app.order_views import OrderView, PauseView
from celeriac.app.report_views import ReportView
from celeriac.core.pauses import LONGEST_S
from celeriac.web.api.answers import LISTED, MISSING, ORDERED, Cluster, IncidentId, Items, Since
from celeriac.web.deps import Orders, Reads

NO_CONTROLS = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_CONTROLS)]
MaybeWhy = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=NO_CONTROLS)]

router = APIRouter(prefix="/api/v1")


class Body(BaseModel):
    """What comes with an order; a field that is misspelt is refused."""

    model_config = ConfigDict(extra="forbid")


class Reason(Body):
    """Why, for the incident's story and the audit trail."""

    reason: Why


class MaybeReason(Body):
    """Why, where a reason may be left out."""

    reason: MaybeWhy = ""


class PauseOrder(Body):
    """Why, for how long, and for which cluster; for all, if none is named."""

    reason: Why
    for_s: float = Field(gt=0, le=LONGEST_S, description="for how many seconds; 30 days at most")
    cluster: str | None = None


class ResumeOrder(Body):
    """Which cluster's pauses end; all, if none is named."""

    cluster: str | None = None


@router.post(
    "/incidents/{id}/hold",
    tags=["incidents"],
    summary="Hold an incident",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def hold(id: IncidentId, body: Reason, commands: Orders) -> OrderView:
    """Have the keeper do nothing for this incident until somebody releases it."""
    return commands.hold(id, body.reason)


@router.post(
    "/incidents/{id}/release",
    tags=["incidents"],
    summary="Release an incident that somebody holds",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def release(id: IncidentId, commands: Orders, body: MaybeReason | None = None) -> OrderView:
    """Have the keeper judge this incident again."""
    return commands.release(id, body.reason if body else "")


@router.post(
    "/incidents/{id}/close",
    tags=["incidents"],
    summary="Close an incident",
    status_code=HTTPStatus.ACCEPTED,
    responses=ORDERED,
)
def close(id: IncidentId, commands: Orders, body: MaybeReason | None = None) -> OrderView:
    """End this incident's story; the same process with the same verdict opens no other one for an hour."""
    return commands.close(id, body.reason if body else "")


@router.get("/orders/{id}", tags=["incidents"], summary="Show how far an order is", responses=MISSING)
def order(id: Annotated[str, Path(description="the order's id")], queries: Reads) -> OrderView:
    """Return an order to hold, release or close; approvals and restarts are remedies."""
    return queries.order(id)


@router.get("/report", tags=["incidents"], summary="Tell what `auto` would have restarted", responses=LISTED)
def report(queries: Reads, cluster: Cluster = None, since: Since = None) -> ReportView:
    """Return each restart that would have been made in `auto`, and what became of it without; seven days by default."""
    return queries.reports.report(cluster, since=since)


@router.get("/pauses", tags=["pauses"], summary="List the pauses that hold now", responses=LISTED)
def pauses(queries: Reads, cluster: Cluster = None) -> Items[PauseView]:
    """Return the pauses that people have ordered; a file PAUSE shows in the clusters only."""
    return Items(items=queries.pausing.standing(cluster))


@router.post("/pause", tags=["pauses"], summary="Pause all restarts", status_code=HTTPStatus.CREATED, responses=ORDERED)
def pause(body: PauseOrder, commands: Orders) -> PauseView:
    """Let nothing be restarted, not even by order, from the keeper's next cycle on until the pause ends."""
    return commands.pausing.pause(body.reason, body.for_s, body.cluster)


@router.post("/resume", tags=["pauses"], summary="End pauses before their time", responses=ORDERED)
def resume(commands: Orders, body: ResumeOrder | None = None) -> Items[PauseView]:
    """End the pauses that stand, and return them; a file PAUSE and the mode `observe` go on."""
    return Items(items=commands.pausing.resume(body.cluster if body else None))
