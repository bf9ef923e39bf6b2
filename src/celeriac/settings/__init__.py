"""Start-up settings, read and checked once."""

from celeriac.settings.access import AccessSettings, AuditSettings, OidcSettings
from celeriac.settings.cloudfoundry import check_store, unused_services
from celeriac.settings.console import ConsoleSettings
from celeriac.settings.local_platform import AnyPlatform, LocalPlatformSettings
from celeriac.settings.model import (
    ClusterSettings,
    HealSettings,
    Settings,
)
from celeriac.settings.platform import PlatformSettings
from celeriac.settings.sources import alone, read

__all__ = [
    "AccessSettings",
    "AnyPlatform",
    "AuditSettings",
    "ClusterSettings",
    "ConsoleSettings",
    "HealSettings",
    "LocalPlatformSettings",
    "OidcSettings",
    "PlatformSettings",
    "Settings",
    "alone",
    "check_store",
    "read",
    "unused_services",
]
