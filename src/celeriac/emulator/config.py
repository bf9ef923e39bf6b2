"""What the emulator emulates: its address, people, and the apps with their processes, read from one TOML file."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celeriac.emulator.app_config import AppConfig, ProcessConfig, SidecarConfig, read_apps
from celeriac.emulator.faults import Fault, read_faults
from celeriac.emulator.services import Service, read_service
from celeriac.emulator.space_config import (
    DEVELOPER_EVERYWHERE,
    OrganizationConfig,
    QuotaConfig,
    Role,
    RolesConfig,
    SpaceConfig,
    read_organization,
    read_roles,
    read_space,
)
from celeriac.emulator.tables import EmulatorConfigError, Table, unique

__all__ = [
    "READ",
    "WRITE",
    "AppConfig",
    "ClientConfig",
    "EmulatorConfig",
    "OrganizationConfig",
    "ProcessConfig",
    "QuotaConfig",
    "Role",
    "RolesConfig",
    "SidecarConfig",
    "SpaceConfig",
    "TokenConfig",
    "UserConfig",
    "load",
    "parse",
]

READ = "cloud_controller.read"
WRITE = "cloud_controller.write"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class UserConfig:
    """A person who logs in with a password."""

    name: str
    password: str
    scopes: tuple[str, ...] = (READ, WRITE)
    roles: RolesConfig = DEVELOPER_EVERYWHERE


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A robot that logs in with an id and a secret."""

    id: str
    secret: str
    scopes: tuple[str, ...] = (READ, WRITE)
    roles: RolesConfig = DEVELOPER_EVERYWHERE


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """How long tokens live, in seconds."""

    access_seconds: float = 1200.0
    client_seconds: float = 43200.0
    refresh_seconds: float = 2592000.0


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Everything that the emulator needs to know; durations are seconds, `speed` divides those of Diego's own clock."""

    apps: tuple[AppConfig, ...]
    users: tuple[UserConfig, ...] = ()
    services: tuple[Service, ...] = ()
    clients: tuple[ClientConfig, ...] = ()
    tokens: TokenConfig = TokenConfig()
    host: str = "127.0.0.1"
    port: int = 0
    ready_file: Path | None = None
    org: str = "demo"
    space: str = "dev"
    api_version: str = "3.228.0"
    speed: float = 1.0
    grace_seconds: float = 10.0
    start_seconds: float = 0.0
    organizations: tuple[OrganizationConfig, ...] = ()
    spaces: tuple[SpaceConfig, ...] = ()
    disabled_features: tuple[str, ...] = ()
    cell_memory_mb: int | None = None
    enforce_memory: bool = False
    log_lines_per_app: int = 5000
    faults: tuple[Fault, ...] = ()

    def has_version(self, *wanted: int) -> bool:
        """Tell whether the advertised API version is at least the wanted one."""
        return tuple(int(part) for part in self.api_version.split(".")) >= wanted

    def places(self) -> list[tuple[str, str]]:
        """Return organization and space of everything that is named, the foundation's first before all others."""
        named = [(each.org, each.name) for each in self.spaces] + [(app.org, app.space) for app in self.apps]
        return list(dict.fromkeys([(self.org, self.space), *(self.place(*pair) for pair in named)]))

    def place(self, org: str, space: str) -> tuple[str, str]:
        """Return organization and space for names that may be empty."""
        return org or self.org, space or self.space


def load(path: Path) -> EmulatorConfig:
    """Read a file; relative paths in it start from its folder. Raises `EmulatorConfigError`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise EmulatorConfigError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{path} is not valid TOML: {error}"
        raise EmulatorConfigError(message) from error
    try:
        return parse(content, path.parent)
    except EmulatorConfigError as error:
        message = f"{path}: {error}"
        raise EmulatorConfigError(message) from None


def parse(content: Mapping[str, Any], folder: Path) -> EmulatorConfig:
    """Turn parsed TOML into a configuration; relative paths start from `folder`. Raises `EmulatorConfigError`."""
    root = Table(content)
    defaults = EmulatorConfig(apps=())
    config = EmulatorConfig(
        host=_host(root),
        port=root.count("port", 0, most=65535),
        ready_file=folder / root.text("ready_file") if root.has("ready_file") else None,
        org=root.text("org", defaults.org),
        space=root.text("space", defaults.space),
        api_version=_version(root, defaults.api_version),
        speed=root.seconds("speed", defaults.speed),
        grace_seconds=root.seconds("grace_seconds", defaults.grace_seconds, zero=True),
        start_seconds=root.seconds("start_seconds", defaults.start_seconds, zero=True),
        organizations=unique(
            [read_organization(each) for each in root.tables("organizations")], "organizations", "name"
        ),
        spaces=tuple(read_space(each) for each in root.tables("spaces")),
        disabled_features=root.texts("disabled_features", ()),
        cell_memory_mb=root.whole("cell_memory_mb", None, least=1),
        enforce_memory=root.truth("enforce_memory"),
        log_lines_per_app=root.count("log_lines_per_app", defaults.log_lines_per_app, least=1),
        tokens=_tokens(root.table("tokens")),
        users=unique([_user(table) for table in root.tables("users")], "users", "name"),
        clients=unique([_client(table) for table in root.tables("clients")], "clients", "id"),
        services=unique([read_service(table) for table in root.tables("services")], "services", "name"),
        faults=read_faults(root),
        apps=read_apps(root.tables("apps"), folder),
    )
    root.close()
    if not config.users and not config.clients:
        message = "nobody could log in: add [[users]] with name and password, or [[clients]] with id and secret"
        raise EmulatorConfigError(message)
    _check_roles(config)
    return config


def _check_roles(config: EmulatorConfig) -> None:
    known = {f"{org}/{space}" for org, space in config.places()} | {space for _, space in config.places()}
    callers = [("users", user.name, user.roles) for user in config.users]
    callers += [("clients", client.id, client.roles) for client in config.clients]
    for kind, name, roles in callers:
        for place in roles.spaces.keys() - known:
            message = (
                f"{kind}: roles of {name!r} name {place!r}, which is no space: give one of {', '.join(sorted(known))}"
            )
            raise EmulatorConfigError(message)


def _host(root: Table) -> str:
    host = root.text("host", "127.0.0.1")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise root.error(
            "host", f"is {host!r}: the emulator runs commands, so give a loopback address like '127.0.0.1'"
        )
    return host


def _version(root: Table, default: str) -> str:
    version = root.text("api_version", default)
    if not _VERSION.fullmatch(version):
        raise root.error("api_version", f"is {version!r}: give three numbers like '3.228.0'")
    return version


def _tokens(table: Table) -> TokenConfig:
    defaults = TokenConfig()
    tokens = TokenConfig(
        access_seconds=table.seconds("access_seconds", defaults.access_seconds),
        client_seconds=table.seconds("client_seconds", defaults.client_seconds),
        refresh_seconds=table.seconds("refresh_seconds", defaults.refresh_seconds),
    )
    table.close()
    return tokens


def _user(table: Table) -> UserConfig:
    scopes = table.texts("scopes", (READ, WRITE))
    user = UserConfig(table.text("name"), table.text("password"), scopes, read_roles(table))
    table.close()
    return user


def _client(table: Table) -> ClientConfig:
    scopes = table.texts("scopes", (READ, WRITE))
    client = ClientConfig(table.text("id"), table.text("secret"), scopes, read_roles(table))
    if client.id == "cf":
        raise table.error("id", "is 'cf', which people log in through: give the robot another id")
    table.close()
    return client
