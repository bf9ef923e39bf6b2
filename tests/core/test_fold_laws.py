"""The law of folding: neither the order of events nor their repetition changes a task's row, in memory or in the store."""

import contextlib
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from celeriac.adapters.sql import SqlStore
from celeriac.core.events import Event
from celeriac.core.fold import ClusterState
from celeriac.core.snapshot import Stream
from celeriac.ports import Batch, TaskFilter

T0 = 1_790_000_000
CLUSTERS = count()
KINDS = (
    "sent",
    "received",
    "started",
    "succeeded",
    "failed",
    "retried",
    "rejected",
    "revoked",
    "cancelled",
    "unheard-of",
)
FIELDS = {
    "sent": ("name", "args", "retries", "queue"),
    "received": ("name", "args", "kwargs", "retries", "eta"),
    "succeeded": ("result", "runtime"),
    "failed": ("exception", "traceback"),
    "retried": ("exception", "traceback"),
}


@st.composite
def histories(draw) -> list[Event]:
    """Draw what happened to a few tasks: attempts on several workers, by clocks that need not agree."""
    times = draw(st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True))
    found = []
    for tick in times:
        kind = draw(st.sampled_from(KINDS))
        values = {name: tick if name in ("retries", "runtime") else f"{name}-{tick}" for name in FIELDS.get(kind, ())}
        host = "gen1@web" if kind == "sent" else draw(st.sampled_from(["celery@a", "celery@b"]))
        uuid = draw(st.sampled_from(["t1", "t2"]))
        found.append(Event(f"task-{kind}", host, T0 + tick / 8, pid=7, uuid=uuid, **values))
    return found


@st.composite
def shuffled(draw) -> tuple[list[Event], list[Event]]:
    """Draw a history, and the same events in any order with any of them repeated."""
    history = draw(histories())
    repeated = draw(st.lists(st.sampled_from(history), max_size=6))
    return history, draw(st.permutations([*history, *repeated]))


def in_memory(events: list[Event]) -> dict[str, dict]:
    state = ClusterState()
    for event in events:
        state.fold(event, event.timestamp)
    return {uuid: asdict(task) for uuid, task in state.tasks.items()}


@given(shuffled())
def test_in_memory_neither_order_nor_repetition_changes_a_row(pair):
    """Any permutation and any repetition of the same events gives the same rows."""
    history, again = pair

    assert in_memory(again) == in_memory(history)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("histories")


def ran(kind: str, tick: int, **values) -> Event:
    return Event(f"task-{kind}", "celery@a", T0 + tick / 8, pid=7, uuid="t1", **values)


RESULTS = [ran("succeeded", 5, result="late", runtime=2.0), ran("succeeded", 4, result="early", runtime=1.0)]
QUEUES = [ran("sent", 5, queue="late"), ran("sent", 4, queue="early")]
ENDS = [
    ran("succeeded", 5, result="ok", runtime=2.0),
    ran("failed", 7, exception="x"),
    ran("succeeded", 6, runtime=1.0),
]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@example((QUEUES[::-1], QUEUES), [1])
@example((RESULTS[::-1], RESULTS), [1])
@example((ENDS[::-1], ENDS), [1, 1])
@given(shuffled(), st.lists(st.integers(1, 5), max_size=8))
def test_in_the_store_neither_order_nor_repetition_nor_slicing_changes_a_row(directory, pair, slices):
    """Taken in any slices and merged by the store, the same events give the rows that they give in memory."""
    history, again = pair

    assert in_store(directory, again, slices) == in_memory(history)


def in_store(directory, events: list[Event], slices: list[int]) -> dict[str, dict]:
    """Fold and flush after each slice, and read everything back."""
    state, waiting = ClusterState(), list(events)
    with storage(directory) as history:
        for size in [*slices, len(waiting)]:
            for event in waiting[:size]:
                state.fold(event, event.timestamp)
            del waiting[:size]
            history.record(Batch(Stream(T0), *state.changes()))
        return {one.task.uuid: asdict(one.task) for one in history.tasks(TaskFilter(limit=100))}


@contextlib.contextmanager
def storage(directory):
    """Use one file for all examples: migrating takes longer than the rest of the test."""
    cluster = "laws"
    with SqlStore(directory, (cluster,)).opened() as store:
        if not next(CLUSTERS):
            store.migrate()
        history = store.history(cluster)
        with history._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM tasks")
        yield history
