"""The observer's role: one cluster's events into its history."""

import threading

from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.sql import SqlStore
from celeriac.app.ingest import Observer
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.storing import cluster_named, open_store, wait_for_schema
from celeriac.settings import Settings


def observer(settings: Settings, store: SqlStore, cluster: str) -> Observer:
    """Return one cluster's observer."""
    one = cluster_named(settings, cluster)
    stream = KombuEvents(one.broker.get_secret_value())
    return Observer(one.name, stream, store.history(one.name), steady_clock())


def run_observer(settings: Settings, cluster: str | None, stopping: threading.Event) -> None:
    """Run one cluster's observer until told to stop."""
    name = cluster or settings.cluster[0].name
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if not stopping.is_set():
            observer(settings, store, name).run(stopping)
