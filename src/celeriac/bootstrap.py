"""The composition root: settings become adapters, adapters become services; the only module that names an adapter."""

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import SecretStr

from celeriac.adapters.cloudfoundry import CloudFoundry, Credentials, Session
from celeriac.adapters.control import CeleryControl
from celeriac.adapters.kombu_events import KombuEvents
from celeriac.adapters.redis_broker import RedisBroker
from celeriac.adapters.sql import SqlStore
from celeriac.app.commands import Commands
from celeriac.app.gather import Gatherer, Sources
from celeriac.app.heal import REMEMBERED_S, Keeper, Rules
from celeriac.app.ingest import Observer
from celeriac.app.queries import Queries
from celeriac.core.decide import Past
from celeriac.core.errors import PortError, SettingsError, UnreachableError
from celeriac.core.limits import Policy
from celeriac.core.offline import Moment
from celeriac.settings import ClusterSettings, PlatformSettings, Settings
from celeriac.web.app import create_app
from celeriac.web.server import Server

PAUSE_FILE = "PAUSE"
LOOK_S = 2.0
"""Time enough for the observer to store its next word."""

log = structlog.get_logger()


def steady_clock() -> Callable[[], float]:
    """Return a clock in seconds since the epoch that never jumps: the wall clock now, moved on by the monotonic one."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


def configure_logging(role: str) -> None:
    """Log one line an event on standard error, with the role's name."""
    structlog.configure(
        processors=[
            lambda _, __, event: {"role": role, **event},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.KeyValueRenderer(key_order=["at", "level", "role", "cluster", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def open_store(settings: Settings) -> SqlStore:
    """Return the store; raises SettingsError if its directory cannot be used."""
    directory = settings.store
    try:
        directory.mkdir(parents=True, exist_ok=True)
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


def observer(settings: Settings, store: SqlStore, cluster: str) -> Observer:
    """Return one cluster's observer."""
    one = _cluster(settings, cluster)
    stream = KombuEvents(one.broker.get_secret_value())
    return Observer(one.name, stream, store.history(one.name), steady_clock())


def gatherer(settings: Settings, store: SqlStore, cluster: ClusterSettings, sessions: dict[str, Session]) -> Gatherer:
    """Return what looks at one cluster; clusters on one platform share its session."""
    url = cluster.broker.get_secret_value()
    place = next((one for one in settings.platform if one.name == cluster.platform), None)
    sources = Sources(
        history=store.history(cluster.name),
        broker=RedisBroker(url),
        control=CeleryControl(url),
        platform=platform(place, cluster.apps, sessions) if place else None,
        poll_s=place.poll if place else 10.0,
        poll_on_suspicion_s=place.poll_on_suspicion if place else 2.0,
    )
    return Gatherer(cluster.name, sources, settings.heal.limits(), steady_clock())


def platform(place: PlatformSettings, apps: tuple[str, ...], sessions: dict[str, Session]) -> CloudFoundry:
    """Return the adapter for one cluster's apps."""
    if place.name not in sessions:
        sessions[place.name] = session(place)
    return CloudFoundry(place.name, sessions[place.name], org=place.org, space=place.space, selectors=apps)


def session(place: PlatformSettings) -> Session:
    """Return a connection to a foundation; it logs in with its first request."""
    credentials = Credentials(
        setting=f"platform.{place.name}",
        username=place.username,
        password=place.password.get_secret_value() if place.password else None,
        client_id=place.client_id,
        client_secret=place.client_secret.get_secret_value() if place.client_secret else None,
    )
    try:
        return Session(place.api, credentials, timeout=place.timeout, ca_file=place.ca_file)
    except OSError as error:
        raise SettingsError(f"The setting platform.{place.name}.ca_file: {place.ca_file}: {error}.") from None


def check_logins(settings: Settings) -> list[str]:
    """Log in to every platform once: SettingsError if one refuses; return those that are not there yet."""
    absent = []
    for place in settings.platform:
        one = session(place)
        try:
            one.log_in()
        except UnreachableError as error:
            absent.append(f"platform {place.name} is not there yet: {error}")
        except PortError as error:
            raise SettingsError(f"{error}.") from None
        finally:
            one.close()
    return absent


def keepers(settings: Settings, store: SqlStore, *, reached: Callable[[str], None] = lambda _: None) -> list[Keeper]:
    """Return one keeper for each cluster; they share the holder of the lease."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    sessions: dict[str, Session] = {}
    rules = Rules(
        limits=settings.heal.limits(),
        policy=lambda: policy(settings),
        cycle_s=settings.heal.cycle,
        lease_s=settings.heal.lease,
    )
    return [
        Keeper(gatherer(settings, store, one, sessions), store.journal(), rules, holder=holder, reached=reached)
        for one in settings.cluster
    ]


def policy(settings: Settings) -> Policy:
    """Return what the keeper may do now: the settings' mode, and the file PAUSE in the store's directory."""
    return settings.heal.policy(settings.heal.mode, paused(settings.store))


def paused(directory: Path) -> str | None:
    """Return the reason in the file PAUSE, or None if there is no such file; one that cannot be read pauses too."""
    try:
        text = (directory / PAUSE_FILE).read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"the file {PAUSE_FILE} is there and cannot be read: {error.strerror}"
    return text.splitlines()[0] if text else f"the file {PAUSE_FILE} is in the data directory"


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


def one_look(settings: Settings, store: SqlStore, cluster: str | None) -> Moment:
    """Look at one cluster until the observer's next word, as the keeper does, and return the moment."""
    one = _cluster(settings, cluster or settings.cluster[0].name)
    looking = gatherer(settings, store, one, {})
    book = store.journal().book(one.name, time.time() - REMEMBERED_S)
    try:
        looking.look(book)
        time.sleep(LOOK_S)
        seen = looking.look(book)
    finally:
        looking.close()
    return Moment(seen, Past(book.incidents, book.remedies), settings.heal.limits(), policy(settings))


def run_observer(settings: Settings, cluster: str | None, stopping: threading.Event) -> None:
    """Run one cluster's observer until told to stop."""
    name = cluster or settings.cluster[0].name
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if not stopping.is_set():
            observer(settings, store, name).run(stopping)


def run_keeper(
    settings: Settings, stopping: threading.Event, *, reached: Callable[[str], None] = lambda _: None
) -> None:
    """Run a keeper, a thread for each cluster, until told to stop."""
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if stopping.is_set():
            return
        threads = [
            threading.Thread(target=one.run, args=(stopping,), name="keeper", daemon=True)
            for one in keepers(settings, store, reached=reached)
        ]
        for thread in threads:
            thread.start()
        while not stopping.wait(0.5):
            if not all(thread.is_alive() for thread in threads):
                stopping.set()  # a defect: end, so that the supervisor starts it anew
        for thread in threads:
            thread.join(timeout=10)


def run_console(settings: Settings, stopping: threading.Event) -> None:
    """Run pages and API until told to stop (uvicorn takes the signals itself)."""
    with open_store(settings).opened() as store:
        wait_for_schema(store, stopping)
        if not stopping.is_set():
            console(settings, store).run()


def until_signalled() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    return stopping


def _cluster(settings: Settings, name: str) -> ClusterSettings:
    for one in settings.cluster:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in settings.cluster)
    raise SettingsError(f"There is no [[cluster]] {name!r} in the settings; there are: {known}.")
