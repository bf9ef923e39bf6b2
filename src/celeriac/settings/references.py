"""Whether the tables of the settings that name each other fit together."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from celeriac.settings.local_platform import AnyPlatform
from celeriac.settings.maintenance import MaintenanceSettings
from celeriac.settings.platform import PlatformSettings


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
