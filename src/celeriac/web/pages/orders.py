"""The orders that the console's page can give; each is answered by a notice that says where to follow it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from celeriac.app.views import RemedyView
from celeriac.core.incident import RemedyKind
from celeriac.core.pauses import LONGEST_S
from celeriac.web.api.handling import MaybeWhy, Why
from celeriac.web.deps import Actor, Orders, Reads
from celeriac.web.pages.templating import render

HOUR_S = 3600.0
SOON = "The keeper takes it up within its next cycle, and the incident tells it."

Reason = Annotated[Why, Form()]
MaybeReason = Annotated[MaybeWhy, Form()]
Hours = Annotated[float, Form(gt=0, le=LONGEST_S / HOUR_S)]

router = APIRouter(include_in_schema=False)

WHAT = {
    RemedyKind.LIVE_REPAIR: "Repair",
    RemedyKind.RECYCLE: "Recycling",
    RemedyKind.RESTART_APP: "Rolling restart",
}
"""What people call a remedy that is no restart of one instance."""


@router.post("/workers/{id}/restart")
def restart(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Order a restart and say where to follow it."""
    name = queries.worker(id).name
    return _ordered(request, f"Restart of {name} is ordered", commands.restart(id, actor))


@router.post("/workers/{id}/recycle")
def recycle(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Order a recycling and say where to follow it."""
    name = queries.worker(id).name
    return _ordered(request, f"Recycling of {name} is ordered", commands.recycle(id, actor))


@router.post("/apps/{id}/restart")
def restart_app(
    request: Request, id: str, commands: Orders, queries: Reads, actor: Actor, cluster: Annotated[str, Form()]
) -> HTMLResponse:
    """Order a rolling restart and say where to follow it."""
    remedy = commands.restart_app(id, actor, cluster)
    name = next(one.name for one in queries.apps(cluster) if id in (one.id, one.name))
    return _ordered(request, f"Rolling restart of {name} is ordered", remedy)


@router.post("/incidents/{id}/approve")
def approve(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Approve a remedy and say where to follow it."""
    found = queries.incident(id)
    what = WHAT.get(found.remedy, "Restart")
    return _ordered(request, f"{what} of {found.worker_name} is approved", commands.approve(id, actor))


@router.post("/incidents/{id}/hold")
def hold(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor, reason: Reason) -> HTMLResponse:
    """Hold an incident."""
    commands.hold(id, actor, reason)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be held", SOON)


@router.post("/incidents/{id}/release")
def release(request: Request, id: str, commands: Orders, queries: Reads, actor: Actor) -> HTMLResponse:
    """Release an incident that somebody holds."""
    commands.release(id, actor)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be judged again", SOON)


@router.post("/incidents/{id}/close")
def close(
    request: Request, id: str, commands: Orders, queries: Reads, actor: Actor, reason: MaybeReason = ""
) -> HTMLResponse:
    """Close an incident."""
    commands.close(id, actor, reason)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be closed", SOON)


@router.post("/pause")
def pause(
    request: Request, commands: Orders, actor: Actor, reason: Reason, hours: Hours, cluster: Annotated[str, Form()]
) -> HTMLResponse:
    """Pause one cluster."""
    one = commands.pausing.pause(reason, hours * HOUR_S, actor, cluster)
    return _noticed(
        request, f"{cluster} is paused", f"Nothing is restarted there until {one.until:%Y-%m-%d %H:%M} UTC."
    )


@router.post("/resume")
def resume(
    request: Request, commands: Orders, actor: Actor, cluster: Annotated[str | None, Form()] = None
) -> HTMLResponse:
    """End the pauses of one cluster, or all that stand."""
    commands.pausing.resume(actor, cluster)
    return _noticed(request, f"{cluster or 'All clusters'} resumed", "The keeper goes on with its next cycle.")


def _ordered(request: Request, title: str, remedy: RemedyView) -> HTMLResponse:
    text = f"The keeper acts on it within its next cycle, and the incident below tells how it goes. Order {remedy.id}."
    return _noticed(request, title, text)


def _noticed(request: Request, title: str, text: str) -> HTMLResponse:
    shown = {"tone": "good", "title": title, "text": text}
    return render(request, "partials/notice.html", shown, status=HTTPStatus.ACCEPTED)
