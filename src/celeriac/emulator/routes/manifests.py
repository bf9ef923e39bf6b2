"""An app as a manifest, from which `cf push` or another emulator makes the same app again."""

from collections.abc import Mapping
from typing import Any

import yaml
from fastapi import APIRouter, Response

from celeriac.emulator.access import Reader
from celeriac.emulator.app_config import SidecarConfig
from celeriac.emulator.entities import App, Process
from celeriac.emulator.roles import Right
from celeriac.emulator.view import View

router = APIRouter(prefix="/v3/apps/{guid}")


@router.get("/manifest")
def show_manifest(guid: str, view: Reader) -> Response:
    """Write the manifest of an app; it holds variables and commands, so only those who may see secrets get it."""
    app = view.require(Right.READ_SECRETS, view.app(guid))
    text = yaml.safe_dump({"applications": [_described(view, app)]}, sort_keys=False, explicit_start=True)
    return Response(text, media_type="application/x-yaml")


def _described(view: View, app: App) -> dict[str, Any]:
    processes = [each for each in view.here.controller.processes() if each.app_guid == app.guid]
    described: dict[str, Any] = {
        "name": app.name,
        "stack": "cflinuxfs4",
        "services": _bound(app.services),
        "routes": [{"route": url} for url in app.routes],
        "metadata": _filled({"labels": dict(app.labels), "annotations": dict(app.annotations)}),
        "env": dict(app.env),
        "sidecars": [_sidecar(each) for each in app.sidecars],
        "processes": [_process(each) for each in processes],
    }
    return _filled(described)


def _bound(services: Mapping[str, Any]) -> list[str]:
    """Return the names of the services in a content of VCAP_SERVICES; one in hand-written content may have its name only."""
    bound = (one for each in services.values() for one in each)
    return list(dict.fromkeys(one.get("instance_name") or one["name"] for one in bound))


def _sidecar(config: SidecarConfig) -> dict[str, Any]:
    memory = {"memory": f"{config.memory_mb}M"} if config.memory_mb else {}
    return {"name": config.name, "process_types": list(config.process_types), "command": config.command} | memory


def _process(process: Process) -> dict[str, Any]:
    check = process.health_check
    described = {
        "type": process.type,
        "instances": process.instances,
        "memory": f"{process.memory_mb}M",
        "disk_quota": f"{process.disk_mb}M",
        "command": process.command,
        "health-check-type": check.type,
        "health-check-http-endpoint": check.endpoint if check.type == "http" else None,
        "health-check-interval": check.interval,
        "health-check-invocation-timeout": check.invocation_timeout,
        "timeout": process.health_check_timeout,
    }
    return {name: value for name, value in described.items() if value is not None}


def _filled(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value}
