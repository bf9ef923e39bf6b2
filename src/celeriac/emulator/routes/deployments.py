"""Deployments: begin one, look at it, cancel it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from celeriac.emulator.access import Here, JsonBody, Writer, reads
from celeriac.emulator.deployments import Deployment
from celeriac.emulator.errors import not_found, unprocessable
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.listing import ListQuery

router = APIRouter(prefix="/v3/deployments")

_NO_APP = "Unable to use app. Ensure that the app exists and you have access to it."


@router.get("", dependencies=[reads])
def list_deployments(request: Request, here: Here) -> dict[str, Any]:
    """List the deployments that pass the filters."""
    query = ListQuery(request.query_params, ("app_guids", "status_values", "status_reasons"))
    kept = [
        one
        for one in here.deployments.all()
        if query.keeps("app_guids", one.app_guid)
        and query.keeps("status_values", one.value)
        and query.keeps("status_reasons", one.reason)
    ]
    return query.paginate(kept, here.presenters.deployment, f"{here.url}/v3/deployments")


@router.get("/{guid}", dependencies=[reads])
def show_deployment(guid: str, here: Here) -> dict[str, Any]:
    """Show one deployment."""
    return here.presenters.deployment(_find(here, guid))


@router.post("", status_code=201)
def create_deployment(here: Here, actor: Writer, body: JsonBody) -> dict[str, Any]:
    """Begin a rolling deployment of an app."""
    if body.get("strategy", "rolling") != "rolling":
        raise unprocessable(f"Strategy '{body['strategy']}' is not a supported deployment strategy")
    app = here.controller.app(_app_guid(body))
    if app is None:
        raise unprocessable(_NO_APP)
    in_flight = (body.get("options") or {}).get("max_in_flight", 1)
    if not isinstance(in_flight, int) or isinstance(in_flight, bool) or in_flight < 1:
        raise unprocessable("Max in flight must be greater than 0")
    return here.presenters.deployment(here.deployments.create(app.guid, in_flight, actor))


@router.post("/{guid}/actions/cancel")
def cancel_deployment(guid: str, here: Here, actor: Writer) -> Response:
    """Cancel an active deployment."""
    one = _find(here, guid)
    if not here.deployments.cancel(guid, actor):
        raise unprocessable(f"Cannot cancel a deployment with status: {one.value} and reason: {one.reason}")
    return Response(status_code=200)


def _find(here: Foundation, guid: str) -> Deployment:
    for one in here.deployments.all():
        if one.guid == guid:
            return one
    raise not_found("Deployment")


def _app_guid(body: Mapping[str, Any]) -> str:
    try:
        return str(body["relationships"]["app"]["data"]["guid"])
    except (KeyError, TypeError):
        raise unprocessable(_NO_APP) from None
