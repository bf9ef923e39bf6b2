"""Sidecars, by app and by the process that they run beside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import Reader
from celeriac.emulator.app_config import SidecarConfig
from celeriac.emulator.entities import App, stable_guid
from celeriac.emulator.errors import not_found
from celeriac.emulator.listing import ListQuery
from celeriac.emulator.presenters import Json, times, to
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3")


@dataclass(frozen=True, slots=True)
class _Sidecar:
    guid: str
    config: SidecarConfig
    app: App

    @property
    def created_at(self) -> int:
        return self.app.created_at

    @property
    def updated_at(self) -> int:
        return self.app.created_at


@router.get("/apps/{guid}/sidecars")
def list_app_sidecars(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the sidecars of one app."""
    return _list(request, view, view.app(guid), lambda _: True)


@router.get("/processes/{guid}/sidecars")
def list_process_sidecars(guid: str, request: Request, view: Reader) -> dict[str, Any]:
    """List the sidecars that run beside one process."""
    process = view.process(guid)
    return _list(request, view, view.app(process.app_guid), lambda config: process.type in config.process_types)


@router.get("/sidecars/{guid}")
def show_sidecar(guid: str, view: Reader) -> dict[str, Any]:
    """Show one sidecar."""
    for app in view.apps():
        for sidecar in _of(app):
            if sidecar.guid == guid:
                return _shown(sidecar)
    raise not_found("Sidecar")


def _of(app: App) -> list[_Sidecar]:
    return [_Sidecar(stable_guid(app.guid, "sidecar", each.name), each, app) for each in app.sidecars]


def _list(request: Request, view: View, app: App, keeps: Callable[[SidecarConfig], bool]) -> dict[str, Any]:
    query = ListQuery(request.query_params, ())
    kept = [sidecar for sidecar in _of(app) if keeps(sidecar.config)]
    return query.paginate(kept, _shown, view.here.url + request.url.path)


def _shown(sidecar: _Sidecar) -> Json:
    config = sidecar.config
    return {
        "guid": sidecar.guid,
        "name": config.name,
        "command": config.command,
        "process_types": list(config.process_types),
        "memory_in_mb": config.memory_mb,
        "origin": "user",
        "relationships": {"app": to(sidecar.app.guid)},
        **times(sidecar.created_at, sidecar.updated_at),
    }
