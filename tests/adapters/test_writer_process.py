"""The recorder in a process of its own: what is handed over is stored once, whatever becomes of that process."""

import contextlib
import os
import resource
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Listener

import msgspec
import pytest

from adapters.stored import NOW, Kept
from celeriac.adapters import writer_process
from celeriac.adapters.writer_process import Job, WriterProcess, serve
from celeriac.bootstrap.writing import _argv
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Incarnation
from celeriac.core.redact import MASK
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch, Opening
from harness import alive, freeze, wait_until


@pytest.fixture
def history(tmp_path):
    """Give what a writer has stored, to readers."""
    one = Kept(tmp_path / "history-a.db")
    yield one
    one.database.close()


@pytest.fixture
def start(history):
    """Start writers of that history; they are ended when the test ends."""
    with contextlib.ExitStack() as stack:

        def started(**job):
            one = WriterProcess(Job(str(history.database.path), "redacted", **job), _argv)
            stack.callback(one.close)
            return one

        yield started


@pytest.fixture
def writer(start):
    one = start()
    one.open()
    return one


def tasks(start, end, **more):
    return [
        Task(f"{n:08}-0000-4000-8000-000000000000", "RECEIVED", name="mail", first_at=NOW + n, received_at=NOW + n,
             state_at=NOW + n, **more)
        for n in range(start, end)
    ]  # fmt: skip


def batch(start, end, **more):
    return Batch(Stream(NOW + end), tasks(start, end, **more))


def stored(writer):
    """Wait until what was handed over is stored; raises what the writer says."""
    wait_until(lambda: not writer.busy(within=0.05), 30, "the batch is stored")


def is_once(history, number):
    """Tell that so many tasks are stored, each once, and counted once."""
    assert len(history.all()) == number
    history.check()
    return True


# Its work ------------------------------------------------------------------------------------------------------------


def test_what_is_handed_over_is_stored(writer, history):
    """Rows, lives and the observer's word, with their secrets left out."""
    life = Incarnation("celery@a", 7, NOW, NOW)
    writer.record(Batch(Stream(NOW), tasks(0, 100, kwargs="{'password': 'hunter2'}"), [life]))
    stored(writer)

    assert is_once(history, 100)
    assert {task.kwargs for task in history.all()} == {f"{{'password': '{MASK}'}}"}
    assert (history.history.incarnations(), history.history.stream()) == ([life], Stream(NOW))
    assert writer.written() == 100


def test_batch_after_batch(writer, history):
    """Those that bring nothing new write no rows."""
    for end in (10, 20, 20, 30):
        writer.record(batch(0, end))
        stored(writer)

    assert is_once(history, 30)
    assert writer.written() == 30


def test_nothing_handed_over_is_nothing_on_its_way(writer):
    assert not writer.busy()
    assert not writer.busy(within=0.01)


def test_a_batch_of_many_megabytes_is_handed_over_without_waiting(writer, history):
    """More than the socket takes at once: whoever listens to the broker goes on meanwhile."""
    freeze(writer.pid)
    writer.record(batch(0, 2000, args="x" * 10_000))
    assert writer.busy()
    assert writer.busy(within=0.2)

    os.kill(writer.pid, signal.SIGCONT)
    stored(writer)
    assert is_once(history, 2000)


def test_upkeep_is_done_while_nothing_comes(writer, history):
    """A partition that is full gets its other indexes by itself."""
    writer.record(batch(0, 10))
    stored(writer)
    with history.database.writing() as connection:
        connection.exec_driver_sql("UPDATE partitions SET opened_at = 1")
    os.kill(writer.pid, signal.SIGKILL)
    with pytest.raises(UnreachableError):
        record(writer, batch(10, 20))
    record(writer, batch(10, 20))

    wait_until(lambda: ("sealed",) in history.partitions("stage"), 20, "the old partition is sealed")
    assert is_once(history, 20)


def record(writer, one):
    writer.record(one)
    stored(writer)


def test_it_takes_up_what_was_stored_before(writer, start):
    """The lives of workers, and the name of the history."""
    life = Incarnation("celery@a", 7, NOW, NOW, beats=3)
    record(writer, Batch(Stream(NOW), (), [life]))
    first = writer.pid
    writer.close()
    again = start()
    opening = again.open()

    assert opening.incarnations == (life,)
    assert opening.identity
    assert again.pid != first


# Trouble -------------------------------------------------------------------------------------------------------------


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
        with pytest.raises(UnreachableError, match=r"the store .+history-a\.db cannot be used: .*No such file"):
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


def test_a_command_that_is_no_writer_is_an_error(tmp_path, monkeypatch):
    """It ends at once, or never answers."""
    monkeypatch.setattr(writer_process, "START_S", 1.0)
    for argv in (["/bin/false"], ["/bin/cat"], ["/nowhere/at/all"]):
        one = WriterProcess(Job(str(tmp_path / "x.db"), "full"), lambda _, argv=argv: argv)
        with pytest.raises(UnreachableError, match="the writer's process did not start"):
            one.open()
        assert one.pid is None
        one.close()


# Its end -------------------------------------------------------------------------------------------------------------


def test_closing_waits_for_what_is_on_its_way(writer, history):
    """What was handed over last is stored, and the process is gone."""
    pid = writer.pid
    writer.record(batch(0, 3000))
    writer.close()

    assert is_once(history, 3000)
    assert not alive(pid)


def test_closing_does_not_wait_for_ever(writer, monkeypatch):
    """A writer that stands still is killed."""
    monkeypatch.setattr(writer_process, "STOP_S", 0.2)
    pid = writer.pid
    freeze(pid)
    writer.record(batch(0, 10))
    writer.close()

    assert not alive(pid)


def test_closing_what_was_never_opened_is_nothing(start):
    start().close()


# The other side, in this process -------------------------------------------------------------------------------------


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
