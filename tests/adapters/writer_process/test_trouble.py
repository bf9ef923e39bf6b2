"""Whatever becomes of the writer's process or of the store: what is handed over again is stored once."""

import contextlib
import os
import resource
import signal
import sqlite3
import tempfile

import pytest

from adapters.writer_process.flushes import batch, is_once, record, stored
from celeriac.adapters import writer_process
from celeriac.adapters.writer_process import Job, WriterProcess
from celeriac.core.errors import UnreachableError
from harness import alive, freeze, wait_until


def test_a_writer_killed_between_two_batches_is_started_again(writer, history):
    """The next batch fails once, and is stored when it is handed over again."""
    record(writer, batch(0, 10))
    killed = writer.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not alive(killed), 10, "the writer is dead")

    with pytest.raises(UnreachableError, match="the writer's process has ended; it is started again"):
        record(writer, batch(5, 20))
    assert not writer.busy(), "it is said once"
    record(writer, batch(5, 20))

    assert writer.pid not in (None, killed)
    assert is_once(history, 20)


@pytest.mark.parametrize("moment", ["before it reads", "while it writes", "after it wrote"])
def test_a_writer_killed_while_a_batch_is_on_its_way_stores_it_once(writer, history, moment):
    """Whether its transaction had ended or not, nobody knows: handed over again it is there once."""
    record(writer, batch(0, 10))
    killed, flush = writer.pid, batch(5, 3000, args="x" * 500)
    with contextlib.ExitStack() as stack:
        if moment == "before it reads":
            freeze(killed)
        if moment == "while it writes":
            stack.enter_context(locked(history))
        writer.record(flush)
        if moment == "after it wrote":
            wait_until(lambda: len(history.all()) == 3000, 20, "the batch is in the store")
        os.kill(killed, signal.SIGKILL)
        with contextlib.suppress(UnreachableError):
            stored(writer)
            assert moment == "after it wrote"
    wait_until(lambda: is_taken(writer, flush), 30, "the batch is taken")

    assert writer.pid != killed
    assert is_once(history, 3000)


def is_taken(writer, flush):
    """Hand it over once more, as an observer does."""
    with contextlib.suppress(UnreachableError):
        record(writer, flush)
        return True


@contextlib.contextmanager
def locked(history):
    with contextlib.closing(sqlite3.connect(history.database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_writer_that_stands_still_is_waited_for_and_then_started_again(writer, history, monkeypatch):
    """As long as it may take, it is busy; then it is said once, and the batch is handed over again."""
    monkeypatch.setattr(writer_process, "ANSWER_S", 1.0)
    record(writer, batch(0, 10))
    stopped = writer.pid
    freeze(stopped)
    writer.record(batch(5, 20))
    assert writer.busy(within=0.1)
    with pytest.raises(UnreachableError, match="the writer has not answered for 1 s; it is started again"):
        stored(writer)
    assert not writer.busy()
    assert not alive(stopped)

    record(writer, batch(5, 20))
    assert is_once(history, 20)


def test_what_the_store_says_is_said_and_the_writer_goes_on(writer, history):
    """A store that is away ends no writer: it is asked again."""
    record(writer, batch(0, 10))
    same = writer.pid
    folder = history.database.path.parent
    away = folder.rename(folder.with_name("away"))
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"the store .+history-a\.db cannot be used: .*it is not there"):
            record(writer, batch(5, 20))
    away.rename(folder)
    record(writer, batch(5, 20))

    assert writer.pid == same
    assert is_once(history, 20)


def test_a_full_disk_ends_no_writer(writer, history):
    """As far as it can tell: its files may not grow. When there is room again the same batch is stored."""
    record(writer, batch(0, 10))
    same, unlimited = writer.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(same, resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    for _ in range(2):
        with pytest.raises(UnreachableError, match="disk"):
            record(writer, batch(5, 500, args="x" * 5000))
    record(writer, batch(0, 11))
    resource.prlimit(same, resource.RLIMIT_FSIZE, unlimited)
    record(writer, batch(5, 500, args="x" * 5000))

    assert writer.pid == same
    assert is_once(history, 500)


def test_a_batch_is_never_taken_for_stored_by_a_writer_that_could_not_open(start, history):
    """Started anew while the store is away, it must open it before it takes the batch."""
    writer = start()
    writer.open()
    os.kill(writer.pid, signal.SIGKILL)
    folder = history.database.path.parent
    away = folder.rename(folder.with_name("away"))
    processes = []
    for _ in range(4):
        with pytest.raises(UnreachableError):
            record(writer, batch(0, 10))
        processes.append(writer.pid)
    away.rename(folder)
    record(writer, batch(0, 10))

    assert is_once(history, 10)
    assert len(set(processes[1:])) == 1, "the one that waits is not started again with each try"


def test_a_store_that_is_not_ready_is_asked_again(start, history):
    """The same process waits for it; `celeriac migrate` makes it ready."""
    path = history.database.path
    history.database.close()
    kept = path.rename(path.with_suffix(".kept"))
    writer = start()
    for _ in range(2):
        with pytest.raises(UnreachableError, match="celeriac migrate"):
            writer.open()
    waiting = writer.pid
    kept.rename(path)

    assert writer.open().identity
    assert writer.pid == waiting


def test_it_makes_its_schema_if_it_may(start, history):
    """`celeriac observe` stands alone."""
    for path in history.database.path.parent.glob("history-a.db*"):
        path.unlink()
    writer = start(migrate=True)
    writer.open()
    record(writer, batch(0, 10))

    assert is_once(history, 10)


def test_two_writers_of_one_history(writer, start, history):
    """The second says so, and takes over when the first ends, however it ends."""
    second = start()
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"another observer writes history-a\.db"):
            second.open()
    record(writer, batch(0, 10))
    os.kill(writer.pid, signal.SIGKILL)
    wait_until(lambda: opened(second), 10, "the second has taken over")
    record(second, batch(5, 20))

    assert is_once(history, 20)


def opened(writer):
    with contextlib.suppress(UnreachableError):
        return writer.open()


def test_a_writer_that_cannot_be_started_is_tried_again(writer, history, tmp_path, monkeypatch):
    """There is no folder for its socket: the batch is handed over again, and stored when there is one."""
    record(writer, batch(0, 10))
    killed = writer.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not alive(killed), 10, "the writer is dead")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UnreachableError):
        record(writer, batch(5, 20))
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"the writer's process cannot be started: .*No such file"):
            record(writer, batch(5, 20))
    monkeypatch.undo()
    record(writer, batch(5, 20))

    assert is_once(history, 20)


def test_a_command_that_is_no_writer_is_an_error(tmp_path, monkeypatch):
    """It ends at once, or never answers."""
    monkeypatch.setattr(writer_process, "START_S", 1.0)
    for argv in (["/bin/false"], ["/bin/cat"], ["/nowhere/at/all"]):
        one = WriterProcess(Job(str(tmp_path / "x.db"), "full"), lambda _, argv=argv: argv)
        with pytest.raises(UnreachableError, match="the writer's process did not start"):
            one.open()
        assert one.pid is None
        one.close()
