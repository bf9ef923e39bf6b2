"""How the v3 API shows organizations, spaces, apps, processes and audit events."""

from typing import Any

from celeriac.emulator.audit import AuditEvent, Party
from celeriac.emulator.deployments import Deployment
from celeriac.emulator.entities import WEB, App, Organization, Process, Space, stable_guid
from celeriac.emulator.listing import timestamp
from celeriac.emulator.roles import Grant
from celeriac.emulator.space_config import NO_QUOTA, QuotaConfig

HIDDEN = "[PRIVATE DATA HIDDEN]"
HIDDEN_IN_LISTS = "[PRIVATE DATA HIDDEN IN LISTS]"
Json = dict[str, Any]


class Presenters:
    """Renders with links below one base address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def link(self, path: str, method: str | None = None) -> dict[str, str]:
        """Return a link object; methods other than GET are named."""
        return {"href": self._url + path} | ({"method": method} if method else {})

    def organization(self, org: Organization) -> Json:
        base = f"/v3/organizations/{org.guid}"
        return {
            "guid": org.guid,
            **times(org.created_at, org.created_at),
            "name": org.name,
            "suspended": org.suspended,
            "relationships": {"quota": to(org.quota_guid)},
            "metadata": metadata(),
            "links": {
                "self": self.link(base),
                "domains": self.link(f"{base}/domains"),
                "default_domain": self.link(f"{base}/domains/default"),
                "quota": self.link(f"/v3/organization_quotas/{org.quota_guid}"),
            },
        }

    def space(self, space: Space) -> Json:
        quota = {"quota": self.link(f"/v3/space_quotas/{space.quota_guid}")} if space.quota else {}
        base = f"/v3/spaces/{space.guid}"
        return {
            "guid": space.guid,
            **times(space.created_at, space.created_at),
            "name": space.name,
            "suspended": space.org.suspended,
            "relationships": {
                "organization": to(space.org.guid),
                "quota": to(space.quota_guid) if space.quota else {"data": None},
            },
            "metadata": metadata(),
            "links": {
                "self": self.link(base),
                "organization": self.link(f"/v3/organizations/{space.org.guid}"),
                "features": self.link(f"{base}/features"),
                "apply_manifest": self.link(f"{base}/actions/apply_manifest", "POST"),
            }
            | quota,
        }

    def organization_quota(self, org: Organization) -> Json:
        """Show the quota of an organization; it has the organization's name."""
        shown = self._quota(org.quota_guid, org.name, org.created_at, org.quota)
        links = {"self": self.link(f"/v3/organization_quotas/{org.quota_guid}")}
        relationships = {"organizations": {"data": [{"guid": org.guid}]}}
        return shown | {"domains": {"total_domains": None}, "relationships": relationships, "links": links}

    def space_quota(self, space: Space) -> Json:
        """Show the quota of a space that has one; it has the space's name."""
        shown = self._quota(space.quota_guid, space.name, space.created_at, space.quota or NO_QUOTA)
        relationships = {"organization": to(space.org.guid), "spaces": {"data": [{"guid": space.guid}]}}
        links = {
            "self": self.link(f"/v3/space_quotas/{space.quota_guid}"),
            "organization": self.link(f"/v3/organizations/{space.org.guid}"),
        }
        return shown | {"relationships": relationships, "links": links}

    @staticmethod
    def _quota(guid: str, name: str, created_at: int, quota: QuotaConfig) -> Json:
        return {
            "guid": guid,
            **times(created_at, created_at),
            "name": name,
            "apps": {
                "total_memory_in_mb": quota.memory_mb,
                "per_process_memory_in_mb": quota.process_memory_mb,
                "log_rate_limit_in_bytes_per_second": quota.log_bytes_per_second,
                "total_instances": quota.instances,
                "per_app_tasks": None,
            },
            "services": {"paid_services_allowed": True, "total_service_instances": None, "total_service_keys": None},
            "routes": {"total_routes": None, "total_reserved_ports": None},
        }

    def role(self, grant: Grant) -> Json:
        """Show who is what in which space."""
        return {
            "guid": grant.guid,
            **times(grant.created_at, grant.created_at),
            "type": grant.role,
            "relationships": {
                "user": to(grant.user_guid),
                "space": to(grant.space.guid),
                "organization": {"data": None},
            },
            "links": {
                "self": self.link(f"/v3/roles/{grant.guid}"),
                "user": self.link(f"/v3/users/{grant.user_guid}"),
                "space": self.link(f"/v3/spaces/{grant.space.guid}"),
            },
        }

    def app(self, app: App) -> Json:
        base = f"/v3/apps/{app.guid}"
        return {
            "guid": app.guid,
            **times(app.created_at, app.updated_at),
            "name": app.name,
            "state": app.state,
            "lifecycle": {"type": "buildpack", "data": {"buildpacks": ["python_buildpack"], "stack": "cflinuxfs4"}},
            "relationships": {
                "space": to(app.space_guid),
                "current_droplet": to(app.droplet_guid),
            },
            "metadata": {"labels": dict(app.labels), "annotations": dict(app.annotations)},
            "links": {
                "self": self.link(base),
                "environment_variables": self.link(f"{base}/environment_variables"),
                "space": self.link(f"/v3/spaces/{app.space_guid}"),
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

    def process(self, process: Process, space_guid: str, *, hidden: str = "") -> Json:
        """Show a process, with `hidden` in place of its command where that is not to be seen."""
        base = f"/v3/processes/{process.guid}"
        return {
            "guid": process.guid,
            **times(process.created_at, process.updated_at),
            "version": process.version,
            "type": process.type,
            "command": hidden or process.command,
            "user": "vcap",
            "instances": process.instances,
            "memory_in_mb": process.memory_mb,
            "disk_in_mb": process.disk_mb,
            "log_rate_limit_in_bytes_per_second": process.log_bytes_per_second,
            "health_check": _health(process),
            "readiness_health_check": {"type": "process", "data": {"invocation_timeout": None, "interval": None}},
            "relationships": {"app": to(process.app_guid), "revision": None},
            "metadata": metadata(),
            "links": {
                "self": self.link(base),
                "scale": self.link(f"{base}/actions/scale", "POST"),
                "app": self.link(f"/v3/apps/{process.app_guid}"),
                "space": self.link(f"/v3/spaces/{space_guid}"),
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
            **times(one.created_at, one.updated_at),
            "status": {
                "value": one.value,
                "reason": one.reason,
                "details": {"last_successful_healthcheck": changed, "last_status_change": changed},
            },
            "strategy": "rolling",
            "options": {"max_in_flight": one.max_in_flight},
            "droplet": droplet,
            "previous_droplet": droplet,
            "new_processes": [{"guid": one.web_guid, "type": WEB}],
            "revision": None,
            "metadata": metadata(),
            "relationships": {"app": to(one.app_guid)},
            "links": links | cancel,
        }

    def audit_event(self, event: AuditEvent) -> Json:
        return {
            "guid": event.guid,
            **times(event.created_at, event.created_at),
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


def times(created: int, updated: int) -> Json:
    """Return both times as the API shows them, from epoch seconds."""
    return {"created_at": timestamp(created), "updated_at": timestamp(updated)}


def to(guid: str) -> Json:
    """Return a relationship to one thing."""
    return {"data": {"guid": guid}}


def metadata() -> Json:
    """Return the labels and annotations of what has none."""
    return {"labels": {}, "annotations": {}}
