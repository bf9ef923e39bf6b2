"""The orders that the console's page can give; each is answered by a notice that says where to follow it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from celeriac.app.commands import Scaled
from celeriac.app.queries import Queries
from celeriac.app.views import RemedyView
from celeriac.core.incident import RemedyKind, Strategy
from celeriac.core.pauses import LONGEST_S
from celeriac.web.api.app_orders import RestartOrder, ScaleOrder
from celeriac.web.api.handling import Body, MaybeWhy, Why
from celeriac.web.deps import Orders, Reads
from celeriac.web.pages.templating import render

HOUR_S = 3600.0
SOON = "The keeper takes it up within its next cycle, and the incident tells it."

Reason = Annotated[Why, Form()]
MaybeReason = Annotated[MaybeWhy, Form()]
Hours = Annotated[float, Form(gt=0, le=LONGEST_S / HOUR_S)]

router = APIRouter(include_in_schema=False)


class RestartForm(RestartOrder):
    """The same order as the API's, from the page."""

    cluster: str


class InstanceForm(Body):
    """Which cluster's app it is, and which index of which of its process types."""

    cluster: str
    process: str
    index: int = Field(ge=0)


class ScaleForm(ScaleOrder):
    """The same order as the API's, from the page's form: a box that is not ticked is not sent."""

    cluster: str
    drain: bool = False


WHAT = {
    RemedyKind.LIVE_REPAIR: "Repair",
    RemedyKind.RECYCLE: "Recycling",
    RemedyKind.RESTART_APP: "Rolling restart",
}
"""What people call a remedy that is no restart of one instance."""


@router.post("/workers/{id}/restart")
def restart(request: Request, id: str, commands: Orders, queries: Reads) -> HTMLResponse:
    """Order a restart and say where to follow it."""
    name = queries.worker(id).name
    return _ordered(request, f"Restart of {name} is ordered", commands.restart(id))


@router.post("/workers/{id}/recycle")
def recycle(request: Request, id: str, commands: Orders, queries: Reads) -> HTMLResponse:
    """Order a recycling and say where to follow it."""
    name = queries.worker(id).name
    return _ordered(request, f"Recycling of {name} is ordered", commands.recycle(id))


@router.post("/apps/{id}/restart")
def restart_app(
    request: Request, id: str, commands: Orders, queries: Reads, order: Annotated[RestartForm, Form()]
) -> HTMLResponse:
    """Order the restart of an app and say where to follow it."""
    remedy = commands.restart_app(id, order.cluster, order.strategy)
    what = "Rolling restart" if order.strategy is Strategy.ROLLING else "Restart of all instances"
    return _ordered(request, f"{what} of {_app_name(queries, id, order.cluster)} is ordered", remedy)


@router.post("/apps/{id}/instances/restart")
def restart_instance(
    request: Request,
    id: str,
    commands: Orders,
    queries: Reads,
    order: Annotated[InstanceForm, Form()],
) -> HTMLResponse:
    """Order the restart of one index of an app and say where to follow it."""
    remedy = commands.restart_instance(id, order.index, order.cluster, order.process)
    name = f"{_app_name(queries, id, order.cluster)} {order.process} {order.index}"
    return _ordered(request, f"Restart of {name} is ordered", remedy)


@router.post("/apps/{id}/scale")
def scale(
    request: Request, id: str, commands: Orders, queries: Reads, order: Annotated[ScaleForm, Form()]
) -> HTMLResponse:
    """Order another number of instances and say where to follow it."""
    remedy = commands.scale(id, Scaled(order.instances, order.process, order.drain), order.cluster)
    name = _app_name(queries, id, order.cluster)
    return _ordered(request, f"Scaling of {name} to {order.instances} instances is ordered", remedy)


@router.post("/incidents/{id}/approve")
def approve(request: Request, id: str, commands: Orders, queries: Reads) -> HTMLResponse:
    """Approve a remedy and say where to follow it."""
    found = queries.incident(id)
    what = WHAT.get(found.remedy, "Restart")
    return _ordered(request, f"{what} of {found.worker_name} is approved", commands.approve(id))


@router.post("/incidents/{id}/hold")
def hold(request: Request, id: str, commands: Orders, queries: Reads, reason: Reason) -> HTMLResponse:
    """Hold an incident."""
    commands.hold(id, reason)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be held", SOON)


@router.post("/incidents/{id}/release")
def release(request: Request, id: str, commands: Orders, queries: Reads) -> HTMLResponse:
    """Release an incident that somebody holds."""
    commands.release(id)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be judged again", SOON)


@router.post("/incidents/{id}/close")
def close(request: Request, id: str, commands: Orders, queries: Reads, reason: MaybeReason = "") -> HTMLResponse:
    """Close an incident."""
    commands.close(id, reason)
    return _noticed(request, f"The incident of {queries.incident(id).worker_name} will be closed", SOON)


@router.post("/pause")
def pause(
    request: Request, commands: Orders, reason: Reason, hours: Hours, cluster: Annotated[str, Form()]
) -> HTMLResponse:
    """Pause one cluster."""
    one = commands.pausing.pause(reason, hours * HOUR_S, cluster)
    return _noticed(
        request, f"{cluster} is paused", f"Nothing is restarted there until {one.until:%Y-%m-%d %H:%M} UTC."
    )


@router.post("/resume")
def resume(request: Request, commands: Orders, cluster: Annotated[str | None, Form()] = None) -> HTMLResponse:
    """End the pauses of one cluster, or all that stand."""
    commands.pausing.resume(cluster)
    return _noticed(request, f"{cluster or 'All clusters'} resumed", "The keeper goes on with its next cycle.")


@router.post("/break-glass/{id}/seen")
def break_glass_seen(request: Request, id: str, commands: Orders) -> HTMLResponse:
    """Mark a break-glass sign-on as seen."""
    use = commands.break_glass.seen(id)
    return _noticed(
        request, f"The sign-on of {use.name} is marked as seen", "The audit trail keeps it, and who has seen it."
    )


def _app_name(queries: Queries, id: str, cluster: str) -> str:
    return next(one.name for one in queries.apps(cluster) if id in (one.id, one.name))


def _ordered(request: Request, title: str, remedy: RemedyView) -> HTMLResponse:
    text = f"The keeper acts on it within its next cycle, and the incident below tells how it goes. Order {remedy.id}."
    return _noticed(request, title, text)


def _noticed(request: Request, title: str, text: str) -> HTMLResponse:
    shown = {"tone": "good", "title": title, "text": text}
    return render(request, "partials/notice.html", shown, status=HTTPStatus.ACCEPTED)
