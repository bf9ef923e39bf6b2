"""The checkup over what the settings name; it opens the store as it is, and makes nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

from celeriac.adapters.cloudfoundry import Session
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.sql import SqlStore
from celeriac.app.checkup import Checkup, ClusterProbes, PlatformProbes, StoreProbes
from celeriac.bootstrap.brokers import broker, results, trial
from celeriac.bootstrap.keeping import policy
from celeriac.bootstrap.platforms import platform
from celeriac.bootstrap.process import steady_clock
from celeriac.platform_ports import PlatformRights
from celeriac.settings import ClusterSettings, PlatformSettings, Settings

PATIENCE_S = 4.0
"""A platform that takes longer for one request is told as not answering, whatever its own setting allows."""


def checkup(
    settings: Settings, store: SqlStore, clock: Callable[[], float], ending: ExitStack, *, serving: bool
) -> Checkup:
    """Return the checkup of all clusters and platforms of these settings; `ending` closes what it opens."""
    impatient = settings.model_copy(update={"platform": tuple(map(_impatient, settings.platform))})
    sessions: dict[str, Session] = {}
    made = Checkup(
        [_cluster(impatient, store, one, sessions, ending) for one in impatient.cluster],
        [_platform(one, impatient, sessions) for one in impatient.platform],
        StoreProbes(store.look(), store.journal(), settings.history.retention()),
        clock,
        serving=serving,
    )
    for session in sessions.values():
        ending.callback(session.close)
    return made


@contextmanager
def own_checkup(settings: Settings) -> Iterator[Checkup]:
    """Give a checkup by this process alone, whether anything runs or not."""
    stored = SqlStore(settings.store, tuple(one.name for one in settings.cluster))
    with stored.opened() as store, ExitStack() as ending:
        yield checkup(settings, store, steady_clock(), ending, serving=False)


def _cluster(
    settings: Settings, store: SqlStore, cluster: ClusterSettings, sessions: dict[str, Session], ending: ExitStack
) -> ClusterProbes:
    name = cluster.name
    asked, tried = broker(cluster), trial(cluster)
    for one in (asked, tried):
        if one is not None:
            ending.callback(one.close)
    place = next((one for one in settings.platform if one.name == cluster.platform), None)
    pauses = store.pauses()
    return ClusterProbes(
        name=name,
        broker_kind=cluster.broker_kind,
        mode=settings.heal.mode,
        history=store.history(name),
        tasks=store.tasks(name),
        control=CeleryControl(cluster.broker.get_secret_value()),
        policy=lambda: policy(settings, name, pauses),
        trial=tried,
        broker=asked,
        results=results(cluster),
        foundation=platform(place, cluster.apps, sessions) if place else None,
        platform=cluster.platform,
        apps=cluster.apps,
        management=cluster.management is not None,
        enable_task_events=cluster.enable_task_events,
    )


def _platform(place: PlatformSettings, settings: Settings, sessions: dict[str, Session]) -> PlatformProbes:
    apps = tuple(app for one in settings.cluster if one.platform == place.name for app in one.apps)
    where = f"{place.api} ({place.org}/{place.space})"
    return PlatformProbes(place.name, place.kind, where, _rights(platform(place, apps, sessions)))


def _rights(adapter: object) -> PlatformRights | None:
    """Return what tells our rights; None where a platform's adapter tells none."""
    tells = all(hasattr(adapter, name) for name in ("rights", "clock_ahead"))
    return cast("PlatformRights", adapter) if tells else None


def _impatient(place: PlatformSettings) -> PlatformSettings:
    return place.model_copy(update={"timeout": min(place.timeout, PATIENCE_S)})
