"""Which node runs where: incarnations and platform instances joined into places.

On Cloud Foundry the host part of a node name is the instance guid (`worker@$CF_INSTANCE_GUID`, or `%h`), so the map
follows from one read of the platform; guids of earlier lives come from the store.
"""

from collections import defaultdict

from msgspec import Struct

from celeriac.core.model import App, Incarnation, Instance, Place
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen

MISSING = "MISSING"
"""The state of a watched app that the platform does not show."""


class Site(Struct, frozen=True):
    """One place with what is there now: its instance (if a platform maps it) and its newest incarnation."""

    place: Place
    app: App | None = None
    instance: Instance | None = None
    incarnation: Incarnation | None = None
    twins: int = 0
    neighbours: tuple[Incarnation, ...] = ()


def host(node: str) -> str:
    """Return the host part of a node name."""
    return node.rpartition("@")[2]


def sites(seen: Seen) -> tuple[Site, ...]:
    """Return every place of a cluster, mapped ones first; earlier lives of a mapped place are left out."""
    by_host: dict[str, list[Incarnation]] = defaultdict(list)
    for one in seen.incarnations:
        by_host[host(one.node)].append(one)
    mapped = _mapped(seen, by_host)
    taken = {incarnation.node for site in mapped for incarnation in (site.incarnation, *site.neighbours) if incarnation}
    former = {lived.guid for lived in seen.lived}
    bare = [one for one in seen.incarnations if one.node not in taken and host(one.node) not in former]
    return (*mapped, *_bare(seen.cluster, bare))


def _mapped(seen: Seen, by_host: dict[str, list[Incarnation]]) -> list[Site]:
    if not isinstance(seen.platform, Known):
        return _remembered(seen, by_host, None)
    # An app that has gone from sight may be gone, or we may have lost our role: its workers are not forgotten.
    missing: set[tuple[str | None, str | None]] = {
        (app.platform, app.name) for app in seen.platform.value if app.state == MISSING
    }
    found = _remembered(seen, by_host, missing)
    for app in (one for one in seen.platform.value if (one.platform, one.name) not in missing):
        for instance in app.instances:
            place = instance.place(seen.cluster)
            found += _in_container(place, app, instance, by_host.get(instance.guid or "", []))
    return found


def _remembered(
    seen: Seen, by_host: dict[str, list[Incarnation]], apps: set[tuple[str | None, str | None]] | None
) -> list[Site]:
    """Without the platform's word on these apps (None: on any), keep each place by the newest guid that it had."""
    newest: dict[Place, tuple[float, str]] = {}
    for lived in seen.lived:
        newest[lived.place] = max(newest.get(lived.place, (0.0, "")), (lived.seen_at, lived.guid))
    found: list[Site] = []
    for place, (_, guid) in newest.items():
        if by_host.get(guid) and (apps is None or (place.platform, place.app) in apps):
            found += _in_container(place, None, None, by_host[guid])
    return found


def _in_container(place: Place, app: App | None, instance: Instance | None, there: list[Incarnation]) -> list[Site]:
    """Return one site, or one for each node when several share the container."""
    lives = newest_lives(there)
    if len(lives) <= 1:
        one, twins = lives[0] if lives else (None, 0)
        return [Site(place, app, instance, one, twins)]
    return [
        Site(
            Place(place.cluster, place.platform, place.app, place.process, place.index, one.node),
            app,
            instance,
            one,
            twins,
            tuple(other for other, _ in lives if other is not one),
        )
        for one, twins in lives
    ]


def _bare(cluster: str, there: list[Incarnation]) -> list[Site]:
    return [
        Site(Place(cluster=cluster, node=one.node), incarnation=one, twins=twins) for one, twins in newest_lives(there)
    ]


def newest_lives(there: list[Incarnation]) -> list[tuple[Incarnation, int]]:
    """Return the newest incarnation of each node name, with how many others of that name spoke since it was born.

    One that has said goodbye gives way to another that speaks on: RabbitMQ refuses a second process of a name its queue for
    remote control, and that one ends at once beside the first, which is well.
    """
    by_node: dict[str, list[Incarnation]] = defaultdict(list)
    for one in there:
        by_node[one.node].append(one)
    lives = []
    for group in by_node.values():
        newest = max(group, key=lambda one: (one.first_seen_at, one.pid))
        newest = max((one for one in group if _outlives(one, newest)), key=lambda one: one.last_seen_at, default=newest)
        twins = sum(other is not newest and other.last_seen_at > newest.first_seen_at + newest.freq for other in group)
        lives.append((newest, twins))
    return lives


def _outlives(one: Incarnation, newest: Incarnation) -> bool:
    """Tell whether it speaks on after the newest of its name has said goodbye."""
    return newest.offline and not one.offline and one.last_seen_at > newest.last_seen_at
