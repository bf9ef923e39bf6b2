"""The console's role: pages and API over the store."""

import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr

from celeriac.adapters.sql import SqlStore
from celeriac.app.access.acting import Register
from celeriac.app.app_record_queries import Followers, Told
from celeriac.app.capacity_queries import Meter, Quotas
from celeriac.app.checkup import Checkup
from celeriac.app.checkups import Checkups
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.queries import Library
from celeriac.app.service import Service
from celeriac.app.sources import Source, Sources
from celeriac.bootstrap.access import Kept, signing_on
from celeriac.bootstrap.auditing import audit
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
    register = Register(audit(settings, store), clock)
    service = Service(library(settings, store, clock, foundations), register)
    entrance = signing_on(settings, Kept(store, register, clock))
    return Server(create_app(service, entrance, settings.console), settings.console)


def library(settings: Settings, store: SqlStore, clock: Callable[[], float], foundations: Foundations) -> Library:
    """Return what the console reads."""
    journal, kept = store.journal(), store.casebook()
    watched = {one.name: foundations.watched(one) for one in settings.cluster}
    desks = {name: InquiryDesk(one.app_records) for name, one in watched.items() if one is not None}
    return Library(
        sources=Sources(_source(one, store) for one in settings.cluster),
        journal=journal,
        requests=journal,
        pauses=store.pauses(),
        audit=store.audit(),
        break_glass=store.break_glass(),
        casebook=kept,
        exhibits=kept,
        checkups=Checkups(lambda: _checkup(settings, store, clock, foundations), clock),
        told={one.name: Told(desks[one.name], redaction(one)) for one in settings.cluster if one.name in desks},
        meters={one.name: Meter(store.loads(one.name), desks.get(one.name)) for one in settings.cluster},
        clock=clock,
        disk_free=lambda: _disk_free(settings.store),
        quotas=Quotas(),
        followers=Followers(),
    )


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
