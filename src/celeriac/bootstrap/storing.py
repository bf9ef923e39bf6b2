"""The store that the settings name, and the cluster that a flag names."""

import os
import threading

import structlog

from celeriac.adapters.sql import SqlStore
from celeriac.core.errors import SettingsError
from celeriac.settings import ClusterSettings, Settings

log = structlog.get_logger()


def open_store(settings: Settings) -> SqlStore:
    """Return the store; raises SettingsError if its directory cannot be used."""
    directory = settings.store
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds arguments and results of tasks
        probe = directory / f".celeriac-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsError(f"The setting store: the directory {directory} cannot be written: {why}.") from None
    return SqlStore(directory, tuple(one.name for one in settings.cluster))


def wait_for_schema(store: SqlStore, stopping: threading.Event) -> None:
    """Wait until `serve` or `migrate` has brought the schema up to date; a role started alone never changes it."""
    said = False
    while not stopping.is_set() and not store.current():
        if not said:
            log.warning("waiting for the store's schema: run `celeriac migrate`, or start `celeriac serve`")
            said = True
        stopping.wait(0.5)


def cluster_named(settings: Settings, name: str) -> ClusterSettings:
    """Return one cluster's settings; raises SettingsError with the names that there are."""
    for one in settings.cluster:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in settings.cluster)
    raise SettingsError(f"There is no [[cluster]] {name!r} in the settings; there are: {known}.")
