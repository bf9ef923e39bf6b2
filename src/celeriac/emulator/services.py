"""Service instances that the emulator's file lists, and how a bound app finds them in VCAP_SERVICES."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celeriac.emulator.tables import Table

USER_PROVIDED = "user-provided"


@dataclass(frozen=True, slots=True)
class Service:
    """One service instance; its credentials are what the service itself would give to a bound app."""

    name: str
    credentials: Mapping[str, Any]
    label: str = USER_PROVIDED
    plan: str | None = None
    tags: tuple[str, ...] = ()


def read_service(table: Table) -> Service:
    """Read one `[[services]]`; raises `EmulatorConfigError`."""
    plan = table.text("plan") if table.has("plan") else None
    service = Service(
        name=table.text("name"),
        label=table.text("label", USER_PROVIDED),
        plan=plan,
        tags=table.texts("tags", ()),
        credentials=table.values("credentials"),
    )
    table.close()
    return service


def vcap_services(bound: Sequence[tuple[Service, str | None]]) -> dict[str, Any]:
    """Return the content of VCAP_SERVICES; the second of each pair is the name of the binding, if it has one."""
    services: dict[str, Any] = {}
    for service, binding in bound:
        services.setdefault(service.label, []).append(
            {
                "label": service.label,
                "provider": None,
                "plan": service.plan,
                "name": binding or service.name,
                "tags": list(service.tags),
                "instance_name": service.name,
                "binding_name": binding,
                "credentials": dict(service.credentials),
                "syslog_drain_url": None,
                "volume_mounts": [],
            }
        )
    return services
