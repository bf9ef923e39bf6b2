"""A writer's process, and what it has stored."""

import contextlib

import pytest

from adapters.stored import Kept
from celeriac.adapters.writer_process import Job, WriterProcess
from celeriac.bootstrap.writing import _argv


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
