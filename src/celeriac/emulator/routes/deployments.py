"""Deployments: begin one, look at it, cancel it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from celeriac.emulator.access import JsonBody, Reader, Writer
from celeriac.emulator.deployments import Deployment
from celeriac.emulator.errors import not_found, unprocessable
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3/deployments")

_NO_APP = "Unable to use app. Ensure that the app exists and you have access to it."


@router.get("")
def list_deployments(request: Request, view: Reader) -> dict[str, Any]:
    """List the deployments that pass the filters."""
    query = ListQuery(request.query_params, ("app_guids", "status_values", "status_reasons"))
    kept = [
        one
        for one in view.here.deployments.all()
        if _reads(view, one)
        and query.keeps("app_guids", one.app_guid)
        and query.keeps("status_values", one.value)
        and query.keeps("status_reasons", one.reason)
    ]
    return query.paginate(kept, view.here.presenters.deployment, f"{view.here.url}/v3/deployments")


@router.get("/{guid}")
def show_deployment(guid: str, view: Reader) -> dict[str, Any]:
    """Show one deployment."""
    return view.here.presenters.deployment(_find(view, guid))


@router.post("", status_code=201)
def create_deployment(view: Writer, body: JsonBody) -> dict[str, Any]:
    """Begin a rolling deployment of an app."""
    if body.get("strategy", "rolling") != "rolling":
        raise unprocessable(f"Strategy '{body['strategy']}' is not a supported deployment strategy")
    app = view.here.controller.app(_app_guid(body))
    if app is None or not view.may(Right.OPERATE, app.space_guid):
        raise unprocessable(_NO_APP)
    view.require_active(app.space_guid)
    in_flight = (body.get("options") or {}).get("max_in_flight", 1)
    if not isinstance(in_flight, int) or isinstance(in_flight, bool) or in_flight < 1:
        raise unprocessable("Max in flight must be greater than 0")
    made = view.here.deployments.create(app.guid, in_flight, view.actor)
    return view.here.presenters.deployment(made)


@router.post("/{guid}/actions/cancel")
def cancel_deployment(guid: str, view: Writer) -> Response:
    """Cancel an active deployment."""
    one = _find(view, guid)
    space_guid = view.app(one.app_guid).space_guid
    if not view.may(Right.OPERATE, space_guid):
        raise not_found("Deployment")
    view.require_active(space_guid)
    if not view.here.deployments.cancel(guid, view.actor):
        raise unprocessable(f"Cannot cancel a deployment with status: {one.value} and reason: {one.reason}")
    return Response(status_code=200)


def _reads(view: View, one: Deployment) -> bool:
    app = view.here.controller.app(one.app_guid)
    return app is not None and view.reads(app.space_guid)


def _find(view: View, guid: str) -> Deployment:
    for one in view.here.deployments.all():
        if one.guid == guid and _reads(view, one):
            return one
    raise not_found("Deployment")


def _app_guid(body: Mapping[str, Any]) -> str:
    try:
        return str(body["relationships"]["app"]["data"]["guid"])
    except (KeyError, TypeError):
        raise unprocessable(_NO_APP) from None
