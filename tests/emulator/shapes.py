"""Holding an answer to a published example: required keys and types; and which example each route is held to."""

import json
from dataclasses import dataclass, field
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
# The platform gives null where it has none; the examples show a value.
NULLABLE = {
    "cloud_controller_v2", "network_policy_v0", "network_policy_v1", "routing", "logging", "log_stream", "app_ssh",
    "revision", "external_tls_proxy_port", "internal_tls_proxy_port", "details", "general_limit",
    "reset_interval_in_minutes", "memory_in_mb", "port", "previous", "next", "per_app_tasks",
    "total_domains", "total_routes", "total_reserved_ports", "total_service_instances", "total_service_keys",
    "total_memory_in_mb", "per_process_memory_in_mb", "total_instances", "log_rate_limit_in_bytes_per_second",
}  # fmt: skip


def published(name):
    return json.loads((FIXTURES / f"{name}.json").read_text())


def assert_shape(expected, actual, at=""):
    """Every key of `expected` is in `actual` with a value of its type; lists are held to their first example."""
    key = at.rpartition(".")[2]
    if expected is None or (actual is None and key in NULLABLE):
        return
    if isinstance(expected, bool) or not isinstance(expected, dict | list | int | float):
        assert type(actual) is type(expected), f"{at} is {actual!r}"
    elif isinstance(expected, int | float):
        assert isinstance(actual, int | float), f"{at} is {actual!r}"
        assert not isinstance(actual, bool), f"{at} is {actual!r}"
    elif isinstance(expected, dict):
        assert isinstance(actual, dict), f"{at} is {actual!r}"
        assert not expected.keys() - actual.keys(), f"{at} lacks {sorted(expected.keys() - actual.keys())}"
        for name, value in expected.items():
            assert_shape(value, actual[name], f"{at}.{name}")
    else:
        assert isinstance(actual, list), f"{at} is {actual!r}"
        for number, value in enumerate(actual):
            assert_shape(expected[0] if expected else None, value, f"{at}[{number}]")


GONE = object()
"""Stands for a key that an answer has not, though the example has it."""


@dataclass(frozen=True)
class Shape:
    """What an answer is held to: one example, or a page of a list of it; `other` is what differs from it, by path of keys."""

    name: str
    status: int = 200
    listed: bool = False
    other: dict[str, object] = field(default_factory=dict)

    def check(self, answer):
        if not self.listed:
            assert_shape(self.expected(), answer)
            return
        assert_shape(published("pagination"), answer["pagination"], "pagination")
        assert answer["resources"], "an empty list has no shape"
        for number, one in enumerate(answer["resources"]):
            assert_shape(self.expected(), one, f"resources[{number}]")

    def expected(self):
        example = published(self.name)
        for path, value in self.other.items():
            *way, last = path.split(".")
            place = example
            for key in way:
                place = place[key]
            if value is GONE:
                del place[last]
            else:
                place[last] = value
        return example


def one(name, status=200, **other):
    return Shape(name, status, other={path.replace("__", "."): value for path, value in other.items()})


def each(name, **other):
    return Shape(name, listed=True, other={path.replace("__", "."): value for path, value in other.items()})


APP, PROCESS, FEATURE = "apps.single_app", "processes.single_process", "app_features.single_app_feature"
DEPLOYMENT, DROPLET = "deployments.single_deployment", "droplets.single_staged_buildpack_droplet"
VARIABLES, PACKAGE, ROUTE = "apps.environment_variables", "packages.single_bits_package", "routes.single_route"
EMBEDDED = "processes.single_process_with_embedded_process_instances"
STATS = "process_stats.all_states"
OF_APP, OF_TYPE = "/v3/apps/{guid}", "/v3/apps/{guid}/processes/{process_type}"
# Of a droplet the commands by type, of variables their names: what keys they have is the app's own affair.
FREE = {}
SHAPES = {
    "GET /": one("root.global_root"),
    "GET /v3": one("root.v3_root", links__service_instances__experimental=GONE),  # no longer shown
    "GET /v3/info": one("info.populated_info", custom={}, links__support__href=None),
    "GET /login": one("uaa.login"),
    "GET /v3/organizations": each("organizations.organization"),
    "GET /v3/organizations/{guid}": one("organizations.organization"),
    "GET /v3/spaces": each("spaces.space"),
    "GET /v3/spaces/{guid}": one("spaces.space"),
    "GET /v3/organization_quotas": each("organization_quotas.single_organization_quota"),
    "GET /v3/organization_quotas/{guid}": one("organization_quotas.single_organization_quota"),
    "GET /v3/space_quotas": each("space_quotas.single_space_quota"),
    "GET /v3/space_quotas/{guid}": one("space_quotas.single_space_quota"),
    # The example is a role in an organization; all of ours are in spaces.
    "GET /v3/roles": each(
        "roles.single_role", relationships__organization__data=None, relationships__space__data={"guid": ""},
        links__organization=GONE, links__space={"href": ""},
    ),
    "GET /v3/apps": each(APP),
    f"GET {OF_APP}": one(APP),
    f"PATCH {OF_APP}": one(APP),
    f"POST {OF_APP}/actions/stop": one(APP),
    f"POST {OF_APP}/actions/start": one(APP),
    f"POST {OF_APP}/actions/restart": one(APP),
    f"GET {OF_APP}/env": one(
        "apps.env", environment_variables=FREE, staging_env_json=FREE, running_env_json=FREE,
        system_env_json__VCAP_SERVICES=FREE,
    ),
    f"GET {OF_APP}/environment_variables": one(VARIABLES, var=FREE),
    f"PATCH {OF_APP}/environment_variables": one(VARIABLES, var=FREE),
    f"GET {OF_APP}/permissions": one("apps.permissions"),
    f"GET {OF_APP}/features": one("app_features.paginated_list_of_app_features"),
    f"GET {OF_APP}/features/{{name}}": one(FEATURE),
    f"PATCH {OF_APP}/features/{{name}}": one(FEATURE),
    "GET /v3/processes": each(PROCESS),
    f"GET {OF_APP}/processes": each(PROCESS),
    "GET /v3/processes/{guid}": one(PROCESS),
    f"GET {OF_TYPE}": one(PROCESS),
    "GET /v3/processes/{guid}/process_instances": one("processes.process_instances"),
    "POST /v3/processes/{guid}/actions/scale": one(PROCESS, 202),
    f"POST {OF_TYPE}/actions/scale": one(PROCESS, 202),
    f"GET {OF_APP}/sidecars": each("sidecars.sidecar"),
    "GET /v3/processes/{guid}/sidecars": each("sidecars.sidecar"),
    "GET /v3/sidecars/{guid}": one("sidecars.sidecar"),
    # Routes have no options until somebody sets them.
    "GET /v3/routes": each(ROUTE, options={}),
    f"GET {OF_APP}/routes": each(ROUTE, options={}),
    "GET /v3/routes/{guid}": one(ROUTE, options={}),
    "GET /v3/packages": each(PACKAGE),
    f"GET {OF_APP}/packages": each(PACKAGE),
    "GET /v3/packages/{guid}": one(PACKAGE),
    "GET /v3/droplets": each(DROPLET, process_types=FREE),
    f"GET {OF_APP}/droplets": each(DROPLET, process_types=FREE),
    "GET /v3/packages/{guid}/droplets": each(DROPLET, process_types=FREE),
    "GET /v3/droplets/{guid}": one(DROPLET, process_types=FREE),
    f"GET {OF_APP}/droplets/current": one(DROPLET, process_types=FREE),
    f"GET {OF_APP}/relationships/current_droplet": one("apps.app_current_droplet_relationship"),
    "GET /v3/deployments": each(DEPLOYMENT, revision=None, links__cancel=GONE),  # only an active one has it
    "GET /v3/deployments/{guid}": one(DEPLOYMENT, revision=None),
    "POST /v3/deployments": one(DEPLOYMENT, 201, revision=None),
    "GET /v3/audit_events": each("audit_event.restart"),
    "GET /v3/audit_events/{guid}": one("audit_event.restart"),
    "GET /api/v1/info": one("logcache.info"),
    "GET /v1/apps/{guid}/policy": one("autoscaler.fullpolicy", schedules__recurring_schedule=[]),  # its entries differ
}  # fmt: skip
