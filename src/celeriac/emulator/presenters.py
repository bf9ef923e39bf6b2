"""How the v3 API shows organizations, spaces, apps, processes and audit events."""

from typing import Any

from celeriac.emulator.audit import AuditEvent, Party
from celeriac.emulator.deployments import Deployment
from celeriac.emulator.entities import App, Organization, Process, Space, stable_guid
from celeriac.emulator.listing import timestamp

HIDDEN_COMMAND = "[PRIVATE DATA HIDDEN IN LISTS]"
UNLIMITED = -1
Json = dict[str, Any]


class Presenters:
    """Renders with links below one base address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def link(self, path: str, method: str | None = None) -> dict[str, str]:
        """Return a link object; methods other than GET are named."""
        return {"href": self._url + path} | ({"method": method} if method else {})

    def organization(self, org: Organization) -> Json:
        quota = stable_guid(org.guid, "quota")
        base = f"/v3/organizations/{org.guid}"
        return {
            "guid": org.guid,
            **_times(org.created_at, org.created_at),
            "name": org.name,
            "suspended": False,
            "relationships": {"quota": _to(quota)},
            "metadata": _metadata(),
            "links": {
                "self": self.link(base),
                "domains": self.link(f"{base}/domains"),
                "default_domain": self.link(f"{base}/domains/default"),
                "quota": self.link(f"/v3/organization_quotas/{quota}"),
            },
        }

    def space(self, space: Space, org: Organization) -> Json:
        base = f"/v3/spaces/{space.guid}"
        return {
            "guid": space.guid,
            **_times(space.created_at, space.created_at),
            "name": space.name,
            "suspended": False,
            "relationships": {"organization": _to(org.guid), "quota": {"data": None}},
            "metadata": _metadata(),
            "links": {
                "self": self.link(base),
                "organization": self.link(f"/v3/organizations/{org.guid}"),
                "features": self.link(f"{base}/features"),
                "apply_manifest": self.link(f"{base}/actions/apply_manifest", "POST"),
            },
        }

    def app(self, app: App, space: Space) -> Json:
        base = f"/v3/apps/{app.guid}"
        return {
            "guid": app.guid,
            **_times(app.created_at, app.updated_at),
            "name": app.name,
            "state": app.state,
            "lifecycle": {"type": "buildpack", "data": {"buildpacks": ["python_buildpack"], "stack": "cflinuxfs4"}},
            "relationships": {
                "space": _to(space.guid),
                "current_droplet": _to(stable_guid(app.guid, "droplet")),
            },
            "metadata": {"labels": dict(app.labels), "annotations": dict(app.annotations)},
            "links": {
                "self": self.link(base),
                "environment_variables": self.link(f"{base}/environment_variables"),
                "space": self.link(f"/v3/spaces/{space.guid}"),
                "processes": self.link(f"{base}/processes"),
                "packages": self.link(f"{base}/packages"),
                "current_droplet": self.link(f"{base}/droplets/current"),
                "droplets": self.link(f"{base}/droplets"),
                "tasks": self.link(f"{base}/tasks"),
                "start": self.link(f"{base}/actions/start", "POST"),
                "stop": self.link(f"{base}/actions/stop", "POST"),
                "clear_buildpack_cache": self.link(f"{base}/actions/clear_buildpack_cache", "POST"),
                "revisions": self.link(f"{base}/revisions"),
                "deployed_revisions": self.link(f"{base}/revisions/deployed"),
                "features": self.link(f"{base}/features"),
            },
        }

    def process(self, process: Process, space: Space, *, listed: bool = False) -> Json:
        """Show a process; lists hide its command."""
        base = f"/v3/processes/{process.guid}"
        return {
            "guid": process.guid,
            **_times(process.created_at, process.updated_at),
            "version": process.version,
            "type": process.type,
            "command": HIDDEN_COMMAND if listed else process.command,
            "user": "vcap",
            "instances": process.instances,
            "memory_in_mb": process.memory_mb,
            "disk_in_mb": process.disk_mb,
            "log_rate_limit_in_bytes_per_second": UNLIMITED,
            "health_check": _health(process),
            "readiness_health_check": {"type": "process", "data": {"invocation_timeout": None, "interval": None}},
            "relationships": {"app": _to(process.app_guid), "revision": None},
            "metadata": _metadata(),
            "links": {
                "self": self.link(base),
                "scale": self.link(f"{base}/actions/scale", "POST"),
                "app": self.link(f"/v3/apps/{process.app_guid}"),
                "space": self.link(f"/v3/spaces/{space.guid}"),
                "stats": self.link(f"{base}/stats"),
                "process_instances": self.link(f"{base}/process_instances"),
            },
        }

    def deployment(self, one: Deployment) -> Json:
        """Show a deployment; only an active one can be cancelled."""
        base, droplet = f"/v3/deployments/{one.guid}", {"guid": stable_guid(one.app_guid, "droplet")}
        changed = timestamp(one.updated_at)
        links = {"self": self.link(base), "app": self.link(f"/v3/apps/{one.app_guid}")}
        cancel = {"cancel": self.link(f"{base}/actions/cancel", "POST")} if one.value == "ACTIVE" else {}
        return {
            "guid": one.guid,
            **_times(one.created_at, one.updated_at),
            "status": {
                "value": one.value,
                "reason": one.reason,
                "details": {"last_successful_healthcheck": changed, "last_status_change": changed},
            },
            "strategy": "rolling",
            "options": {"max_in_flight": one.max_in_flight},
            "droplet": droplet,
            "previous_droplet": droplet,
            "new_processes": [{"guid": one.app_guid, "type": "web"}],
            "revision": None,
            "metadata": _metadata(),
            "relationships": {"app": _to(one.app_guid)},
            "links": links | cancel,
        }

    def audit_event(self, event: AuditEvent) -> Json:
        return {
            "guid": event.guid,
            **_times(event.created_at, event.created_at),
            "type": event.type,
            "actor": _party(event.actor),
            "target": _party(event.target),
            "data": dict(event.data),
            "space": {"guid": event.space_guid},
            "organization": {"guid": event.organization_guid},
            "links": {"self": self.link(f"/v3/audit_events/{event.guid}")},
        }


def _party(party: Party) -> Json:
    return {"guid": party.guid, "type": party.type, "name": party.name}


def _health(process: Process) -> Json:
    check = process.health_check
    data: Json = {"timeout": process.health_check_timeout, "invocation_timeout": check.invocation_timeout}
    data["interval"] = check.interval
    return {"type": check.type, "data": data | ({"endpoint": check.endpoint} if check.type == "http" else {})}


def _times(created: int, updated: int) -> Json:
    return {"created_at": timestamp(created), "updated_at": timestamp(updated)}


def _to(guid: str) -> Json:
    return {"data": {"guid": guid}}


def _metadata() -> Json:
    return {"labels": {}, "annotations": {}}
