"""Start-up settings, read and checked once."""

from celeriac.settings.cloudfoundry import check_store, unused_services
from celeriac.settings.local_platform import AnyPlatform, LocalPlatformSettings
from celeriac.settings.model import (
    ClusterSettings,
    ConsoleSettings,
    HealSettings,
    Settings,
)
from celeriac.settings.platform import PlatformSettings
from celeriac.settings.sources import alone, read

__all__ = [
    "AnyPlatform",
    "ClusterSettings",
    "ConsoleSettings",
    "HealSettings",
    "LocalPlatformSettings",
    "PlatformSettings",
    "Settings",
    "alone",
    "check_store",
    "read",
    "unused_services",
]
