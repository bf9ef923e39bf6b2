"""One cluster's events in SQL: rows that merge in any order, and pages without gaps or repeats."""

import contextlib
import sqlite3
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from adapters.stored import DAY, NOW
from celeriac.core import tasks
from celeriac.core.errors import UnreachableError
from celeriac.core.events import Event
from celeriac.core.model import Incarnation
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch, TaskFilter

# History


def test_an_empty_history_answers_everything(history):
    """Before the first flush there is nothing, and that is no error."""
    assert [history.stream(), history.task("t"), history.tasks(TaskFilter()), history.incarnations()] == [
        None,
        None,
        [],
        [],
    ]


def test_a_flush_is_read_back_whole(history):
    """Every field of stream, task and incarnation survives, times to the microsecond."""
    task = Task(
        "t", "FAILURE", NOW + 3.000001, "orders.price", "(1,)", "{'é': '\0'}", "root", "parent", 2, "soon", "later",
        NOW + 1.5, "orders", "worker@g", NOW + 3.25, NOW, NOW + 1, NOW + 2, NOW + 3, "'x'", 0.25, "E()", "trace", NOW + 3,
    )  # fmt: skip
    life = Incarnation(
        node="worker@g",
        pid=7,
        first_seen_at=NOW,
        last_seen_at=NOW + 1,
        last_heartbeat_at=NOW + 1,
        beats=5,
        active=1,
        processed=9,
        clock=33,
        software="py-celery 5.7",
        offline_at=NOW,
    )
    stream = Stream(NOW, NOW - 1, NOW - 9, "odd", "KombuEvents", 1, 2, 3, 4, 5, 6.5)
    history.record(Batch(stream, [task], [life]))

    assert asdict(history.task("t")) == asdict(task)
    assert [one.task for one in history.tasks(TaskFilter())] == [task]
    assert history.incarnations() == [life]
    assert history.stream() == stream


def test_a_flush_is_all_or_nothing(history):
    """A row that cannot be stored takes its whole flush with it."""
    with pytest.raises(UnreachableError, match="NOT NULL"):
        history.record(Batch(Stream(NOW), [Task("t", state_at=NOW), Task("u", state_at=None)]))

    assert [history.stream(), history.task("t")] == [None, None]


def test_the_last_flush_tells_the_stream_and_the_incarnations(history):
    """Both are replaced whole."""
    for late in (0, 1):
        history.record(
            Batch(Stream(NOW + late), (), [Incarnation("n", 1, NOW, NOW + late), Incarnation("n", 2, NOW, NOW)])
        )

    assert history.stream() == Stream(NOW + 1)
    assert {(one.pid, one.last_seen_at) for one in history.incarnations()} == {(1, NOW + 1), (2, NOW)}


def test_incarnations_are_listed_for_two_days(history):
    """Two days after the newest word of anybody, not of the wall clock."""
    last = NOW + 2 * DAY
    history.record(Batch(Stream(NOW), (), [Incarnation("old", 1, NOW, NOW), Incarnation("edge", 1, NOW, NOW + 1)]))
    history.record(Batch(Stream(last), (), [Incarnation("new", 1, last, last)]))

    assert {one.node for one in history.incarnations()} == {"edge", "new"}


KINDS = ("sent", "received", "started", "succeeded", "failed", "retried", "rejected", "revoked")
SAID = {
    "sent": ("name", "args", "retries", "queue"),
    "received": ("name", "args", "kwargs", "retries", "eta"),
    "succeeded": ("result", "runtime"),
    "failed": ("exception", "traceback"),
    "retried": ("exception", "traceback"),
}


@st.composite
def lives(draw):
    """Draw the events of one task, each with a time of its own, and divide them into parts in any order."""
    times = draw(st.lists(st.integers(0, 30), min_size=1, max_size=9, unique=True))
    events = []
    for tick in times:
        kind = draw(st.sampled_from(KINDS))
        names = [name for name in SAID.get(kind, ()) if draw(st.booleans())]
        said = {name: tick if name in ("retries", "runtime") else f"{name}-{tick}" for name in names}
        host = "gen@web" if kind == "sent" else draw(st.sampled_from(["celery@a", "celery@b"]))
        events.append(Event(f"task-{kind}", host, NOW + tick / 8, uuid="t", **said))
    cuts = draw(st.lists(st.integers(0, 3), min_size=len(events), max_size=len(events)))
    return events, draw(
        st.permutations([[e for e, part in zip(events, cuts, strict=True) if part == n] for n in range(4)])
    )


def folded(uuid, events):
    task = Task(uuid)
    for event in events:
        tasks.apply(task, event)
    return task


UUIDS = count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(lives())
def test_partial_rows_merge_to_the_same_row_in_any_order(history, life):
    """Each part is known alone, as when finished tasks have left the memory; the store makes the whole of them."""
    events, parts = life
    uuid = f"t{next(UUIDS)}"
    for part in parts:
        if part:
            history.record(Batch(Stream(NOW), [folded(uuid, part)]))

    assert asdict(history.task(uuid)) == asdict(folded(uuid, events))


def test_a_flush_that_is_repeated_changes_nothing(history):
    """After an unclear answer of the store the same batch is recorded again."""
    task = folded(
        "t", [Event(f"task-{kind}", "celery@a", NOW + n, uuid="t", queue="q") for n, kind in enumerate(KINDS)]
    )
    once = [history.record(Batch(Stream(NOW), [task])), asdict(history.task("t"))][1]
    history.record(Batch(Stream(NOW), [task]))

    assert asdict(history.task("t")) == once
    assert len(history.tasks(TaskFilter())) == 1


def test_an_older_row_takes_nothing_away(history):
    """A late part with fewer and older words adds only what was not known."""
    late = folded("t", [Event("task-succeeded", "celery@b", NOW + 5, uuid="t", result="7", runtime=0.5)])
    early = folded("t", [Event("task-received", "celery@a", NOW, uuid="t", name="orders.price")])
    for part in (late, early):
        history.record(Batch(Stream(NOW), [part]))
    found = history.task("t")

    assert (found.state, found.result, found.runtime, found.worker) == ("SUCCESS", "7", 0.5, "celery@b")
    assert (found.name, found.received_at, found.finished_at) == ("orders.price", NOW, NOW + 5)


def test_a_task_that_runs_again_shows_no_result_of_its_earlier_run(history):
    """A redelivered task that fails in its second run has no result."""
    first = folded("t", [Event("task-succeeded", "celery@a", NOW, uuid="t", result="7", runtime=0.5)])
    second = folded("t", [Event("task-failed", "celery@b", NOW + 9, uuid="t", exception="E()")])
    for part in (first, second):
        history.record(Batch(Stream(NOW), [part]))
    found = history.task("t")

    assert (found.state, found.result, found.runtime, found.exception) == ("FAILURE", None, None, "E()")


def filled(history, numbers, **values):
    rows = [
        Task(f"t{n:03}", "STARTED" if n % 2 else "SUCCESS", NOW + n // 3, name=f"name-{n % 3}", worker=f"w{n % 5}",
             received_at=NOW + n // 3, **values)
        for n in numbers
    ]  # fmt: skip
    history.record(Batch(Stream(NOW), rows))


def walk(history, which, between=lambda: None):
    """Return the ids of all pages, one after the other."""
    found = []
    while page := history.tasks(which):
        assert len(page) <= which.limit
        found += [row.task.uuid for row in page]
        which = replace(which, before=page[-1].cursor)
        between()
    return found


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
def test_pages_have_neither_gaps_nor_repeats_while_rows_come(history, limit):
    """Three tasks share each time; newer ones come between the pages, and all old ones are shown once, newest first."""
    filled(history, range(30))
    newer = count(100)

    found = walk(history, TaskFilter(limit=limit), lambda: filled(history, [next(newer) for _ in range(3)]))

    assert found == [f"t{n:03}" for n in reversed(range(30))]


def test_pages_stay_whole_while_rows_change(history):
    """A task that moves on keeps its place in the list."""
    filled(history, range(12))
    walked = walk(
        history, TaskFilter(limit=5), lambda: history.record(Batch(Stream(NOW), [Task(f"t{n:03}", "FAILURE", NOW + 99,
        finished_at=NOW + 99) for n in range(12)])),
    )  # fmt: skip

    assert walked == [f"t{n:03}" for n in reversed(range(12))]


@pytest.mark.parametrize(
    ("which", "wanted"),
    [
        ({"state": "STARTED"}, lambda n: n % 2 == 1),
        ({"name": "name-2"}, lambda n: n % 3 == 2),
        ({"worker": "w4"}, lambda n: n % 5 == 4),
        ({"state": "STARTED", "name": "name-1", "worker": "w3"}, lambda n: n % 2 == 1 and n % 3 == 1 and n % 5 == 3),
        ({"state": "NONSENSE"}, lambda _: False),
        ({"name": ""}, lambda _: False),
    ],
)
def test_tasks_are_filtered_over_all_pages(history, which, wanted):
    """Filters narrow the list, and all given ones hold."""
    filled(history, range(60))

    assert walk(history, TaskFilter(limit=4, **which)) == [f"t{n:03}" for n in reversed(range(60)) if wanted(n)]


def test_a_page_is_read_through_the_index(history, directory):
    """Neither the first page nor a later one sorts the table."""
    filled(history, range(60))
    query = "SELECT * FROM tasks {} ORDER BY listed_at DESC, uuid DESC LIMIT 50"
    with contextlib.closing(sqlite3.connect(directory / "history-a.db")) as connection:
        for where in ("", "WHERE (listed_at, uuid) < (5, 'x')"):
            plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + query.format(where)))
            assert "ix_tasks_newest" in plan
            assert "TEMP B-TREE" not in plan


def test_clusters_have_a_history_each(store):
    """The same task id in two clusters is two tasks."""
    for name in ("a", "b"):
        store.history(name).record(Batch(Stream(NOW), [Task("t", state_at=NOW, name=name)]))

    assert [store.history(name).task("t").name for name in ("a", "b")] == ["a", "b"]
