"""The observer's role: one cluster's events into its history."""

import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Iterator

import structlog

from celeriac.app.ingest import Observer, Sampled
from celeriac.app.load_watch import LoadWatch
from celeriac.app.sampling import Sampler
from celeriac.bootstrap.brokers import broker, reader
from celeriac.bootstrap.naming import cluster_named
from celeriac.bootstrap.process import steady_clock
from celeriac.bootstrap.storing import open_store
from celeriac.bootstrap.writing import writer
from celeriac.core.errors import PortError
from celeriac.core.memory import Board
from celeriac.core.model import Pool
from celeriac.core.snapshot import Stream
from celeriac.ports import Opening, Recorder
from celeriac.processes import backoff
from celeriac.settings import ClusterSettings, Settings

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
    with _sampler(settings, one, stopping) as sampled:
        observer = Observer(one.name, reader(one, opening.identity), recorder, opening, steady_clock(), sampled)
        observer.run(stopping, seen)


@contextlib.contextmanager
def _sampler(settings: Settings, cluster: ClusterSettings, stopping: threading.Event) -> Iterator[Sampled]:
    """Sample the broker's queues, where they can be asked, and how busy apps are, each in a thread."""
    asked = broker(cluster)
    with open_store(settings).opened() as store, contextlib.ExitStack() as stack:
        journal = store.journal()

        def board() -> Board | None:
            return journal.board(cluster.name)

        def pools() -> dict[str, Pool]:
            seen = board()
            return seen.pools if seen else {}

        sampler = (
            Sampler(cluster.name, asked, steady_clock(), tasks=store.tasks(cluster.name), pools=pools)
            if asked
            else None
        )
        loads = LoadWatch(cluster.name, board, sampler.depths if sampler else dict, steady_clock())
        for name, each in (("queues", sampler), ("loads", loads)):
            if each is not None:
                stack.enter_context(_running(each.run, name, stopping))
        yield lambda *flush: (sampler.take(*flush) if sampler else (), loads.take())


@contextlib.contextmanager
def _running(run: Callable[[threading.Event], None], name: str, stopping: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=run, args=(stopping,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=10)


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
