"""Processes and their instances; single ones are found by guid, or by app and type."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from celeriac.emulator import stats
from celeriac.emulator.access import Here, JsonBody, Writer, reads
from celeriac.emulator.audit import Party
from celeriac.emulator.entities import Process
from celeriac.emulator.errors import not_found, unknown_request, unprocessable
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.routes.apps import find_app

router = APIRouter(prefix="/v3")

_EMBEDDABLE = ("process_instances",)
_INSTANCE_GUIDS = (3, 191)  # the API version that brought instance guids to stats
_PROCESS_INSTANCES = (3, 211)  # the one that brought `process_instances`
_MOST_INSTANCES = 2**31 - 1


def _by_guid(guid: str, here: Here) -> Process:
    process = here.controller.process(guid)
    if process is None:
        raise not_found("Process")
    return process


def _by_type(guid: str, process_type: str, here: Here) -> Process:
    process = here.controller.process_of(find_app(here, guid).guid, process_type)
    if process is None:
        raise not_found("Process")
    return process


ByGuid = Annotated[Process, Depends(_by_guid)]
ByType = Annotated[Process, Depends(_by_type)]
_GUID = "/processes/{guid}"
_TYPE = "/apps/{guid}/processes/{process_type}"


@router.get("/processes", dependencies=[reads])
def list_processes(request: Request, here: Here) -> dict[str, Any]:
    """List the processes that pass the filters."""
    filters = ("guids", "types", "app_guids", "space_guids", "organization_guids")
    query = ListQuery(request.query_params, (*filters, *_embeds(here)))
    kept = [
        process
        for process in here.controller.processes()
        if query.keeps("app_guids", process.app_guid)
        and query.keeps("space_guids", here.controller.space.guid)
        and query.keeps("organization_guids", here.controller.org.guid)
    ]
    return _list(here, query, kept, "/v3/processes")


@router.get("/apps/{guid}/processes", dependencies=[reads])
def list_app_processes(guid: str, request: Request, here: Here) -> dict[str, Any]:
    """List the processes of one app."""
    app = find_app(here, guid)
    query = ListQuery(request.query_params, ("guids", "types", *_embeds(here)))
    kept = [process for process in here.controller.processes() if process.app_guid == app.guid]
    return _list(here, query, kept, f"/v3/apps/{guid}/processes")


@router.get(_GUID, dependencies=[reads])
def show_process(process: ByGuid, request: Request, here: Here) -> dict[str, Any]:
    """Show a process by its guid."""
    return _show(here, process, request.query_params)


@router.get(_TYPE, dependencies=[reads])
def show_app_process(process: ByType, request: Request, here: Here) -> dict[str, Any]:
    """Show a process by its app and type."""
    return _show(here, process, request.query_params)


@router.get(f"{_GUID}/stats", dependencies=[reads])
def process_stats(process: ByGuid, here: Here) -> dict[str, Any]:
    """Show the instances of a process."""
    return _stats(here, process)


@router.get(f"{_TYPE}/stats", dependencies=[reads])
def app_process_stats(process: ByType, here: Here) -> dict[str, Any]:
    """Show the instances of a process by its app and type."""
    return _stats(here, process)


@router.get(f"{_GUID}/process_instances", dependencies=[reads])
def list_process_instances(process: ByGuid, here: Here) -> dict[str, Any]:
    """Show the state of each instance only."""
    if not _embeds(here):
        raise unknown_request()
    path = f"/v3/processes/{process.guid}"
    links = {"self": here.presenters.link(f"{path}/process_instances"), "process": here.presenters.link(path)}
    return {"resources": _instances(here, process), "links": links}


@router.post(f"{_GUID}/actions/scale", status_code=202)
def scale_process(actor: Writer, process: ByGuid, here: Here, body: JsonBody) -> dict[str, Any]:
    """Change the number of instances."""
    return _present(here, here.controller.scale(process, _wanted(body, process), actor))


@router.post(f"{_TYPE}/actions/scale", status_code=202)
def scale_app_process(actor: Writer, process: ByType, here: Here, body: JsonBody) -> dict[str, Any]:
    """Change the number of instances by app and type."""
    return _present(here, here.controller.scale(process, _wanted(body, process), actor))


@router.delete(f"{_GUID}/instances/{{index}}", status_code=204)
def terminate_instance(actor: Writer, process: ByGuid, index: str, here: Here) -> Response:
    """Restart one instance."""
    return _terminate(here, process, index, actor)


@router.delete(f"{_TYPE}/instances/{{index}}", status_code=204)
def terminate_app_instance(actor: Writer, process: ByType, index: str, here: Here) -> Response:
    """Restart one instance by app and type."""
    return _terminate(here, process, index, actor)


def _list(here: Foundation, query: ListQuery, processes: Iterable[Process], path: str) -> dict[str, Any]:
    query.check_choices("embed", _EMBEDDABLE)
    kept = [each for each in processes if query.keeps("guids", each.guid) and query.keeps("types", each.type)]
    embed = query.asks("embed", "process_instances")
    return query.paginate(kept, lambda each: _present(here, each, listed=True, embed=embed), here.url + path)


def _show(here: Foundation, process: Process, params: Mapping[str, str]) -> dict[str, Any]:
    embed = bool(_embeds(here)) and params.get("embed") in _EMBEDDABLE
    return _present(here, process, embed=embed)


def _present(here: Foundation, process: Process, *, listed: bool = False, embed: bool = False) -> dict[str, Any]:
    shown = here.presenters.process(process, here.controller.space, listed=listed)
    return shown | ({"process_instances": _instances(here, process)} if embed else {})


def _instances(here: Foundation, process: Process) -> list[dict[str, Any]]:
    return stats.process_instances(here.controller.observe(process))


def _stats(here: Foundation, process: Process) -> dict[str, Any]:
    guids = here.config.has_version(*_INSTANCE_GUIDS)
    return {"resources": stats.stats(here.controller.observe(process), here.meter, guids=guids)}


def _embeds(here: Foundation) -> tuple[str, ...]:
    return ("embed",) if here.config.has_version(*_PROCESS_INSTANCES) else ()


def _wanted(body: Mapping[str, Any], process: Process) -> int:
    others = [name for name in body if name != "instances"]
    if others:
        raise unprocessable(f"Unknown field(s): {', '.join(repr(name) for name in others)}")
    instances = body.get("instances", process.instances)
    if not isinstance(instances, int) or isinstance(instances, bool):
        raise unprocessable("Instances is not a number")
    if not 0 <= instances <= _MOST_INSTANCES:
        raise unprocessable("Instances must be greater than or equal to 0")
    return instances


def _terminate(here: Foundation, process: Process, index: str, actor: Party) -> Response:
    if not (index.isascii() and index.isdigit()) or not here.controller.terminate(process, int(index), actor):
        raise not_found("Instance")
    return Response(status_code=204)
