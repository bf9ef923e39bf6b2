"""Where a client starts: the links of the foundation and of the v3 API, and who it is."""

from typing import Any

from fastapi import APIRouter

from celeriac.emulator.access import Here

router = APIRouter()

# fmt: off
_V3_RESOURCES = (
    "app_usage_events", "apps", "audit_events", "buildpacks", "builds", "deployments", "domains", "droplets",
    "environment_variable_groups", "feature_flags", "info", "isolation_segments", "organizations",
    "organization_quotas", "packages", "processes", "resource_matches", "roles", "routes", "security_groups",
    "service_brokers", "service_instances", "service_offerings", "service_plans", "service_usage_events", "spaces",
    "space_quotas", "stacks", "tasks", "users",
)
# fmt: on


@router.get("/")
def root(here: Here) -> dict[str, Any]:
    """Show every part of the foundation; those that are not emulated are null."""
    link = here.presenters.link
    return {
        "links": {
            "self": link(""),
            "cloud_controller_v2": None,
            "cloud_controller_v3": link("/v3") | {"meta": {"version": here.config.api_version}},
            "network_policy_v0": None,
            "network_policy_v1": None,
            "login": link(""),
            "uaa": link(""),
            "credhub": None,
            "routing": None,
            "logging": None,
            "log_cache": link(""),
            "log_stream": None,
            "app_ssh": None,
        }
    }


@router.get("/v3")
def v3_root(here: Here) -> dict[str, Any]:
    """Show the links of the v3 API."""
    link = here.presenters.link
    return {"links": {"self": link("/v3")} | {name: link(f"/v3/{name}") for name in _V3_RESOURCES}}


@router.get("/v3/info")
def info(here: Here) -> dict[str, Any]:
    """Say what this is; there is no rate limit."""
    return {
        "build": "emulator",
        "cli_version": {"minimum": "", "recommended": ""},
        "custom": {},
        "description": "An emulated Cloud Foundry: everything is in memory, for demonstrations and tests",
        "name": "Celeriac emulator",
        "version": 0,
        "osbapi_version": "2.15",
        "rate_limits": {"enabled": False, "general_limit": None, "reset_interval_in_minutes": None},
        "links": {"self": here.presenters.link("/v3/info"), "support": {"href": None}},
    }
