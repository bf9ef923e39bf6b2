"""What the emulator emulates: its address, people, and the apps with their processes, read from one TOML file."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac.emulator.health import BY_PROCESS, MOST_TIMEOUT, TYPES, HealthCheck
from celeriac.emulator.services import Service, read_service
from celeriac.emulator.tables import EmulatorConfigError, Table

READ = "cloud_controller.read"
WRITE = "cloud_controller.write"
_PROCESS_KEYS = (
    "type",
    "instances",
    "command",
    "memory_mb",
    "disk_mb",
    "health_check_type",
    "health_check_timeout",
    "health_check_endpoint",
    "health_check_interval",
    "health_check_invocation_timeout",
)
_PROCESS_TYPE = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class UserConfig:
    """A person who logs in with a password."""

    name: str
    password: str
    scopes: tuple[str, ...] = (READ, WRITE)


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A robot that logs in with an id and a secret."""

    id: str
    secret: str
    scopes: tuple[str, ...] = (READ, WRITE)


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """How long tokens live, in seconds."""

    access_seconds: float = 1200.0
    client_seconds: float = 43200.0
    refresh_seconds: float = 2592000.0


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """One process type of an app; `health_check_timeout` is how many seconds its start may take, if a check is to pass."""

    command: str
    type: str = "worker"
    instances: int = 1
    memory_mb: int = 256
    health_check_timeout: int | None = None
    health_check: HealthCheck = BY_PROCESS
    disk_mb: int = 1024


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """A process that runs beside those of these types; when it ends, the instance ends."""

    name: str
    command: str
    process_types: tuple[str, ...] = ("web",)
    memory_mb: int | None = None


@dataclass(frozen=True, slots=True)
class AppConfig:
    """One app; without `cwd` each instance works in its own home folder, which begins as a copy of `files`.

    `services` is the content of VCAP_SERVICES.
    """

    name: str
    processes: tuple[ProcessConfig, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    started: bool = True
    files: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    sidecars: tuple[SidecarConfig, ...] = ()


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
    cell_memory_mb: int | None = None
    log_lines_per_app: int = 5000

    def has_version(self, *wanted: int) -> bool:
        """Tell whether the advertised API version is at least the wanted one."""
        return tuple(int(part) for part in self.api_version.split(".")) >= wanted


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
        cell_memory_mb=root.whole("cell_memory_mb", None, least=1),
        log_lines_per_app=root.count("log_lines_per_app", defaults.log_lines_per_app, least=1),
        tokens=_tokens(root.table("tokens")),
        users=_unique([_user(table) for table in root.tables("users")], "users", "name"),
        clients=_unique([_client(table) for table in root.tables("clients")], "clients", "id"),
        services=_unique([read_service(table) for table in root.tables("services")], "services", "name"),
        apps=_unique([_app(table, folder) for table in root.tables("apps")], "apps", "name"),
    )
    root.close()
    if not config.users and not config.clients:
        message = "nobody could log in: add [[users]] with name and password, or [[clients]] with id and secret"
        raise EmulatorConfigError(message)
    return config


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
    user = UserConfig(table.text("name"), table.text("password"), table.texts("scopes", (READ, WRITE)))
    table.close()
    return user


def _client(table: Table) -> ClientConfig:
    client = ClientConfig(table.text("id"), table.text("secret"), table.texts("scopes", (READ, WRITE)))
    if client.id == "cf":
        raise table.error("id", "is 'cf', which people log in through: give the robot another id")
    table.close()
    return client


def _app(table: Table, folder: Path) -> AppConfig:
    name = table.text("name")
    if table.has("processes"):
        short = [key for key in _PROCESS_KEYS if table.has(key)]
        if short:
            raise table.error(short[0], f"cannot stand beside processes: move it into [[apps.processes]] of {name!r}")
        processes = [_process(each, close=True) for each in table.tables("processes")]
        if not processes:
            raise table.error("processes", "is empty: give at least one [[apps.processes]], or leave it out")
    else:
        processes = [_process(table, close=False)]
    app = AppConfig(
        name=name,
        processes=_unique(processes, f"processes of app {name!r}", "type"),
        env=_env(table),
        cwd=_cwd(table, folder),
        started=table.choice("state", "STARTED", ("STARTED", "STOPPED")) == "STARTED",
    )
    table.close()
    return app


def _process(table: Table, *, close: bool) -> ProcessConfig:
    kind = table.text("type", "worker")
    if not _PROCESS_TYPE.fullmatch(kind):
        raise table.error("type", f"is {kind!r}: give letters, digits, '-' and '_' only, like 'worker'")
    process = ProcessConfig(
        type=kind,
        command=table.text("command"),
        instances=table.count("instances", 1, most=1000),
        memory_mb=table.count("memory_mb", 256, least=1),
        disk_mb=table.count("disk_mb", 1024, least=1),
        health_check_timeout=table.whole("health_check_timeout", None, least=1, most=MOST_TIMEOUT),
        health_check=HealthCheck(
            table.choice("health_check_type", "process", TYPES),
            table.text("health_check_endpoint", "/"),
            table.whole("health_check_invocation_timeout", None, least=1),
            table.whole("health_check_interval", None, least=1),
        ),
    )
    if close:
        table.close()
    return process


def _env(table: Table) -> dict[str, str]:
    env = table.mapping("env")
    for name in env:
        if name.startswith("VCAP_") or name == "PORT":
            raise table.error(f"env.{name}", "is set by the platform: choose another name")
    return env


def _cwd(table: Table, folder: Path) -> Path | None:
    if not table.has("cwd"):
        return None
    path = (folder / table.text("cwd")).absolute()
    if not path.is_dir():
        raise table.error("cwd", f"is {str(path)!r}, which is not a folder: create it or give another")
    return path


def _unique(items: list[Any], what: str, key: str) -> tuple[Any, ...]:
    seen: set[str] = set()
    for item in items:
        name = getattr(item, key)
        if name in seen:
            message = f"{what}: {key} {name!r} stands there twice: give each its own"
            raise EmulatorConfigError(message)
        seen.add(name)
    return tuple(items)
