"""What was pushed as an app and what was staged of it: each app has one package and one droplet, and neither holds bits."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Reader
from celeriac.emulator.entities import App
from celeriac.emulator.errors import not_found
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.presenters import HIDDEN, HIDDEN_IN_LISTS, Json, metadata, times, to
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3")

_READY, _STAGED = "READY", "STAGED"
_BITS = "bits"
_BUILDPACK = {"name": "python_buildpack", "detect_output": "python", "version": "", "buildpack_name": "python"}
_OF_APP = ("guids", "states")
_OF_ALL = (*_OF_APP, "app_guids", "space_guids", "organization_guids")


@router.get("/packages")
def list_packages(request: Request, view: Reader) -> dict[str, Any]:
    """List the packages that pass the filters."""
    return _list_packages(request, view, view.apps(), (*_OF_ALL, "types"))


@router.get("/apps/{guid}/packages")
def list_app_packages(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the one package of an app."""
    return _list_packages(request, view, [view.app(guid)], (*_OF_APP, "types"))


@router.get("/packages/{guid}")
def show_package(guid: str, view: Reader) -> dict[str, Any]:
    """Show one package."""
    return _package(view, _app_with(view, "Package", lambda app: app.package_guid == guid))


@router.get("/packages/{guid}/droplets")
def list_package_droplets(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the one droplet that was staged of a package."""
    app = _app_with(view, "Package", lambda app: app.package_guid == guid)
    return _list_droplets(request, view, [app], _OF_APP)


@router.get("/droplets")
def list_droplets(request: Request, view: Reader) -> dict[str, Any]:
    """List the droplets that pass the filters."""
    return _list_droplets(request, view, view.apps(), _OF_ALL)


@router.get("/apps/{guid}/droplets")
def list_app_droplets(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the one droplet of an app."""
    return _list_droplets(request, view, [view.app(guid)], (*_OF_APP, "current"))


@router.get("/apps/{guid}/droplets/current")
def show_current_droplet(guid: str, view: Reader) -> dict[str, Any]:
    """Show what an app runs."""
    return _single_droplet(view, view.app(guid))


@router.get("/droplets/{guid}")
def show_droplet(guid: str, view: Reader) -> dict[str, Any]:
    """Show one droplet."""
    return _single_droplet(view, _app_with(view, "Droplet", lambda app: app.droplet_guid == guid))


@router.get("/apps/{guid}/relationships/current_droplet")
def show_current_droplet_relationship(guid: str, view: Reader) -> dict[str, Any]:
    """Name what an app runs."""
    app, link = view.app(guid), view.here.presenters.link
    base = f"/v3/apps/{app.guid}"
    links = {"self": link(f"{base}/relationships/current_droplet"), "related": link(f"{base}/droplets/current")}
    return {**to(app.droplet_guid), "links": links}


def _app_with(view: View, what: str, fits: Callable[[App], bool]) -> App:
    for app in view.apps():
        if fits(app):
            return app
    raise not_found(what)


def _list_packages(request: Request, view: View, apps: Sequence[App], filters: Sequence[str]) -> dict[str, Any]:
    query = ListQuery(request.query_params, filters)
    kept = [app for app in apps if _keeps(view, query, app, app.package_guid, _READY) and query.keeps("types", _BITS)]
    return query.paginate(kept, lambda app: _package(view, app), view.here.url + request.url.path)


def _list_droplets(request: Request, view: View, apps: Sequence[App], filters: Sequence[str]) -> dict[str, Any]:
    query = ListQuery(request.query_params, filters)
    kept = [app for app in apps if _keeps(view, query, app, app.droplet_guid, _STAGED)]
    hidden = {"redacted_message": HIDDEN_IN_LISTS}
    return query.paginate(kept, lambda app: _droplet(view, app, hidden), view.here.url + request.url.path)


def _keeps(view: View, query: ListQuery, app: App, guid: str, state: str) -> bool:
    return (
        query.keeps("guids", guid)
        and query.keeps("states", state)
        and query.keeps("app_guids", app.guid)
        and query.keeps("space_guids", app.space_guid)
        and query.keeps("organization_guids", view.space_of(app).org.guid)
    )


def _package(view: View, app: App) -> Json:
    link, base = view.here.presenters.link, f"/v3/packages/{app.package_guid}"
    return {
        "guid": app.package_guid,
        "type": _BITS,
        "data": {"checksum": _checksum(app.package_guid), "error": None},
        "state": _READY,
        **times(app.created_at, app.created_at),
        "relationships": {"app": to(app.guid)},
        "links": {
            "self": link(base),
            "upload": link(f"{base}/upload", "POST"),
            "download": link(f"{base}/download", "GET"),
            "app": link(f"/v3/apps/{app.guid}"),
        },
        "metadata": metadata(),
    }


def _single_droplet(view: View, app: App) -> Json:
    if not view.may(Right.READ_SECRETS, app.space_guid):
        return _droplet(view, app, {"redacted_message": HIDDEN})
    commands = {each.type: each.command for each in view.here.controller.processes() if each.app_guid == app.guid}
    return _droplet(view, app, commands)


def _droplet(view: View, app: App, commands: Mapping[str, str]) -> Json:
    link, base = view.here.presenters.link, f"/v3/droplets/{app.droplet_guid}"
    return {
        "guid": app.droplet_guid,
        "state": _STAGED,
        "error": None,
        "lifecycle": {"type": "buildpack", "data": {}},
        "execution_metadata": "",
        "process_types": dict(commands),
        "checksum": _checksum(app.droplet_guid),
        "buildpacks": [dict(_BUILDPACK)],
        "stack": "cflinuxfs4",
        "image": None,
        **times(app.created_at, app.created_at),
        "relationships": {"app": to(app.guid)},
        "links": {
            "self": link(base),
            "package": link(f"/v3/packages/{app.package_guid}"),
            "app": link(f"/v3/apps/{app.guid}"),
            "assign_current_droplet": link(f"/v3/apps/{app.guid}/relationships/current_droplet", "PATCH"),
            "download": link(f"{base}/download"),
        },
        "metadata": metadata(),
    }


def _checksum(guid: str) -> Json:
    """Return one that stays the same as long as the thing does; there are no bits to sum."""
    return {"type": "sha256", "value": sha256(guid.encode()).hexdigest()}
