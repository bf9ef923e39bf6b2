"""The apps of the emulator's file: where each belongs, what it runs, and what people have set on it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac.emulator.health import BY_PROCESS, MOST_TIMEOUT, TYPES, HealthCheck
from celeriac.emulator.tables import Table, unique

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
_LABEL_KEY = re.compile(r"([A-Za-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


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

    Without `org` or `space` it belongs to the foundation's first. `services` is the content of VCAP_SERVICES, and
    `autoscaler` the policy that the autoscaler holds for it. Routes are shown only.
    """

    name: str
    processes: tuple[ProcessConfig, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    started: bool = True
    files: Path | None = None
    org: str = ""
    space: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    sidecars: tuple[SidecarConfig, ...] = ()
    autoscaler: Mapping[str, Any] | None = None


def read_apps(tables: list[Table], folder: Path) -> tuple[AppConfig, ...]:
    """Read all `[[apps]]`; relative paths start from `folder`. Raises `EmulatorConfigError`."""
    apps = [_app(table, folder) for table in tables]
    for org, space in {(app.org, app.space) for app in apps}:
        unique([app for app in apps if (app.org, app.space) == (org, space)], "apps", "name")
    return tuple(apps)


def _app(table: Table, folder: Path) -> AppConfig:
    name = table.text("name")
    app = AppConfig(
        name=name,
        processes=unique(_processes(table, name), f"processes of app {name!r}", "type"),
        env=_env(table),
        cwd=_cwd(table, folder),
        started=table.choice("state", "STARTED", ("STARTED", "STOPPED")) == "STARTED",
        org=table.text("org", "") if table.has("org") else "",
        space=table.text("space", "") if table.has("space") else "",
        labels=_labels(table),
        annotations=table.mapping("annotations"),
        services=table.values("services"),
        routes=table.texts("routes", ()),
        sidecars=unique([_sidecar(each) for each in table.tables("sidecars")], f"sidecars of app {name!r}", "name"),
        autoscaler=table.values("autoscaler") if table.has("autoscaler") else None,
    )
    table.close()
    return app


def _processes(table: Table, name: str) -> list[ProcessConfig]:
    if not table.has("processes"):
        return [_process(table, close=False)]
    short = [key for key in _PROCESS_KEYS if table.has(key)]
    if short:
        raise table.error(short[0], f"cannot stand beside processes: move it into [[apps.processes]] of {name!r}")
    processes = [_process(each, close=True) for each in table.tables("processes")]
    if not processes:
        raise table.error("processes", "is empty: give at least one [[apps.processes]], or leave it out")
    return processes


def _process(table: Table, *, close: bool) -> ProcessConfig:
    process = ProcessConfig(
        type=_type(table, "type", table.text("type", "worker")),
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


def _sidecar(table: Table) -> SidecarConfig:
    types = table.texts("process_types", ("web",))
    sidecar = SidecarConfig(
        name=table.text("name"),
        command=table.text("command"),
        process_types=tuple(_type(table, "process_types", each) for each in types),
        memory_mb=table.whole("memory_mb", None, least=1),
    )
    table.close()
    return sidecar


def _type(table: Table, key: str, kind: str) -> str:
    if not _PROCESS_TYPE.fullmatch(kind):
        raise table.error(key, f"is {kind!r}: give letters, digits, '-' and '_' only, like 'worker'")
    return kind


def _env(table: Table) -> dict[str, str]:
    env = table.mapping("env")
    for name in env:
        if name.startswith("VCAP_") or name == "PORT":
            raise table.error(f"env.{name}", "is set by the platform: choose another name")
    return env


def _labels(table: Table) -> dict[str, str]:
    labels = table.mapping("labels")
    for key, value in labels.items():
        if not is_label(key, value):
            raise table.error(
                f"labels.{key}", f"is {value!r}: give letters, digits, '-', '_' and '.', 63 at most, to key and value"
            )
    return labels


def is_label(key: str, value: str) -> bool:
    """Tell whether the platform takes this as a label."""
    return bool(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value))


def _cwd(table: Table, folder: Path) -> Path | None:
    if not table.has("cwd"):
        return None
    path = (folder / table.text("cwd")).absolute()
    if not path.is_dir():
        raise table.error("cwd", f"is {str(path)!r}, which is not a folder: create it or give another")
    return path
