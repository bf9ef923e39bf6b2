"""The writer's process: one cluster's history, written for the observer that started it."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.adapters.writer_process import Job, WriterProcess, serve
from celeriac.bootstrap.process import steady_clock
from celeriac.core.redact import Payloads, Redaction
from celeriac.core.secret_words import WORDS
from celeriac.settings import ClusterSettings, Settings


def writer(settings: Settings, cluster: ClusterSettings, *, migrate: bool = False) -> WriterProcess:
    """Return the observer's side: the process starts when it is opened."""
    job = Job(
        database=str(settings.store / f"history-{cluster.name}.db"),
        payloads=cluster.payloads.value,
        secret_words=cluster.secret_words,
        retention=settings.history.retention(),
        migrate=migrate,
    )
    return WriterProcess(job, _argv)


def run_writer(path: str) -> None:
    """Write what comes over this socket until it closes."""
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 20)  # a flush makes many objects, and no cycles
    serve(path, _start, steady_clock())


def _start(job: Job) -> SqlRecorder:
    database = Database(Path(job.database), "history")
    redaction = Redaction(Payloads(job.payloads), (*WORDS, *job.secret_words))
    return SqlRecorder(database, redaction, job.retention, migrate=job.migrate)


def _argv(path: str) -> Sequence[str]:
    return [sys.executable, "-m", "celeriac", "writer", path]
