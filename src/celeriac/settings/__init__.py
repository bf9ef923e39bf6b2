"""Start-up settings, read and checked once."""

from celeriac.settings.cloudfoundry import check_store, unused_services
from celeriac.settings.model import (
    ClusterSettings,
    ConsoleSettings,
    HealSettings,
    Settings,
)
from celeriac.settings.platform import PlatformSettings
from celeriac.settings.sources import alone, read

__all__ = [
    "ClusterSettings",
    "ConsoleSettings",
    "HealSettings",
    "PlatformSettings",
    "Settings",
    "alone",
    "check_store",
    "read",
    "unused_services",
]
