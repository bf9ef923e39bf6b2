"""Looking for tasks: every page, filter and count is what a plain look at all tasks would give."""

import contextlib
from collections import Counter
from itertools import count, cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.stored import DAY, NOW, as_stored, fresh, kept
from celeriac.adapters.sql import pages, search
from celeriac.adapters.sql.asking import Asking
from celeriac.adapters.sql.conditions import Condition
from celeriac.adapters.sql.rows import key_of
from celeriac.core.retention import Retention
from celeriac.core.search import Cursor, TaskFilter
from celeriac.core.tasks import STATES, Task

TEXTS = st.none() | st.sampled_from(["", "a", "A", "ab", "a%b", "a_b", "b\\a", "é", "É", "x\nab"])
NAMES = st.none() | st.sampled_from(["", "n1", "n2", "n3"])


@st.composite
def some_tasks(draw) -> list[Task]:
    """Draw tasks that share times, names and texts."""
    numbers = count()
    return [
        as_stored(
            Task(
                draw(st.sampled_from(["{:032x}", "own-{}"])).format(next(numbers)),
                draw(st.sampled_from(list(STATES.values()))),
                name=draw(NAMES),
                worker=draw(NAMES),
                queue=draw(NAMES),
                first_at=NOW + draw(st.integers(0, 9)) / 4,
                runtime=draw(st.none() | st.integers(0, 4).map(float)),
                args=draw(TEXTS),
                kwargs=draw(TEXTS),
                result=draw(TEXTS),
                exception=draw(TEXTS),
                root_id=draw(st.none() | st.sampled_from(["own-0", f"{1:032x}", "r"])),
            )
        )
        for _ in range(draw(st.integers(0, 25)))
    ]


def some(values) -> st.SearchStrategy[tuple]:
    return st.just(()) | st.lists(values.filter(lambda one: one is not None), max_size=3).map(tuple)


MAYBE = st.none() | st.sampled_from(["a", "A", "ab", "%", "_", "\\", "é", "", "nowhere"])
RUNTIMES = st.none() | st.integers(0, 4).map(float)
TIMES = st.none() | st.integers(-1, 10).map(lambda quarter: NOW + quarter / 4)
CONDITIONS = {
    "states": some(st.sampled_from([*STATES.values(), "NONSENSE"])),
    "names": some(NAMES | st.just("none such")),
    "workers": some(NAMES),
    "queues": some(NAMES),
    "since": TIMES,
    "until": TIMES,
    "runtime_least": RUNTIMES,
    "runtime_most": RUNTIMES,
    "root_id": st.none() | st.sampled_from(["own-0", "own-1", f"{1:032x}", "r", "none such"]),
    "args": MAYBE,
    "kwargs": MAYBE,
    "result": MAYBE,
    "exception": MAYBE,
    "anywhere": MAYBE,
}


@st.composite
def filters(draw) -> TaskFilter:
    """Draw a few conditions: of many together hardly any task meets all."""
    names = draw(st.lists(st.sampled_from(list(CONDITIONS)), max_size=3))
    return TaskFilter(
        limit=draw(st.sampled_from([1, 2, 3, 50])), within_s=60.0, **{name: draw(CONDITIONS[name]) for name in names}
    )


FILTERS = filters()


def matches(task: Task, which: TaskFilter) -> bool:
    """Tell the same by plain means."""
    wanted = (
        (which.states, task.state),
        (which.names, task.name),
        (which.workers, task.worker),
        (which.queues, task.queue),
    )
    texts = {"args": task.args, "kwargs": task.kwargs, "result": task.result, "exception": task.exception}
    return (
        all(not values or value in values for values, value in wanted)
        and (which.since is None or task.first_at >= which.since)
        and (which.until is None or task.first_at < which.until)
        and (which.runtime_least is None or (task.runtime is not None and task.runtime >= which.runtime_least))
        and (which.runtime_most is None or (task.runtime is not None and task.runtime <= which.runtime_most))
        and (which.root_id is None or which.root_id == (task.root_id or task.uuid))
        and all(holds(text, getattr(which, field)) for field, text in texts.items())
        and (which.anywhere is None or any(holds(text, which.anywhere) for text in texts.values()))
    )


def holds(text: str | None, piece: str | None) -> bool:
    return piece is None or (text is not None and lower(piece) in lower(text))


def lower(text: str) -> str:
    """Lower ASCII letters only, as SQLite does."""
    return "".join(each.lower() if each.isascii() else each for each in text)


def place(task: Task) -> tuple[float, bytes]:
    return (task.first_at, key_of(task.uuid)[0])


def walk(tasks, which: TaskFilter):
    """Return the tasks of all pages in the direction of the filter, and the farthest place.

    Where time ran out it goes on from where all was looked at; so tests must let it run out not always.
    """
    found = []
    for _ in range(1000):
        page = tasks.find(which)
        assert len(page.rows) <= which.limit
        assert [row.cursor for row in page.rows] == sorted((row.cursor for row in page.rows), reverse=True)
        rows = page.rows[::-1] if which.newer else page.rows
        found += [row.task for row in rows]
        if not rows and not page.searched_to:
            return found, which.cursor
        which = replace(which, cursor=page.searched_to or rows[-1].cursor)
    raise AssertionError(which.cursor)


@contextlib.contextmanager
def storing(tasks, rows, pieces=(2_000, 16_000)):
    """Store tasks in two flushes, in partitions of so many rows, half of them sealed; they are read in such pieces."""
    with fresh(rows=rows) as history, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FIRST_PIECE", pieces[0])
        patch.setattr(pages, "LONGEST_PIECE", pieces[1])
        patch.setattr(search, "COUNTED_PIECE", pieces[1])
        history.record(*tasks[::2])
        for _ in range(7):
            history.recorder.tidy(NOW)
        history.record(*tasks[1::2])
        yield history


ROWS = st.sampled_from([1, 3, 7, 200_000])
PIECES = st.sampled_from([(1, 1), (1, 4), (2_000, 16_000)])


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(some_tasks(), FILTERS, ROWS, PIECES)
def test_all_pages_there_and_back_hold_each_matching_task_once_in_order(tasks, which, rows, pieces):
    """Whatever the filter, the page's size, how tasks lie in partitions, and in what pieces these are read."""
    wanted = sorted((task for task in tasks if matches(task, which)), key=place, reverse=True)
    with storing(tasks, rows, pieces) as history:
        older, last = walk(history.tasks, which)
        assert older == wanted

        if last is not None:
            newer, _ = walk(history.tasks, replace(which, cursor=last, newer=True))
            assert newer == wanted[:-1][::-1]
        everything, _ = walk(history.tasks, replace(which, cursor=Cursor(0, ""), newer=True))
        assert everything == wanted[::-1]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(some_tasks(), FILTERS, ROWS, PIECES, st.lists(st.integers(0, 6), min_size=1, max_size=4), st.booleans())
def test_pages_that_ran_out_of_time_leave_nothing_out(tasks, which, rows, pieces, budgets, newer):
    """They say up to where all was looked at; who goes on from there sees each task once all the same."""
    wanted = sorted((task for task in tasks if matches(task, which)), key=place, reverse=not newer)
    start = Cursor(0, "") if newer else None
    with storing(tasks, rows, pieces) as history, impatient(cycle([*budgets, 1000])):
        found, _ = walk(history.tasks, replace(which, newer=newer, cursor=start))

    assert found == wanted


@contextlib.contextmanager
def impatient(budgets):
    """Let time run out after so many questions in each look."""
    plain = Asking.ask

    def ask(self, queries):
        left = vars(self).setdefault("left", [next(budgets)])
        left[0] -= 1
        if left[0] < 0:
            raise TimeoutError
        return plain(self, queries)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asking, "ask", ask)
        yield


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=100)
@given(some_tasks(), FILTERS, ROWS, PIECES, st.integers(0, 4), st.booleans())
def test_looks_that_always_run_out_of_time_come_to_an_end(tasks, which, rows, pieces, budget, newer):
    """Each says that it came further than the one before, and together they leave nothing out."""
    wanted = sorted((task for task in tasks if matches(task, which)), key=place, reverse=not newer)
    which = replace(which, newer=newer, cursor=Cursor(0, "") if newer else None)
    with storing(tasks, rows, pieces) as history, impatient(cycle([budget])):
        found, reached = [], None
        while True:
            page = history.tasks.find(which)
            found += [row.task for row in (page.rows[::-1] if newer else page.rows)]
            if not page.rows and not page.searched_to:
                break
            cursor = page.searched_to or (page.rows[-1] if not newer else page.rows[0]).cursor
            if page.searched_to and reached is not None:
                assert (cursor.first_at > reached) if newer else (cursor.first_at < reached)
            reached, which = cursor.first_at, replace(which, cursor=cursor)

    assert found == wanted


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(some_tasks(), FILTERS, ROWS, PIECES)
def test_counts_are_those_of_all_matching_tasks(tasks, which, rows, pieces):
    """By each value, and by time; a task without a name counts with one that is named nothing."""
    wanted = [task for task in tasks if matches(task, which)]
    with storing(tasks, rows, pieces) as history:
        facets = history.tasks.facets(which)
        bars = history.tasks.histogram(which, 1)

    assert facets.complete
    assert facets.states == Counter(task.state for task in wanted)
    assert facets.names == Counter(task.name or "" for task in wanted)
    assert facets.workers == Counter(task.worker or "" for task in wanted)
    assert facets.queues == Counter(task.queue or "" for task in wanted)
    assert bars.complete
    assert bars.counts == {
        at: Counter(task.state for task in wanted if int(task.first_at) == at)
        for at in {int(t.first_at) for t in wanted}
    }
    assert list(bars.counts) == sorted(bars.counts)


# Of its own ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def history(tmp_path):
    with kept(tmp_path / "history.db", rows=10) as one:
        yield one


def numbered(start, end, **more):
    """Return tasks of which three share each second."""
    return [
        Task(f"t{n:03}", "RECEIVED", first_at=at, received_at=at, state_at=at, **more)
        for n, at in ((n, NOW + n // 3) for n in range(start, end))
    ]


def test_an_empty_history_answers_everything(history):
    assert history.tasks.find(TaskFilter()).rows == []
    assert history.tasks.task("t") is None
    assert history.tasks.facets(TaskFilter()).states == {}
    assert history.tasks.histogram(TaskFilter(), 60).counts == {}


def test_a_task_is_found_by_its_id_in_any_partition(history):
    tasks = [*numbered(0, 25), Task("0f8fad5b-d9cb-469f-a165-70867728950e", first_at=NOW)]
    history.record(*tasks)

    assert [history.tasks.task(task.uuid) for task in tasks] == tasks
    assert history.tasks.task("0F8FAD5B-D9CB-469F-A165-70867728950E") is None


def test_pages_have_neither_gaps_nor_repeats_while_rows_come(history):
    """Newer ones come between the pages, and all old ones are shown once, newest first."""
    history.record(*numbered(0, 30))
    newer, which, found = count(30), TaskFilter(limit=7), []
    while rows := history.tasks.find(which).rows:
        found += [row.task.uuid for row in rows]
        which = replace(which, cursor=rows[-1].cursor)
        history.record(*(numbered(n, n + 1)[0] for n in (next(newer), next(newer))))

    order = sorted(
        (task.uuid for task in numbered(0, 30)), key=lambda id: (int(id[1:]) // 3, key_of(id)[0]), reverse=True
    )
    assert found == order


def test_pages_stay_whole_while_rows_change_and_move(tmp_path):
    """A task that moves on, or is moved to the archive, keeps its place in the list."""
    retention = Retention(age_s=2 * DAY, by_state={"FAILURE": 20 * DAY})
    with kept(tmp_path / "moving.db", rows=10, retention=retention) as history:
        history.record(*numbered(0, 30))
        history.tidy(NOW + DAY)
        history.record(
            *(replace(task, state="FAILURE", finished_at=NOW + 99, state_at=NOW + 99) for task in numbered(0, 30))
        )
        which, found = TaskFilter(limit=4), []
        while rows := history.tasks.find(which).rows:
            found += [row.task.uuid for row in rows]
            which = replace(which, cursor=rows[-1].cursor)
            for _ in range(3):
                history.recorder.tidy(NOW + 3 * DAY)

    assert len(found) == len(set(found)) == 30


def test_out_of_time_is_said_and_not_hidden(history, monkeypatch):
    """A search too wide neither stalls nor seems complete, and comes one piece forward whatever the time."""
    history.record(*numbered(0, 25))
    monkeypatch.setattr(pages, "FIRST_PIECE", 4)
    monkeypatch.setattr(search, "COUNTED_PIECE", 4)
    hasty = TaskFilter(anywhere="x", within_s=0.0)

    found = history.tasks.find(hasty)
    assert (found.rows, found.searched_to) == ([], Cursor(int((NOW + 6) * 1_000_000), ""))
    further = history.tasks.find(replace(hasty, cursor=found.searched_to)).searched_to
    assert further == Cursor(int((NOW + 5) * 1_000_000), "")
    assert not history.tasks.facets(hasty).complete
    assert not history.tasks.histogram(hasty, 60).complete


def test_counting_that_ran_out_of_time_tells_what_it_has_counted(history, monkeypatch):
    history.record(*numbered(0, 9))
    monkeypatch.setattr(search, "COUNTED_PIECE", 4)

    with impatient(cycle([3])):  # the partition's ends, and two of three pieces
        facets = history.tasks.facets(TaskFilter())
    assert (facets.states, facets.complete) == ({"RECEIVED": 8}, False)
    facets = history.tasks.facets(TaskFilter(within_s=0.0))
    assert (facets.states, facets.complete) == ({"RECEIVED": 4}, False)


def test_sqlite_itself_is_stopped_when_time_is_up(history, monkeypatch):
    """A single question that takes too long ends in the middle, and a piece is read all the same."""
    history.record(*numbered(0, 5))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*), 0 FROM n"
    monkeypatch.setattr(Condition, "page", lambda *_: [(endless, {})])
    monkeypatch.setattr(pages, "FIRST_PIECE", 3)

    found = history.tasks.find(TaskFilter(within_s=0.05))
    assert (len(found.rows), found.searched_to) == (2, Cursor(int(NOW * 1_000_000), ""))


@pytest.mark.parametrize(
    ("which", "index"),
    [
        ({}, "first"),
        ({"cursor": Cursor(5, "00" * 16)}, "first"),
        ({"states": ("FAILURE",)}, "state"),
        ({"states": ("FAILURE", "RETRY", "STARTED")}, "state"),
        ({"names": ("a",)}, "name"),
        ({"workers": ("a",)}, "worker"),
        ({"workers": ("a",), "args": "x"}, "worker"),
        ({"states": ("FAILURE",), "anywhere": "x"}, "state"),
    ],
    ids=str,
)
def test_a_page_follows_an_index_and_sorts_no_table(history, which, index):
    """Of several states each alone: together SQLite would sort all that are in one of them."""
    history.record(*numbered(0, 25, name="a", worker="a"))
    history.tidy()
    with history.database.reading() as connection:
        for query, values in Condition(TaskFilter(**which), lambda _: 1).page(1):
            driver = connection.connection.driver_connection
            plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {query}", values)]
            assert f"INDEX tasks_1_{index}" in plan[0]
            assert plan[1:] == ["USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"], "only what shares a microsecond"


@pytest.mark.parametrize("newer", [False, True])
def test_a_search_for_text_reads_rows_as_they_lie(history, newer):
    """Looking up each row from an index would take twice as long."""
    history.record(*numbered(0, 25))
    with history.database.reading() as connection:
        condition = Condition(TaskFilter(args="x", newer=newer), lambda _: 1)
        ((query, values),) = condition.among(1, range(1, 5))
        plan = str(connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall())

    assert plan.count("INTEGER PRIMARY KEY") == 2
    assert "tasks_1_first" not in plan


@pytest.mark.parametrize(
    ("which", "scanned"),
    [
        ({"args": "x"}, True),
        ({"anywhere": ""}, True),
        ({"queues": ("a",)}, True),
        ({"runtime_least": 0.0}, True),
        ({"args": "x", "since": 1.0, "until": 4.0}, True),
        ({"args": "x", "cursor": Cursor(3_000_001, "")}, True),
        ({"args": "x", "cursor": Cursor(1_999_999, ""), "newer": True}, True),
        ({}, False),
        ({"args": "x", "names": ("a",)}, False),
        ({"args": "x", "workers": ("a",)}, False),
        ({"args": "x", "states": ("FAILURE",)}, False),
        ({"args": "x", "root_id": "a"}, False),
        ({"args": "x", "since": 2.5}, False),
        ({"args": "x", "until": 3.0}, False),
        ({"args": "x", "cursor": Cursor(3_000_000, "00" * 16)}, False),
        ({"args": "x", "cursor": Cursor(2_000_000, "00" * 16), "newer": True}, False),
    ],
    ids=str,
)
def test_a_partition_is_read_as_it_lies_where_neither_values_nor_times_narrow_it(which, scanned):
    """Else an index leads to fewer rows."""
    assert Condition(TaskFilter(**which), lambda _: 1).scans(2_000_000, 3_000_000) is scanned


@pytest.fixture
def pieces(monkeypatch):
    """Read partitions in pieces of two rows, and note which."""
    read, plain = [], Condition.among
    monkeypatch.setattr(pages, "FIRST_PIECE", 2)
    monkeypatch.setattr(pages, "LONGEST_PIECE", 2)
    monkeypatch.setattr(Condition, "among", lambda self, *where: read.append(where) or plain(self, *where))
    return read


def test_a_search_reads_no_further_than_a_full_page(history, pieces):
    """What many tasks have is found among the first that are read, from either end."""
    history.record(*numbered(0, 30, args="x"))

    assert len(history.tasks.find(TaskFilter(args="x", limit=3)).rows) == 3
    assert pieces == [(3, range(9, 11)), (3, range(7, 9))]
    pieces.clear()
    assert len(history.tasks.find(TaskFilter(args="x", limit=3, newer=True, cursor=Cursor(0, ""))).rows) == 3
    assert pieces == [(1, range(1, 3)), (1, range(3, 5))]


@pytest.mark.parametrize("newer", [False, True])
def test_a_search_finds_what_lies_far_from_its_time(history, pieces, newer):
    """The newest by the sender's clock came first, the oldest last."""
    first, *tasks, last = numbered(0, 9, args="x")
    ahead, behind = replace(first, first_at=NOW + 99), replace(last, first_at=NOW - 99)
    history.record(ahead, *tasks, behind)
    which = TaskFilter(args="x", limit=1, newer=newer, cursor=Cursor(0, "") if newer else None)

    assert [row.task.uuid for row in history.tasks.find(which).rows] == [behind.uuid if newer else ahead.uuid]
    assert len(pieces) == 1


def test_a_tree_of_tasks_is_found_through_an_index(history):
    history.record(*numbered(0, 25, name="a", root_id="t001"))
    history.tidy()
    with history.database.reading() as connection:
        for query, values in Condition(TaskFilter(root_id="t001"), lambda _: 1).page(1):
            plan = str(
                connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
            )
            assert "SCAN" not in plan
            assert "tasks_1_root" in plan or "tasks_1_key" in plan


def test_a_child_is_not_in_the_tree_that_it_is_no_root_of(history):
    """Asked for the tree of a task that has a root of its own, its children are not there and nor is it."""
    history.record(
        Task("root", name="a", first_at=NOW, root_id="root"), Task("child", name="a", first_at=NOW, root_id="root")
    )

    assert {row.task.uuid for row in history.tasks.find(TaskFilter(root_id="root")).rows} == {"root", "child"}
    assert history.tasks.find(TaskFilter(root_id="child")).rows == []
