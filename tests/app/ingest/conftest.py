"""An observer on a stream in memory and a real history."""

import pytest

from app.virtual import MemoryStream
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.app.ingest import Observer
from celeriac.core.errors import UnreachableError
from celeriac.core.redact import Redaction
from celeriac.core.search import TaskFilter
from celeriac.ports import Batch, Opening
from core.builders import CLUSTER


class Shelf:
    """A `Recorder` on a real history; while `away` nothing is stored, while `slow` nothing is stored yet."""

    def __init__(self, history) -> None:
        self._recorder = SqlRecorder(history._database, Redaction())
        self._batch: Batch | None = None
        self._rows = 0
        self.away = self.slow = False
        self.batches: list[Batch] = []
        self.closed = 0

    def open(self) -> Opening:
        return self._recorder.opening()

    def record(self, batch: Batch) -> None:
        assert self._batch is None, "one batch at a time"
        self._batch = batch
        self.batches.append(batch)

    def busy(self, within: float = 0.0) -> bool:
        if self._batch is None or self.slow:
            return self._batch is not None
        batch, self._batch = self._batch, None
        if self.away:
            message = "the disk is full"
            raise UnreachableError(message)
        self._rows += self._recorder.record(batch)
        return False

    def written(self) -> int:
        return self._rows

    def close(self) -> None:
        self.busy()
        self.closed += 1


@pytest.fixture
def stream(clock):
    return MemoryStream(clock)


@pytest.fixture
def shelf(history):
    return Shelf(history)


@pytest.fixture
def observer(stream, shelf, clock):
    return Observer(CLUSTER, stream, shelf, shelf.open(), clock)


@pytest.fixture
def tasks(store):
    """Return the stored tasks, newest first."""
    return lambda: [row.task for row in store.tasks(CLUSTER).find(TaskFilter(limit=1000)).rows]


@pytest.fixture
def watch(observer, clock, stream):
    """Let the observer work for so many seconds; while the broker is away it waits as `run` does."""

    def work(seconds: float) -> None:
        until = clock() + seconds
        while clock() < until:
            if not observer.step():
                clock.pass_(0.2)

    return work
