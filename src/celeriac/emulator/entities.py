"""What Cloud Controller keeps: organizations, spaces, apps and processes, and the workload that it hands to Diego.

All are values; a change makes a new one, so that an answer is rendered from one consistent moment.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac.emulator.app_config import SidecarConfig
from celeriac.emulator.health import BY_PROCESS, HealthCheck
from celeriac.emulator.space_config import NO_QUOTA, QuotaConfig

WEB = "web"
"""The process type that routes lead to and that deployments begin with."""
UNLIMITED = -1
DISK_MB = 1024
_NAMESPACE = uuid.UUID("7f1d3c1e-9f62-4f0b-8f7e-5a8b2c0d4e6f")


def stable_guid(*names: str) -> str:
    """Return the same guid for the same names, so that an emulator started again is the same foundation."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def new_guid() -> str:
    """Return a guid that was never given before."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization; times are epoch seconds, here and below."""

    guid: str
    name: str
    created_at: int
    suspended: bool = False
    quota: QuotaConfig = NO_QUOTA

    @property
    def updated_at(self) -> int:
        return self.created_at

    @property
    def quota_guid(self) -> str:
        return stable_guid(self.guid, "quota")


@dataclass(frozen=True, slots=True)
class Space:
    """A space of an organization; most have no quota of their own."""

    guid: str
    name: str
    created_at: int
    org: Organization
    quota: QuotaConfig | None = None

    @property
    def updated_at(self) -> int:
        return self.created_at

    @property
    def quota_guid(self) -> str:
        return stable_guid(self.guid, "quota")


@dataclass(frozen=True, slots=True)
class App:
    """An app; `started` is the desired state, not what runs."""

    guid: str
    name: str
    space_guid: str
    started: bool
    env: Mapping[str, str]
    cwd: Path | None
    created_at: int
    updated_at: int
    files: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    sidecars: tuple[SidecarConfig, ...] = ()
    autoscaler: Mapping[str, Any] | None = None
    features: frozenset[str] = frozenset({"ssh"})

    @property
    def state(self) -> str:
        return "STARTED" if self.started else "STOPPED"

    @property
    def droplet_guid(self) -> str:
        return stable_guid(self.guid, "droplet")

    @property
    def package_guid(self) -> str:
        return stable_guid(self.guid, "package")


@dataclass(frozen=True, slots=True)
class Process:
    """A process type of an app; each start of the app gives it a new `version`."""

    guid: str
    app_guid: str
    type: str
    command: str
    instances: int
    memory_mb: int
    health_check_timeout: int | None
    version: str
    created_at: int
    updated_at: int
    health_check: HealthCheck = BY_PROCESS
    disk_mb: int = DISK_MB
    log_bytes_per_second: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Workload:
    """One generation of a process, with everything that Diego needs to run it and to speak of it."""

    space: Space
    app: App
    process: Process

    @property
    def org(self) -> Organization:
        return self.space.org

    @property
    def lrp_guid(self) -> str:
        """The name of this generation in Diego."""
        return lrp_guid(self.process)

    @property
    def source(self) -> str:
        """The source type of its log lines."""
        return f"APP/PROC/{self.process.type.upper()}"


def lrp_guid(process: Process) -> str:
    """Return Diego's name for the current generation of a process."""
    return f"{process.guid}-{process.version}"
