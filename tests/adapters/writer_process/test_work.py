"""The recorder in a process of its own: what is handed over is stored once."""

import os
import signal

import pytest

from adapters.stored import NOW
from adapters.writer_process.flushes import batch, is_once, record, stored, tasks
from celeriac.adapters import writer_process
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Incarnation
from celeriac.core.redact import MASK
from celeriac.core.snapshot import Stream
from celeriac.ports import Batch
from harness import alive, freeze, wait_until


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
