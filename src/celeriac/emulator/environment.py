"""The environment that a platform gives to one instance.

Two values differ from the real platform, because all instances share one host: `PORT` is a free port of the host and not
8080, and every address is the loopback one, so that nothing listens where others can reach it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from celeriac.emulator.entities import Workload

ADDRESS = "127.0.0.1"
FILE_DESCRIPTORS = 16384


@dataclass(frozen=True, slots=True)
class Place:
    """Where one instance lives; `folder` holds its home and its temporary files."""

    index: int
    instance_guid: str
    port: int
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "app"

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"


def instance_environment(workload: Workload, place: Place, api_url: str) -> dict[str, str]:
    """Return all variables of an instance; the app's own come last, as on the platform."""
    port = str(place.port)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": os.environ.get("LANG", "en_US.UTF-8"),
        "USER": "vcap",
        "HOME": str(place.home),
        "TMPDIR": str(place.tmp),
        "PORT": port,
        "VCAP_APP_PORT": port,
        "VCAP_APP_HOST": ADDRESS,
        "MEMORY_LIMIT": f"{workload.process.memory_mb}m",
        "INSTANCE_GUID": place.instance_guid,
        "INSTANCE_INDEX": str(place.index),
        "CF_INSTANCE_GUID": place.instance_guid,
        "CF_INSTANCE_INDEX": str(place.index),
        "CF_INSTANCE_IP": ADDRESS,
        "CF_INSTANCE_INTERNAL_IP": ADDRESS,
        "CF_INSTANCE_PORT": port,
        "CF_INSTANCE_ADDR": f"{ADDRESS}:{port}",
        "CF_INSTANCE_PORTS": json.dumps([{"external": place.port, "internal": place.port}]),
        "VCAP_SERVICES": json.dumps(workload.app.services),
        "VCAP_APPLICATION": json.dumps(_vcap_application(workload, place, api_url)),
        **workload.app.env,
    }


def vcap_application(workload: Workload, api_url: str) -> dict[str, object]:
    """Return VCAP_APPLICATION as the API tells it, which is without what an instance or a process adds."""
    app, process, routes = workload.app, workload.process, list(workload.app.routes)
    return {
        "cf_api": api_url,
        "limits": {"fds": FILE_DESCRIPTORS},
        "application_name": app.name,
        "application_uris": routes,
        "name": app.name,
        "space_name": workload.space.name,
        "space_id": workload.space.guid,
        "organization_id": workload.org.guid,
        "organization_name": workload.org.name,
        "uris": routes,
        "users": None,
        "application_id": app.guid,
        "version": process.version,
        "application_version": process.version,
    }


def _vcap_application(workload: Workload, place: Place, api_url: str) -> dict[str, object]:
    process, told = workload.process, vcap_application(workload, api_url)
    del told["users"]
    return told | {
        "limits": {"fds": FILE_DESCRIPTORS, "mem": process.memory_mb, "disk": process.disk_mb},
        "process_id": process.guid,
        "process_type": process.type,
        "host": ADDRESS,
        "instance_id": place.instance_guid,
        "port": place.port,
        "instance_index": place.index,
    }
