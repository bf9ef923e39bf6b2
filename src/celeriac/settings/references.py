"""Whether the tables of the settings that name each other fit together."""

from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from celeriac.settings.access import AccessSettings
from celeriac.settings.console import ConsoleSettings, loopback
from celeriac.settings.local_platform import AnyPlatform
from celeriac.settings.maintenance import MaintenanceSettings
from celeriac.settings.platform import PlatformSettings

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (compared with)


class Cluster(Protocol):
    """What a `[[cluster]]` says of its platforms."""

    name: str
    apps: tuple[str, ...]
    app_labels: str | None

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return the names of its platforms."""


def mistakes(
    clusters: Sequence[Cluster], platforms: Sequence[AnyPlatform], windows: Sequence[MaintenanceSettings]
) -> Iterator[str]:
    """Yield what does not fit, each in a sentence."""
    yield from _twice("cluster", [one.name for one in clusters])
    yield from _twice("platform", [one.name for one in platforms])
    known = {one.name for one in clusters}
    for name in sorted({name for window in windows for name in window.clusters} - known):
        yield f"a [[heal.maintenance]] names the cluster {name!r}, and there is no such [[cluster]]"
    for cluster in clusters:
        yield from _of_cluster(cluster, platforms)


def _twice(kind: str, names: Sequence[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two [[{kind}]] tables have the name {name!r}"


def _of_cluster(cluster: Cluster, platforms: Sequence[AnyPlatform]) -> Iterator[str]:
    named = {one.name: one for one in platforms}
    for name in cluster.platforms:
        if name not in named:
            yield f"cluster {cluster.name!r} names the platform {name!r}, and there is no such [[platform]]"
    if bool(cluster.platforms) != bool(cluster.apps or cluster.app_labels):
        yield f"cluster {cluster.name!r} must have both platform and apps (or app_labels), or neither"
    labelled = any(isinstance(named.get(name), PlatformSettings) for name in cluster.platforms)
    if cluster.app_labels and not labelled:
        yield f"cluster {cluster.name!r} has app_labels, and no platform of it has labels; name its apps in apps"


def unfit(console: ConsoleSettings, access: AccessSettings, clusters: Sequence[str]) -> Iterator[str]:
    """Yield what of the sign-on does not fit the rest, each in a sentence."""
    if access.sign_on == "none" and not console.loopback:
        yield (
            f"console.host {console.host!r} can be reached from other machines and there is no sign-on; set "
            "access.sign_on, or use 127.0.0.1"
        )
    if access.sign_on == "none" and console.loopback and (which := _led_to(console)):
        yield (
            f"console.{which} tells of a proxy that leads others to {console.host}, and there is no sign-on; set "
            "access.sign_on, or leave it out"
        )
    if access.sign_on == "none" and console.cors_origins:
        yield "console.cors_origins lists pages of other sites and there is no sign-on; set access.sign_on"
    if console.host in EVERYWHERE and not (console.public_url or console.allowed_hosts):
        yield (
            f"console.host {console.host!r} listens everywhere, and no name that it is called by is given; set "
            "console.public_url, or console.allowed_hosts"
        )
    if access.sign_on == "oidc" and console.public_url is None:
        yield "access.sign_on is oidc and console.public_url is missing: the provider sends people back to it"
    for name in sorted({name for one in access.grant for name in one.clusters} - set(clusters)):
        yield f"an [[access.grant]] names the cluster {name!r}, and there is no such [[cluster]]"


def _led_to(console: ConsoleSettings) -> str | None:
    """Return which setting of a console on loopback makes sense only where others reach it too."""
    if console.public_url is not None and not loopback(urlsplit(console.public_url).hostname or ""):
        return "public_url"
    if not all(loopback(name) or loopback(urlsplit(f"//{name}").hostname or "") for name in console.allowed_hosts):
        return "allowed_hosts"
    return "trusted_proxies" if console.trusted_proxies else None
