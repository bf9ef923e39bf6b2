"""What Cloud Controller keeps: organization, space, apps and processes, and the workload that it hands to Diego.

All are values; a change makes a new one, so that an answer is rendered from one consistent moment.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac.emulator.config import SidecarConfig
from celeriac.emulator.health import BY_PROCESS, HealthCheck

_NAMESPACE = uuid.UUID("7f1d3c1e-9f62-4f0b-8f7e-5a8b2c0d4e6f")


def stable_guid(*names: str) -> str:
    """Return the same guid for the same names, so that an emulator started again is the same foundation."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def new_guid() -> str:
    """Return a guid that was never given before."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Organization:
    """The one organization; times are epoch seconds, here and below."""

    guid: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Space:
    """The one space."""

    guid: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class App:
    """An app; `started` is the desired state, not what runs."""

    guid: str
    name: str
    started: bool
    env: Mapping[str, str]
    cwd: Path | None
    created_at: int
    updated_at: int
    files: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)
    sidecars: tuple[SidecarConfig, ...] = ()

    @property
    def state(self) -> str:
        return "STARTED" if self.started else "STOPPED"


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
    disk_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Workload:
    """One generation of a process, with everything that Diego needs to run it and to speak of it."""

    org: Organization
    space: Space
    app: App
    process: Process

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
