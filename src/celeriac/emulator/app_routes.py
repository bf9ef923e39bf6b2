"""Routes: the addresses that apps are said to have. Nothing is routed here, they are shown only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from celeriac.emulator.entities import App, stable_guid

_ADDRESS = re.compile(r"(?P<name>[^:/]+)(:(?P<port>\d+))?(?P<path>/.*)?")
_LABELS_OF_A_DOMAIN = 2


@dataclass(frozen=True, slots=True)
class AppRoute:
    """One address in a space, and the apps that it leads to; with a port it is one of TCP, else one of HTTP."""

    guid: str
    url: str
    apps: tuple[App, ...]

    @property
    def created_at(self) -> int:
        return min(app.created_at for app in self.apps)

    @property
    def updated_at(self) -> int:
        return self.created_at

    @property
    def space_guid(self) -> str:
        return self.apps[0].space_guid

    @property
    def port(self) -> int | None:
        port = self._part("port")
        return int(port) if port else None

    @property
    def protocol(self) -> str:
        return "http" if self.port is None else "tcp"

    @property
    def path(self) -> str:
        return self._part("path")

    @property
    def host(self) -> str:
        """The first label of the name, if a domain is left without it and the route is not one of TCP."""
        name = self._part("name")
        labels = name.split(".")
        return labels[0] if self.port is None and len(labels) > _LABELS_OF_A_DOMAIN else ""

    @property
    def domain(self) -> str:
        return self._part("name").removeprefix(f"{self.host}.") if self.host else self._part("name")

    @property
    def domain_guid(self) -> str:
        return stable_guid("domain", self.domain)

    def _part(self, name: str) -> str:
        found = _ADDRESS.fullmatch(self.url)
        return (found[name] or "") if found else ""


def routes_of(apps: Iterable[App]) -> list[AppRoute]:
    """Return the routes of these apps; those of one space that have the same address share a route."""
    by_address: dict[tuple[str, str], list[App]] = {}
    for app in apps:
        for url in app.routes:
            by_address.setdefault((app.space_guid, url), []).append(app)
    return [
        AppRoute(stable_guid(space_guid, "route", url), url, tuple(found))
        for (space_guid, url), found in by_address.items()
    ]
