"""Cloud Foundry manifests: the apps that one describes, as the emulator's own configuration has them.

The keys are those of the platform's documentation (App Manifest Attribute Reference). What says how an app is staged or
reached is accepted and means nothing here; a key that the platform does not know is refused.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from celeriac.emulator.config import AppConfig, ProcessConfig, SidecarConfig
from celeriac.emulator.health import MOST_TIMEOUT, TYPES, HealthCheck
from celeriac.emulator.manifest_variables import filled, load_yaml
from celeriac.emulator.services import Service, vcap_services
from celeriac.emulator.tables import EmulatorConfigError

_SIZE = re.compile(r"(\d+)\s*(MB?|GB?)", re.IGNORECASE)
_UNSEEN = {
    "buildpack", "buildpacks", "default-route", "features", "lifecycle", "log-rate-limit-per-second", "no-route",
    "random-route", "readiness-health-check-http-endpoint", "readiness-health-check-interval",
    "readiness-health-check-invocation-timeout", "readiness-health-check-type", "stack",
}  # fmt: skip
"""What the platform knows and the emulator has no use for: it stages nothing and routes nothing."""
_OF_PROCESS = {
    "command", "disk_quota", "health-check-http-endpoint", "health-check-interval", "health-check-invocation-timeout",
    "health-check-type", "instances", "memory", "timeout",
}  # fmt: skip
_OF_APP = {"env", "metadata", "name", "path", "processes", "routes", "services", "sidecars"} | _OF_PROCESS | _UNSEEN


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest to start, with the values of its `((variables))`."""

    path: Path
    variables: Mapping[str, object]


def read_manifest(manifest: Manifest, services: Sequence[Service]) -> tuple[AppConfig, ...]:
    """Return the apps of a manifest, bound to these services; raises `EmulatorConfigError`."""
    try:
        content = filled(load_yaml(manifest.path), manifest.variables)
        root = _Keys(content, "", {"applications", "version", "services"} | _anchors(content))
        found = root.list("applications")
        if not found:
            raise EmulatorConfigError("applications is empty: describe at least one app below it")
        folder = manifest.path.absolute().parent
        return tuple(_app(each, f"applications[{at}]", folder, services) for at, each in enumerate(found))
    except EmulatorConfigError as error:
        message = f"{manifest.path}: {error}"
        raise EmulatorConfigError(message) from None


def _anchors(content: object) -> set[str]:
    """Return keys that hold nothing but parts to repeat: their names begin with `x-` or `_`, or they are named `defaults`."""
    keys = content if isinstance(content, dict) else {}
    return {str(key) for key in keys if str(key).startswith(("x-", "_")) or key == "defaults"}


class _Keys:
    """One mapping of a manifest; keys that nobody knows are refused."""

    def __init__(self, content: object, place: str, known: set[str]) -> None:
        if not isinstance(content, dict):
            raise EmulatorConfigError(f"{place or 'the manifest'} is no mapping: write keys with values there")
        self._content = content
        self._place = f"{place}." if place else ""
        for key in content:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(sorted(known))}"
                raise self.error(str(key), f"is not a key of a manifest that is known here: {fix}")

    def error(self, key: str, what: str) -> EmulatorConfigError:
        return EmulatorConfigError(f"{self._place}{key} {what}")

    def text(self, key: str) -> str | None:
        value = self._content.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.error(key, "must be a text that is not empty")
        return value

    def whole(self, key: str, least: int, most: int = 1000) -> int | None:
        value = self._content.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most):
            raise self.error(key, f"must be a whole number from {least} to {most}")
        return value

    def megabytes(self, key: str) -> int | None:
        value = self._content.get(key)
        if value is None:
            return None
        size = _SIZE.fullmatch(str(value).strip())
        if not size or not int(size[1]):
            raise self.error(key, "must be a size like 256M or 1G")
        return int(size[1]) * (1024 if size[2].upper().startswith("G") else 1)

    def list(self, key: str) -> list[Any]:
        value = self._content.get(key) or []
        if not isinstance(value, list):
            raise self.error(key, "must be a list")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """Return a mapping whose values are written as the platform passes them on: numbers and booleans as texts."""
        value = self._content.get(key) or {}
        if not isinstance(value, dict):
            raise self.error(key, "must be a mapping")
        return {str(name): _said(each) for name, each in value.items() if each is not None}

    def inner(self, key: str, known: set[str]) -> "_Keys":
        return _Keys(self._content.get(key) or {}, f"{self._place}{key}", known)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n...")[0].strip()


def _app(content: object, place: str, folder: Path, services: Sequence[Service]) -> AppConfig:
    keys = _Keys(content, place, _OF_APP)
    name = keys.text("name")
    if name is None:
        raise keys.error("name", "is missing: give the app a name")
    metadata = keys.inner("metadata", {"labels", "annotations"})
    files = _files(keys, folder)
    return AppConfig(
        name=name,
        processes=_processes(keys, content, place, _procfile(files)),
        env=_env(keys),
        files=files,
        labels=metadata.texts("labels"),
        annotations=metadata.texts("annotations"),
        routes=tuple(_route(each, f"{place}.routes[{at}]") for at, each in enumerate(keys.list("routes"))),
        services=vcap_services([_bound(each, keys, services) for each in keys.list("services")]),
        sidecars=tuple(_sidecar(each, f"{place}.sidecars[{at}]") for at, each in enumerate(keys.list("sidecars"))),
    )


def _files(keys: _Keys, folder: Path) -> Path:
    path = (folder / (keys.text("path") or ".")).resolve()
    if not path.is_dir():
        raise keys.error("path", f"is {str(path)!r}, which is not a folder: give the app's folder")
    return path


def _env(keys: _Keys) -> dict[str, str]:
    env = keys.texts("env")
    for name in env:
        if name.startswith("VCAP_") or name == "PORT":
            raise keys.error(f"env.{name}", "is set by the platform: choose another name")
    return env


def _procfile(files: Path) -> dict[str, str]:
    """Return the command of each process type that a Procfile names."""
    path = files / "Procfile"
    if not path.is_file():
        return {}
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    return {kind.strip(): command.strip() for kind, colon, command in lines if colon and not kind.startswith("#")}


def _processes(keys: _Keys, content: Any, place: str, procfile: Mapping[str, str]) -> tuple[ProcessConfig, ...]:
    """Return what the app runs: keys of the app itself describe its web process, as on the platform."""
    known = {"type"} | (_OF_PROCESS | _UNSEEN)
    listed = [_Keys(each, f"{place}.processes[{at}]", known) for at, each in enumerate(keys.list("processes"))]
    by_type: dict[str, _Keys] = {}
    for each in listed:
        kind = each.text("type") or ""
        if not kind or kind in by_type:
            raise each.error("type", "must be given, and differ from that of the app's other processes")
        by_type[kind] = each
    if "web" not in by_type and (not by_type or _OF_PROCESS & set(content)):
        by_type = {"web": keys, **by_type}
    types = [*by_type, *(kind for kind in procfile if kind not in by_type)]
    return tuple(_process(kind, by_type.get(kind, _Keys({}, place, set())), procfile) for kind in types)


def _process(kind: str, keys: _Keys, procfile: Mapping[str, str]) -> ProcessConfig:
    instances = keys.whole("instances", 0)
    instances = (1 if kind == "web" else 0) if instances is None else instances
    command = keys.text("command") or procfile.get(kind, "")
    if not command and instances:
        raise keys.error("command", f"is missing for the process {kind!r}: give it here, or in a Procfile beside it")
    check = keys.text("health-check-type") or ("port" if kind == "web" else "process")
    if check == "none":  # its old name
        check = "process"
    if check not in TYPES:
        raise keys.error("health-check-type", f"must be {', '.join(TYPES[:-1])} or {TYPES[-1]}")
    return ProcessConfig(
        command=command,
        type=kind,
        instances=instances,
        memory_mb=keys.megabytes("memory") or 1024,
        disk_mb=keys.megabytes("disk_quota") or 1024,
        health_check_timeout=keys.whole("timeout", 1, MOST_TIMEOUT),
        health_check=HealthCheck(
            check,
            keys.text("health-check-http-endpoint") or "/",
            keys.whole("health-check-invocation-timeout", 1),
            keys.whole("health-check-interval", 1),
        ),
    )


def _bound(binding: object, keys: _Keys, services: Sequence[Service]) -> tuple[Service, str | None]:
    given = {"name": binding} if isinstance(binding, str) else binding
    one = _Keys(given, "services[]", {"name", "binding_name", "parameters"})
    name = one.text("name")
    found = next((each for each in services if each.name == name), None)
    if found is None:
        there = ", ".join(each.name for each in services) or "none"
        raise keys.error("services", f"names {name!r}, which is no [[services]] of the emulator's file; there: {there}")
    return found, one.text("binding_name")


def _route(content: object, place: str) -> str:
    keys = _Keys(content, place, {"route", "protocol", "options"})
    route = keys.text("route")
    if route is None:
        raise keys.error("route", "is missing: give an address like shop.example.org")
    return route


def _sidecar(content: object, place: str) -> SidecarConfig:
    keys = _Keys(content, place, {"name", "command", "process_types", "memory"})
    name, command = keys.text("name"), keys.text("command")
    if name is None or command is None:
        raise keys.error("name" if name is None else "command", "is missing")
    types = tuple(str(each) for each in keys.list("process_types"))
    return SidecarConfig(name, command, types or ("web",), keys.megabytes("memory"))
