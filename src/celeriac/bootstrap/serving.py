"""The console's role: pages and API over the store."""

import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr

from celeriac.adapters.sql import SqlStore
from celeriac.app.app_queries import AppQueries
from celeriac.app.app_record_queries import AppRecordQueries, Told
from celeriac.app.capacity_queries import CapacityQueries, Meter
from celeriac.app.casebook_queries import CasebookQueries
from celeriac.app.checkup import Checkup
from celeriac.app.checkups import Checkups
from celeriac.app.commands import Commands
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.pausing import Pausing
from celeriac.app.queries import Apart, Queries
from celeriac.app.sources import Source, Sources
from celeriac.bootstrap.naming import redaction
from celeriac.bootstrap.platforms import CONSOLE, Foundations
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.storing import open_store, wait_for_schema
from celeriac.settings import ClusterSettings, Settings
from celeriac.web.app import create_app
from celeriac.web.server import Server


def run_console(settings: Settings, stopping: threading.Event) -> None:
    """Run pages and API until told to stop."""
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if not stopping.is_set():
            console(settings, store).run_until(stopping)


def console(settings: Settings, store: SqlStore) -> Server:
    """Return the console's server; it asks platforms on sessions of its own."""
    clock, foundations = steady_clock(), Foundations(settings, CONSOLE)
    journal = store.journal()
    sources = Sources(_source(one, store) for one in settings.cluster)
    pausing = Pausing(sources, store.pauses(), store.audit(), clock)
    kept = store.casebook()
    checkups = Checkups(lambda: _checkup(settings, store, clock, foundations), clock)
    watched = {one.name: foundations.watched(one) for one in settings.cluster}
    desks = {name: InquiryDesk(one.app_records) for name, one in watched.items() if one is not None}
    told = {one.name: Told(desks[one.name], redaction(one)) for one in settings.cluster if one.name in desks}
    meters = {one.name: Meter(store.loads(one.name), desks.get(one.name)) for one in settings.cluster}
    apps = AppQueries(sources, journal, clock)
    apart = Apart(
        pausing,
        CasebookQueries(journal, kept, kept),
        CapacityQueries(apps, meters, clock),
        checkups,
        AppRecordQueries(apps, told, clock),
    )
    queries = Queries(sources, journal, journal, clock, lambda: _disk_free(settings.store), apart)
    app = create_app(queries, Commands(queries, journal, journal, clock, store.audit()))
    return Server(app, settings.console.host, settings.console.port)


def _checkup(settings: Settings, store: SqlStore, clock: Callable[[], float], foundations: Foundations) -> Checkup:
    """Return what the doctor asks; the libraries of brokers and platforms are loaded when somebody wants it."""
    from celeriac.bootstrap.checking import checkup

    return checkup(settings, store, clock, ExitStack(), foundations)  # it lives as long as the process


def _source(cluster: ClusterSettings, store: SqlStore) -> Source:
    name = cluster.name
    return Source(
        name,
        cluster.broker_kind,
        store.history(name),
        store.tasks(name),
        store.charts(name),
        enable_task_events=cluster.enable_task_events,
    )


def _disk_free(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


def describe_api() -> dict[str, object]:
    """Return the OpenAPI document; it needs neither settings nor a store."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(
            store=Path(directory), cluster=(ClusterSettings(name="any", broker=SecretStr("redis://any")),)
        )
        with open_store(settings).opened() as store:
            return console(settings, store).describe()
