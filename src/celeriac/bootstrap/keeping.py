"""The keeper's role: one look after the other at each cluster, and what follows from them."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from celeriac.adapters.control import CeleryControl
from celeriac.adapters.sql import SqlStore
from celeriac.app.aftermath import Aftermath
from celeriac.app.beat_watch import BeatWatch
from celeriac.app.casualties import Archives, CasualtyWatch
from celeriac.app.events_switch import EventsSwitch
from celeriac.app.gather import Gatherer, Sources
from celeriac.app.heal import REMEMBERED_S, Aides, Keeper, Rules
from celeriac.app.keeper_trail import KeeperTrail
from celeriac.app.preserve import Preserver, Witnesses
from celeriac.bootstrap.auditing import audit
from celeriac.bootstrap.brokers import broker, results
from celeriac.bootstrap.naming import cluster_named, redaction
from celeriac.bootstrap.platforms import Foundations, polls
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.storing import open_store, wait_for_schema
from celeriac.core.desk import Past
from celeriac.core.limits import Policy
from celeriac.core.offline import Moment
from celeriac.ports import Audit, Pauses
from celeriac.settings import ClusterSettings, Settings

PAUSE_FILE = "PAUSE"
LOOK_S = 2.0
"""Time enough for the observer to store its next word."""


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


def keepers(settings: Settings, store: SqlStore, *, reached: Callable[[str], None] = lambda _: None) -> list[Keeper]:
    """Return one keeper for each cluster; they share the holder of the lease."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    foundations, told = Foundations(settings), audit(settings, store)
    return [
        Keeper(
            gatherer(settings, store, one, foundations),
            store.journal(),
            rules(settings, one.name, store.pauses()),
            holder=holder,
            aides=aides(settings, store, one, foundations, told),
            reached=reached,
        )
        for one in settings.cluster
    ]


def rules(settings: Settings, cluster: str, pauses: Pauses) -> Rules:
    """Return how a cluster's keeper judges and what it may do."""
    return Rules(
        limits=settings.heal.limits(),
        policy=lambda: policy(settings, cluster, pauses),
        cycle_s=settings.heal.cycle,
        lease_s=settings.heal.lease,
    )


def gatherer(settings: Settings, store: SqlStore, cluster: ClusterSettings, foundations: Foundations) -> Gatherer:
    """Return what looks at one cluster; clusters on one foundation share its connection and budget."""
    url = cluster.broker.get_secret_value()
    control = CeleryControl(url)
    watched = foundations.watched(cluster)
    poll_s, poll_on_suspicion_s = polls(settings, cluster)
    sources = Sources(
        history=store.history(cluster.name),
        broker=broker(cluster),
        control=control,
        hands=control,
        records=watched.records if watched else None,
        platform=watched.platform if watched else None,
        orders=watched.orders if watched else None,
        tasks=store.tasks(cluster.name),
        charts=store.charts(cluster.name),
        lives=store.tasks(cluster.name),
        results=results(cluster),
        poll_s=poll_s,
        poll_on_suspicion_s=poll_on_suspicion_s,
    )
    return Gatherer(cluster.name, sources, settings.heal.limits(), steady_clock())


def aides(
    settings: Settings, store: SqlStore, cluster: ClusterSettings, foundations: Foundations, told: Audit
) -> Aides:
    """Return what works beside one cluster's keeper; `told` is the audit trail that all clusters share."""
    watched = foundations.watched(cluster)
    witnesses = Witnesses(
        tasks=store.tasks(cluster.name),
        inspection=CeleryControl(cluster.broker.get_secret_value()),
        broker=broker(cluster),
        records=watched.records if watched else None,
    )

    def preserver() -> Preserver:
        """Crashes have threads of their own, so that no kill waits for one."""
        return Preserver(witnesses, store.casebook(), redaction(cluster), steady_clock())

    return Aides(
        switch=events_switch(told, cluster),
        casualties=casualty_watch(store, cluster),
        aftermath=Aftermath(cluster.name, preserver(), steady_clock()),
        preserver=preserver(),
        exhibits=store.casebook(),
        beat=beat_watch(settings, store, cluster.name),
        trail=KeeperTrail(told),
    )


def beat_watch(settings: Settings, store: SqlStore, cluster: str) -> BeatWatch:
    """Return what finds the periodic tasks of one cluster that come no more."""
    return BeatWatch(cluster, store.tasks(cluster), store.charts(cluster), settings.heal.limits(), steady_clock())


def events_switch(told: Audit, cluster: ClusterSettings) -> EventsSwitch | None:
    """Return what turns a cluster's task events on; None if the settings say never."""
    if cluster.enable_task_events == "never":
        return None
    control = CeleryControl(cluster.broker.get_secret_value())
    return EventsSwitch(cluster.name, control, told, steady_clock())


def casualty_watch(store: SqlStore, cluster: ClusterSettings) -> CasualtyWatch:
    """Return what finds out what becomes of the tasks of dead workers; it asks the broker on a connection of its own."""
    name = cluster.name
    archives = Archives(store.history(name), store.tasks(name), broker(cluster), store.casebook(), results(cluster))
    return CasualtyWatch(name, archives, steady_clock())


def policy(settings: Settings, cluster: str, pauses: Pauses) -> Policy:
    """Return what the keeper may do now: the settings' mode and windows, and who or what pauses it.

    The file PAUSE in the store's directory comes first: it works whatever else works or does not.
    """
    heal, now = settings.heal, time.time()
    why = paused(settings.store) or next((one.text for one in pauses.standing(now) if one.holds(cluster)), None)
    return heal.policy(heal.mode, why, heal.window(cluster, now))


def paused(directory: Path) -> str | None:
    """Return the reason in the file PAUSE, or None if there is no such file; one that cannot be read pauses too."""
    try:
        text = (directory / PAUSE_FILE).read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"the file {PAUSE_FILE} is there and cannot be read: {error.strerror}"
    return text.splitlines()[0] if text else f"the file {PAUSE_FILE} is in the data directory"


def one_look(settings: Settings, store: SqlStore, cluster: str | None) -> Moment:
    """Look at one cluster until the observer's next word, as the keeper does, and return the moment."""
    one = cluster_named(settings, cluster or settings.cluster[0].name)
    looking = gatherer(settings, store, one, Foundations(settings))
    book = store.journal().book(one.name, time.time() - REMEMBERED_S)
    try:
        looking.look(book)
        time.sleep(LOOK_S)
        seen = looking.look(book)
    finally:
        looking.close()
    return Moment(
        seen, Past(book.incidents, book.remedies), settings.heal.limits(), policy(settings, one.name, store.pauses())
    )
