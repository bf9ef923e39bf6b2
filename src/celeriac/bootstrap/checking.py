"""The checkup over what the settings name; it opens the store as it is, and makes nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from celeriac.adapters.control import CeleryControl
from celeriac.adapters.sql import SqlStore
from celeriac.app.checkup import Checkup, ClusterProbes, PlatformProbes, StoreProbes
from celeriac.bootstrap.brokers import broker, results, trial
from celeriac.bootstrap.keeping import policy
from celeriac.bootstrap.platforms import CONSOLE, Foundations, address
from celeriac.bootstrap.process import steady_clock
from celeriac.settings import AnyPlatform, ClusterSettings, Settings

PATIENCE_S = 4.0
"""A platform that takes longer for one request is told as not answering, whatever its own setting allows."""


def checkup(
    settings: Settings,
    store: SqlStore,
    clock: Callable[[], float],
    ending: ExitStack,
    serving: Foundations | None = None,
) -> Checkup:
    """Return the checkup of all clusters and platforms of these settings; `ending` closes what it opens.

    `serving` is what the console that it belongs to reads platforms by, None if it belongs to none; both share one budget.
    """
    impatient = settings.model_copy(update={"platform": tuple(map(_impatient, settings.platform))})
    foundations = Foundations(impatient, CONSOLE, beside=serving)
    ending.callback(foundations.close)
    return Checkup(
        [_cluster(impatient, store, one, foundations, ending) for one in impatient.cluster],
        [_platform(one, foundations) for one in impatient.platform],
        StoreProbes(store.look(), store.journal(), settings.history.retention()),
        clock,
        serving=serving is not None,
    )


@contextmanager
def own_checkup(settings: Settings) -> Iterator[Checkup]:
    """Give a checkup by this process alone, whether anything runs or not."""
    stored = SqlStore(settings.store, tuple(one.name for one in settings.cluster))
    with stored.opened() as store, ExitStack() as ending:
        yield checkup(settings, store, steady_clock(), ending)


def _cluster(
    settings: Settings, store: SqlStore, cluster: ClusterSettings, foundations: Foundations, ending: ExitStack
) -> ClusterProbes:
    name = cluster.name
    asked, tried = broker(cluster), trial(cluster)
    for one in (asked, tried):
        if one is not None:
            ending.callback(one.close)
    watched = foundations.watched(cluster)
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
        foundation=watched.platform if watched else None,
        platforms=cluster.platforms,
        apps=cluster.apps,
        management=cluster.management is not None,
        enable_task_events=cluster.enable_task_events,
    )


def _platform(place: AnyPlatform, foundations: Foundations) -> PlatformProbes:
    return PlatformProbes(place.name, place.kind, address(place), foundations.rights(place))


def _impatient(place: AnyPlatform) -> AnyPlatform:
    return place.model_copy(update={"timeout": min(place.timeout, PATIENCE_S)})
