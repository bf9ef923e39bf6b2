"""Apps: finding them, starting, stopping and restarting them, and the labels that people give them."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import JsonBody, Reader, Writer
from celeriac.emulator.app_config import is_label
from celeriac.emulator.audit import Party
from celeriac.emulator.entities import App
from celeriac.emulator.errors import unprocessable
from celeriac.emulator.labels import selects
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3/apps")

_FILTERS = ("names", "guids", "space_guids", "organization_guids", "label_selector", "include")
_INCLUDES = ("space", "org", "space.organization")


@router.get("")
def list_apps(request: Request, view: Reader) -> dict[str, Any]:
    """List the apps that pass the filters."""
    query = ListQuery(request.query_params, _FILTERS, ("name", "state"))
    query.check_choices("include", _INCLUDES)
    selected = selects(request.query_params["label_selector"]) if "label_selector" in request.query_params else None
    kept = [
        app
        for app in view.apps()
        if query.keeps_name("names", app.name)
        and query.keeps("guids", app.guid)
        and query.keeps("space_guids", app.space_guid)
        and query.keeps("organization_guids", view.space_of(app).org.guid)
        and (selected is None or selected(app.labels))
    ]
    answer = query.paginate(kept, view.here.presenters.app, f"{view.here.url}/v3/apps")
    shown = {each["guid"] for each in answer["resources"]}
    return answer | _included(view, [app for app in kept if app.guid in shown], request.query_params)


@router.get("/{guid}")
def show_app(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """Show one app."""
    query = ListQuery(request.query_params, ("include",))
    query.check_choices("include", _INCLUDES)
    app = view.app(guid)
    return view.here.presenters.app(app) | _included(view, [app], request.query_params)


@router.patch("/{guid}")
def change_app(guid: str, view: Writer, body: JsonBody) -> dict[str, Any]:
    """Change labels and annotations; null takes one away."""
    app = view.require_order(Right.CHANGE, view.app(guid))
    others = [name for name in body if name != "metadata"]
    if others:
        raise unprocessable(f"Unknown field(s): {', '.join(repr(name) for name in others)}")
    metadata = body.get("metadata") or {}
    labels = _merged(app.labels, metadata.get("labels"), "label")
    annotations = _merged(app.annotations, metadata.get("annotations"), "annotation")
    changed = view.here.controller.change(guid, view.actor, labels=labels, annotations=annotations)
    return view.here.presenters.app(changed)


@router.post("/{guid}/actions/start")
def start_app(guid: str, view: Writer) -> dict[str, Any]:
    """Start an app."""
    return _act(view, guid, view.here.controller.start)


@router.post("/{guid}/actions/stop")
def stop_app(guid: str, view: Writer) -> dict[str, Any]:
    """Stop an app."""
    return _act(view, guid, view.here.controller.stop)


@router.post("/{guid}/actions/restart")
def restart_app(guid: str, view: Writer) -> dict[str, Any]:
    """Restart an app."""
    return _act(view, guid, view.here.controller.restart)


def _act(view: View, guid: str, action: Callable[[str, Party], App]) -> dict[str, Any]:
    view.require_order(Right.OPERATE, view.app(guid))
    return view.here.presenters.app(action(guid, view.actor))


def _merged(old: Mapping[str, str], told: Any, kind: str) -> dict[str, str]:
    if not isinstance(told or {}, dict):
        raise unprocessable(f"Metadata {kind}s must be an object")
    merged: dict[str, Any] = dict(old) | (told or {})
    for key, value in merged.items():
        if value is not None and (not isinstance(value, str) or (kind == "label" and not is_label(key, value))):
            raise unprocessable(f"Metadata {kind} {key!r} is invalid")
    return {key: value for key, value in merged.items() if value is not None}


def _included(view: View, apps: list[App], params: Mapping[str, str]) -> dict[str, Any]:
    """Return the spaces, and the organizations, of what is shown, as far as `include` asks for them."""
    asked = {part.strip() for part in params.get("include", "").split(",")} - {""}
    if not asked:
        return {}
    spaces = {app.space_guid: view.space_of(app) for app in apps}
    orgs = {space.org.guid: space.org for space in spaces.values()}
    shown = {"spaces": [view.here.presenters.space(space) for space in spaces.values()]}
    if asked & {"org", "space.organization"}:
        shown["organizations"] = [view.here.presenters.organization(org) for org in orgs.values()]
    return {"included": shown}
