"""Start-up settings, read and checked once."""

from celeriac.settings.model import (
    ClusterSettings,
    ConsoleSettings,
    HealSettings,
    PlatformSettings,
    Settings,
)
from celeriac.settings.sources import alone, read

__all__ = ["ClusterSettings", "ConsoleSettings", "HealSettings", "PlatformSettings", "Settings", "alone", "read"]
