"""The organizations and spaces of the emulator's file, their quotas, and the role of each caller in a space."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from celeriac.emulator.tables import Table


class Role(StrEnum):
    """What somebody is in a space; `none` sees nothing of it."""

    DEVELOPER = "space_developer"
    SUPPORTER = "space_supporter"
    AUDITOR = "space_auditor"
    MANAGER = "space_manager"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class QuotaConfig:
    """What the started apps may take together, and one process at most; None is no bound. Memory is in MB."""

    memory_mb: int | None = None
    process_memory_mb: int | None = None
    instances: int | None = None
    log_bytes_per_second: int | None = None


NO_QUOTA = QuotaConfig()


@dataclass(frozen=True, slots=True)
class OrganizationConfig:
    """An organization; a suspended one takes no orders."""

    name: str
    suspended: bool = False
    quota: QuotaConfig = NO_QUOTA


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """A space; without `org` it belongs to the foundation's first."""

    name: str
    org: str = ""
    quota: QuotaConfig | None = None


@dataclass(frozen=True, slots=True)
class RolesConfig:
    """The role of one caller in every space, but for those in `spaces`: by "space", or "org/space"."""

    everywhere: Role = Role.DEVELOPER
    spaces: Mapping[str, Role] = field(default_factory=dict)


DEVELOPER_EVERYWHERE = RolesConfig()


def read_organization(table: Table) -> OrganizationConfig:
    """Read one of `[[organizations]]`."""
    organization = OrganizationConfig(
        name=table.text("name"),
        suspended=table.truth("suspended"),
        quota=_quota(table.table("quota")),
    )
    table.close()
    return organization


def read_space(table: Table) -> SpaceConfig:
    """Read one of `[[spaces]]`."""
    space = SpaceConfig(
        name=table.text("name"),
        org=table.text("org") if table.has("org") else "",
        quota=_quota(table.table("quota")) if table.has("quota") else None,
    )
    table.close()
    return space


def read_roles(table: Table) -> RolesConfig:
    """Read `role` and `roles` of a user or a client."""
    roles = table.table("roles")
    config = RolesConfig(_role(table, "role"), {name: _role(roles, name) for name in roles.left()})
    roles.close()
    return config


def _role(table: Table, key: str) -> Role:
    return Role(table.choice(key, Role.DEVELOPER.value, tuple(role.value for role in Role)))


def _quota(table: Table) -> QuotaConfig:
    quota = QuotaConfig(
        memory_mb=table.whole("memory_mb", None),
        process_memory_mb=table.whole("process_memory_mb", None),
        instances=table.whole("instances", None),
        log_bytes_per_second=table.whole("log_bytes_per_second", None),
    )
    table.close()
    return quota
