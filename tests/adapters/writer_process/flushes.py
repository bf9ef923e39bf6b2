"""Batches for a writer, handed over as an observer does."""

from adapters.stored import NOW
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch
from harness import wait_until


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


def record(writer, one):
    writer.record(one)
    stored(writer)
