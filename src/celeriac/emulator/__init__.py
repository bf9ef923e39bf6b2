"""A local Cloud Foundry: the API v3, UAA and log cache of a few spaces, with real processes as its instances.

It keeps everything in memory and is for demonstrations and tests. It follows the platform where workers are watched and
restarted (states, crashes, back-off, generations, logs, audit events) and answers nothing else.
"""

from celeriac.emulator.config import (
    AppConfig,
    ClientConfig,
    EmulatorConfig,
    OrganizationConfig,
    ProcessConfig,
    QuotaConfig,
    Role,
    RolesConfig,
    SidecarConfig,
    SpaceConfig,
    TokenConfig,
    UserConfig,
    load,
)
from celeriac.emulator.faults import Fault, FaultKind
from celeriac.emulator.manifest import Manifest
from celeriac.emulator.manifest_variables import read_variables
from celeriac.emulator.server import Emulator, serve
from celeriac.emulator.tables import EmulatorConfigError

__all__ = [
    "AppConfig",
    "ClientConfig",
    "Emulator",
    "EmulatorConfig",
    "EmulatorConfigError",
    "Fault",
    "FaultKind",
    "Manifest",
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
    "read_variables",
    "serve",
]
