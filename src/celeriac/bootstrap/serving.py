"""The console's role: pages and API over the store."""

import tempfile
import threading
from pathlib import Path

from pydantic import SecretStr

from celeriac.adapters.sql import SqlStore
from celeriac.app.commands import Commands
from celeriac.app.queries import Queries
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.storing import open_store, wait_for_schema
from celeriac.settings import ClusterSettings, Settings
from celeriac.web.app import create_app
from celeriac.web.server import Server


def run_console(settings: Settings, stopping: threading.Event) -> None:
    """Run pages and API until told to stop (uvicorn takes the signals itself)."""
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if not stopping.is_set():
            console(settings, store).run()


def console(settings: Settings, store: SqlStore) -> Server:
    """Return the console's server."""
    clock = steady_clock()
    journal = store.journal()
    histories = {one.name: store.history(one.name) for one in settings.cluster}
    brokers = {one.name: one.broker_kind for one in settings.cluster}
    queries = Queries(brokers, histories, journal, journal, clock)
    app = create_app(queries, Commands(queries, journal, journal, clock))
    return Server(app, settings.console.host, settings.console.port)


def describe_api() -> dict[str, object]:
    """Return the OpenAPI document; it needs neither settings nor a store."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(
            store=Path(directory), cluster=(ClusterSettings(name="any", broker=SecretStr("redis://any")),)
        )
        with open_store(settings).opened() as store:
            return console(settings, store).describe()
