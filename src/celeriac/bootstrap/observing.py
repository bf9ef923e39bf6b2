"""The observer's role: one cluster's events into its history."""

import gc
import sys
import threading
from collections.abc import Callable

import structlog

from celeriac.app.ingest import Observer
from celeriac.bootstrap.brokers import reader
from celeriac.bootstrap.naming import cluster_named
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.writing import writer
from celeriac.core.errors import PortError
from celeriac.core.snapshot import Stream
from celeriac.ports import Opening, Recorder
from celeriac.processes import backoff
from celeriac.settings import Settings

SWITCH_S = 0.0005
"""The thread that drains Redis' socket must not wait 5 ms for its turn, or Redis cuts us off in a burst."""

log = structlog.get_logger()


def run_observer(
    settings: Settings,
    cluster: str | None,
    stopping: threading.Event,
    *,
    migrate: bool = False,
    seen: Callable[[Stream], None] = lambda _: None,
) -> None:
    """Run one cluster's observer until told to stop; `seen` is told now and then how well it hears."""
    one = cluster_named(settings, cluster or settings.cluster[0].name)
    recorder = writer(settings, one, migrate=migrate)
    opening = _opened(recorder, stopping)
    if opening is None:
        return
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)  # events make no cycles, and walking over 100,000 tasks takes long
    observer = Observer(one.name, reader(one, opening.identity), recorder, opening, steady_clock())
    observer.run(stopping, seen)


def _opened(recorder: Recorder, stopping: threading.Event) -> Opening | None:
    """Wait until the history can be written; None if told to stop meanwhile."""
    said, failures = "", 0
    while not stopping.is_set():
        try:
            return recorder.open()
        except PortError as error:
            if str(error) != said:
                said = str(error)
                log.warning("waiting for the store", why=said)
            failures += 1
            stopping.wait(backoff(failures, cap=5.0))
    recorder.close()
    return None
