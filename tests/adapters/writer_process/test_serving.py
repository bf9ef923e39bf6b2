"""The writer's side, in this process."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Listener

import msgspec
import pytest

from adapters.stored import NOW
from adapters.writer_process.flushes import batch, record
from celeriac.adapters import writer_process
from celeriac.adapters.writer_process import Job, WriterProcess, serve
from celeriac.core.errors import UnreachableError
from celeriac.ports import Opening


class Writing:
    """What a writer does, noted: it has so many pieces of upkeep to do."""

    def __init__(self, pieces=0, fails=()):
        self.said, self._pieces, self._fails = [], pieces, list(fails)

    def opening(self):
        return Opening("x")

    def record(self, batch):
        self.said.append("record")
        if self._fails:
            raise UnreachableError(self._fails.pop())
        return 1

    def tidy(self, now):
        self.said.append("tidy")
        self._pieces -= 1
        return self._pieces >= 0


@contextlib.contextmanager
def serving(writing):
    """Serve in a thread, over a real socket; give a `WriterProcess` whose child is a bystander."""
    threads = []

    def argv(path):
        threads.append(threading.Thread(target=serve, args=(path, lambda _: writing, lambda: NOW)))
        threads[-1].start()
        return ["/bin/sleep", "60"]

    one = WriterProcess(Job("x", "full"), argv)
    try:
        yield one
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer_process, "STOP_S", 0.1)  # the bystander does not end by itself
            one.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive(), "the end of the observer's side ends the writer"


def test_upkeep_never_keeps_a_batch_waiting_longer_than_its_share(monkeypatch):
    """However much of it there is, each batch is answered."""
    monkeypatch.setattr(writer_process, "TIDY_S", 0.0)
    writing = Writing(pieces=10**9)
    with serving(writing) as writer:
        writer.open()
        for _ in range(3):
            record(writer, batch(0, 1))

    assert writing.said.count("record") == 3
    assert writing.said.count("tidy") > 0


def test_a_flood_of_batches_does_not_end_upkeep(tmp_path):
    """The next one waits already after each: else the disk would fill."""
    writing, path = Writing(pieces=10), str(tmp_path / "writer")
    encode = msgspec.msgpack.Encoder().encode
    with Listener(path, "AF_UNIX") as listener, ThreadPoolExecutor() as threads:
        served = threads.submit(serve, path, lambda _: writing, lambda: NOW)
        with listener.accept() as link:
            for frame in (Job("x", "full"), batch(0, 1), batch(1, 2)):
                link.send_bytes(encode(frame))
            for _ in range(3):
                link.recv_bytes()
        served.result(10)

    assert writing.said[:13] == ["record", *["tidy"] * 11, "record"]


def test_an_error_of_the_store_is_answered():
    writing = Writing(fails=["the disk is full"])
    with serving(writing) as writer:
        writer.open()
        with pytest.raises(UnreachableError, match="the disk is full"):
            record(writer, batch(0, 1))
        record(writer, batch(0, 1))
        assert writer.written() == 1
