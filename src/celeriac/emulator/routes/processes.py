"""Processes and their instances; single ones are found by guid, or by app and type."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from celeriac.emulator import stats
from celeriac.emulator.access import JsonBody, Reader, Writer
from celeriac.emulator.cloud_controller import Scaling
from celeriac.emulator.entities import WEB, Process
from celeriac.emulator.errors import not_found, unknown_request, unprocessable
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.presenters import HIDDEN, HIDDEN_IN_LISTS
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3")

_EMBEDDABLE = ("process_instances",)
_INSTANCE_GUIDS = (3, 191)  # the API version that brought instance guids to stats
_PROCESS_INSTANCES = (3, 211)  # the one that brought `process_instances`
_MOST = 2**31 - 1
# What a request may name: what we call it, what the platform's refusals call it, and the least that it may be.
_SCALABLE = {
    "instances": ("instances", "Instances", 0),
    "memory_in_mb": ("memory_mb", "Memory in mb", 1),
    "disk_in_mb": ("disk_mb", "Disk in mb", 1),
    "log_rate_limit_in_bytes_per_second": ("log_bytes_per_second", "Log rate limit in bytes per second", -1),
}


_GUID = "/processes/{guid}"
_TYPE = "/apps/{guid}/processes/{process_type}"


@router.get("/processes")
def list_processes(request: Request, view: Reader) -> dict[str, Any]:
    """List the processes that pass the filters."""
    filters = ("guids", "types", "app_guids", "space_guids", "organization_guids")
    query = ListQuery(request.query_params, (*filters, *_embeds(view)))
    kept = [
        process
        for process, app in view.processes()
        if query.keeps("app_guids", app.guid)
        and query.keeps("space_guids", app.space_guid)
        and query.keeps("organization_guids", view.space_of(app).org.guid)
    ]
    return _list(view, query, kept, "/v3/processes")


@router.get("/apps/{guid}/processes")
def list_app_processes(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the processes of one app."""
    app = view.app(guid)
    query = ListQuery(request.query_params, ("guids", "types", *_embeds(view)))
    kept = [process for process in view.here.controller.processes() if process.app_guid == app.guid]
    return _list(view, query, kept, f"/v3/apps/{guid}/processes")


@router.get(_GUID)
def show_process(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """Show a process by its guid."""
    return _show(view, view.process(guid), request.query_params)


@router.get(_TYPE)
def show_app_process(guid: str, process_type: str, request: Request, view: Reader) -> dict[str, Any]:
    """Show a process by its app and type."""
    return _show(view, view.process_of(guid, process_type), request.query_params)


@router.get(f"{_GUID}/stats")
def process_stats(guid: str, view: Reader) -> dict[str, Any]:
    """Show the instances of a process."""
    return _stats(view, view.process(guid))


@router.get(f"{_TYPE}/stats")
def app_process_stats(guid: str, process_type: str, view: Reader) -> dict[str, Any]:
    """Show the instances of a process by its app and type."""
    return _stats(view, view.process_of(guid, process_type))


@router.get(f"{_GUID}/process_instances")
def list_process_instances(guid: str, view: Reader) -> dict[str, Any]:
    """Show the state of each instance only."""
    process = view.process(guid)
    if not _embeds(view):
        raise unknown_request()
    path, link = f"/v3/processes/{process.guid}", view.here.presenters.link
    links = {"self": link(f"{path}/process_instances"), "process": link(path)}
    return {"resources": _instances(view, process), "links": links}


@router.post(f"{_GUID}/actions/scale", status_code=202)
def scale_process(guid: str, view: Writer, body: JsonBody) -> dict[str, Any]:
    """Change what a process has."""
    return _scale(view, view.process(guid), body)


@router.post(f"{_TYPE}/actions/scale", status_code=202)
def scale_app_process(guid: str, process_type: str, view: Writer, body: JsonBody) -> dict[str, Any]:
    """Change what a process has by app and type."""
    return _scale(view, view.process_of(guid, process_type), body)


@router.delete(f"{_GUID}/instances/{{index}}", status_code=204)
def terminate_instance(guid: str, index: str, view: Writer) -> Response:
    """Restart one instance."""
    return _terminate(view, view.process(guid), index)


@router.delete(f"{_TYPE}/instances/{{index}}", status_code=204)
def terminate_app_instance(guid: str, process_type: str, index: str, view: Writer) -> Response:
    """Restart one instance by app and type."""
    return _terminate(view, view.process_of(guid, process_type), index)


def _list(view: View, query: ListQuery, processes: Iterable[Process], path: str) -> dict[str, Any]:
    query.check_choices("embed", _EMBEDDABLE)
    kept = [each for each in processes if query.keeps("guids", each.guid) and query.keeps("types", each.type)]
    embed = query.asks("embed", "process_instances")
    return query.paginate(
        kept, lambda each: _present(view, each, hidden=HIDDEN_IN_LISTS, embed=embed), view.here.url + path
    )


def _show(view: View, process: Process, params: Mapping[str, str]) -> dict[str, Any]:
    embed = bool(_embeds(view)) and params.get("embed") in _EMBEDDABLE
    secrets = view.may(Right.READ_SECRETS, view.app(process.app_guid).space_guid)
    return _present(view, process, hidden="" if secrets else HIDDEN, embed=embed)


def _present(view: View, process: Process, *, hidden: str = "", embed: bool = False) -> dict[str, Any]:
    shown = view.here.presenters.process(process, view.app(process.app_guid).space_guid, hidden=hidden)
    return shown | ({"process_instances": _instances(view, process)} if embed else {})


def _instances(view: View, process: Process) -> list[dict[str, Any]]:
    return stats.process_instances(view.here.controller.observe(process))


def _stats(view: View, process: Process) -> dict[str, Any]:
    guids = view.here.config.has_version(*_INSTANCE_GUIDS)
    return {"resources": stats.stats(view.here.controller.observe(process), view.here.meter, guids=guids)}


def _embeds(view: View) -> tuple[str, ...]:
    return ("embed",) if view.here.config.has_version(*_PROCESS_INSTANCES) else ()


def _scale(view: View, process: Process, body: Mapping[str, Any]) -> dict[str, Any]:
    app = view.require_order(Right.OPERATE, view.app(process.app_guid))
    view.require_feature("app_scaling")
    if process.type == WEB and view.here.deployments.busy(app.guid):
        raise unprocessable("Cannot scale this process while a deployment is in flight.")
    scaled = view.here.controller.scale(process, _wanted(body), view.actor)
    return _show(view, scaled, {})


def _wanted(body: Mapping[str, Any]) -> Scaling:
    others = [name for name in body if name not in _SCALABLE]
    if others:
        raise unprocessable(f"Unknown field(s): {', '.join(repr(name) for name in others)}")
    wanted: dict[str, int] = {}
    for name, value in body.items():
        field, words, least = _SCALABLE[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise unprocessable(f"{words} is not a number")
        if not least <= value <= _MOST:
            bound = f"greater than or equal to {least}" if least <= 0 else "greater than 0"
            raise unprocessable(f"{words} must be {bound}")
        wanted[field] = value
    return Scaling(**wanted)


def _terminate(view: View, process: Process, index: str) -> Response:
    view.require_order(Right.OPERATE, view.app(process.app_guid))
    known = index.isascii() and index.isdigit()
    if not known or not view.here.controller.terminate(process, int(index), view.actor):
        raise not_found("Instance")
    return Response(status_code=204)
