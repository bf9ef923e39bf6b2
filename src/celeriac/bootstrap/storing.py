"""The store that the settings name."""

import threading

import structlog

from celeriac.adapters.sql import SqlStore
from celeriac.bootstrap.naming import prepare
from celeriac.settings import Settings

log = structlog.get_logger()


def open_store(settings: Settings) -> SqlStore:
    """Return the store; raises SettingsError if its directory cannot be used."""
    prepare(settings.store)
    return SqlStore(settings.store, tuple(one.name for one in settings.cluster))


def wait_for_schema(store: SqlStore, stopping: threading.Event) -> None:
    """Wait until `serve` or `migrate` has brought the schema up to date; a role started alone never changes it."""
    said = False
    while not stopping.is_set() and not store.current():
        if not said:
            log.warning("waiting for the store's schema: run `celeriac migrate`, or start `celeriac serve`")
            said = True
        stopping.wait(0.5)
