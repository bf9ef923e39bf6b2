"""Apps, and starting, stopping and restarting them."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Here, Writer, reads
from celeriac.emulator.audit import Party
from celeriac.emulator.entities import App
from celeriac.emulator.errors import not_found
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.listing import ListQuery

router = APIRouter(prefix="/v3/apps")

_FILTERS = ("names", "guids", "space_guids", "organization_guids")


@router.get("", dependencies=[reads])
def list_apps(request: Request, here: Here) -> dict[str, Any]:
    """List the apps that pass the filters."""
    query = ListQuery(request.query_params, _FILTERS, ("name", "state"))
    kept = [
        app
        for app in here.controller.apps()
        if query.keeps_name("names", app.name)
        and query.keeps("guids", app.guid)
        and query.keeps("space_guids", here.controller.space.guid)
        and query.keeps("organization_guids", here.controller.org.guid)
    ]
    return query.paginate(kept, lambda app: _render(here, app), f"{here.url}/v3/apps")


@router.get("/{guid}", dependencies=[reads])
def show_app(guid: str, here: Here) -> dict[str, Any]:
    """Show one app."""
    return _render(here, find_app(here, guid))


@router.post("/{guid}/actions/start")
def start_app(guid: str, here: Here, actor: Writer) -> dict[str, Any]:
    """Start an app."""
    return _act(here, guid, actor, here.controller.start)


@router.post("/{guid}/actions/stop")
def stop_app(guid: str, here: Here, actor: Writer) -> dict[str, Any]:
    """Stop an app."""
    return _act(here, guid, actor, here.controller.stop)


@router.post("/{guid}/actions/restart")
def restart_app(guid: str, here: Here, actor: Writer) -> dict[str, Any]:
    """Restart an app."""
    return _act(here, guid, actor, here.controller.restart)


def find_app(here: Foundation, guid: str) -> App:
    """Return an app, or raise `ApiError` 404."""
    app = here.controller.app(guid)
    if app is None:
        raise not_found("App")
    return app


def _act(here: Foundation, guid: str, actor: Party, action: Callable[[str, Party], App]) -> dict[str, Any]:
    return _render(here, action(find_app(here, guid).guid, actor))


def _render(here: Foundation, app: App) -> dict[str, Any]:
    return here.presenters.app(app, here.controller.space)
