"""Routes of apps, found all together or by app."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Reader
from celeriac.emulator.app_routes import AppRoute, routes_of
from celeriac.emulator.entities import WEB, App, stable_guid
from celeriac.emulator.errors import not_found
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.presenters import Json, metadata, times, to
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3")

_FILTERS = ("hosts", "paths", "ports", "app_guids", "space_guids", "organization_guids", "domain_guids")
_PORT = 8080
_PROTOCOLS = {"http": "http1", "tcp": "tcp"}


@router.get("/routes")
def list_routes(request: Request, view: Reader) -> dict[str, Any]:
    """List the routes that pass the filters."""
    query = ListQuery(request.query_params, _FILTERS)
    kept = [
        route
        for route in routes_of(view.apps())
        if any(query.keeps("app_guids", app.guid) for app in route.apps)
        and query.keeps("space_guids", route.space_guid)
        and query.keeps("organization_guids", view.space_of(route.apps[0]).org.guid)
    ]
    return _list(view, query, kept, "/v3/routes")


@router.get("/routes/{guid}")
def show_route(guid: str, view: Reader) -> dict[str, Any]:
    """Show one route."""
    for route in routes_of(view.apps()):
        if route.guid == guid:
            return _shown(view, route)
    raise not_found("Route")


@router.get("/apps/{guid}/routes")
def list_app_routes(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the routes that lead to one app."""
    app = view.app(guid)
    query = ListQuery(request.query_params, _FILTERS)
    kept = [route for route in routes_of(view.apps()) if app.guid in {each.guid for each in route.apps}]
    return _list(view, query, kept, f"/v3/apps/{guid}/routes")


def _list(view: View, query: ListQuery, routes: Iterable[AppRoute], path: str) -> dict[str, Any]:
    kept = [
        route
        for route in routes
        if query.keeps("hosts", route.host)
        and query.keeps("paths", route.path)
        and query.keeps("ports", str(route.port or ""))
        and query.keeps("domain_guids", route.domain_guid)
    ]
    return query.paginate(kept, lambda route: _shown(view, route), view.here.url + path)


def _shown(view: View, route: AppRoute) -> Json:
    link, base = view.here.presenters.link, f"/v3/routes/{route.guid}"
    return {
        "guid": route.guid,
        "protocol": route.protocol,
        "port": route.port,
        **times(route.created_at, route.updated_at),
        "host": route.host,
        "path": route.path,
        "url": route.url,
        "destinations": [_destination(route, app) for app in route.apps],
        "options": {},
        "metadata": metadata(),
        "relationships": {"space": to(route.space_guid), "domain": to(route.domain_guid)},
        "links": {
            "self": link(base),
            "space": link(f"/v3/spaces/{route.space_guid}"),
            "domain": link(f"/v3/domains/{route.domain_guid}"),
            "destinations": link(f"{base}/destinations"),
        },
    }


def _destination(route: AppRoute, app: App) -> Json:
    return {
        "guid": stable_guid(route.guid, app.guid),
        "app": {"guid": app.guid, "process": {"type": WEB}},
        "weight": None,
        "port": _PORT,
        "protocol": _PROTOCOLS[route.protocol],
        **times(route.created_at, route.updated_at),
    }
