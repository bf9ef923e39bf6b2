"""Writing one cluster's history: all of a flush or nothing, once, whatever happens to disk, file and lock in between."""

import contextlib
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from adapters.stored import DAY, NOW, Kept, as_stored, by_uuid, kept
from celeriac.adapters.sql import database, partitions
from celeriac.adapters.sql.database import Database, within
from celeriac.adapters.sql.recorder import LOG_EVERY_S, SqlRecorder
from celeriac.core.errors import UnreachableError
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.redact import MASK, Payloads, Redaction
from celeriac.core.retention import Retention
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch


@pytest.fixture
def small(tmp_path):
    """Give a history whose partitions take ten rows."""
    with kept(tmp_path / "history.db", rows=10) as one:
        yield one


def task(number, state="SUCCESS", *, at=None, **more):
    """Return a task that has come so far; each is a second later than the one before."""
    at = NOW + number if at is None else at
    steps = {"received_at": at, "started_at": at + 1, "finished_at": at + 2}
    so_far = dict(list(steps.items())[: {"RECEIVED": 1, "STARTED": 2}.get(state, 3)])
    fields = {"name": f"name-{number % 3}", "worker": "celery@a", "state_at": max(so_far.values()), **so_far, **more}
    return Task(f"{number:08}-0000-4000-8000-000000000000", state, first_at=at, **fields)


def tasks(start, end, state="SUCCESS", **more):
    return [task(number, state, **more) for number in range(start, end)]


# Flushes -------------------------------------------------------------------------------------------------------------


def test_a_flush_that_comes_again_changes_nothing(small):
    """Its writer may have died between the commit and its answer."""
    flush = tasks(0, 35)

    assert [small.record(*flush), small.record(*flush)] == [35, 0]
    small.crash()
    assert small.record(*flush) == 0
    small.check()


def test_only_what_is_new_is_written(small):
    small.record(*tasks(0, 35, "STARTED"))

    assert small.record(*tasks(20, 40)) == 20
    assert {one.state for one in small.all()} == {"STARTED", "SUCCESS"}
    small.check()


def test_a_task_that_comes_twice_in_a_flush_is_one_row(small):
    """Its row left memory and it spoke again before the flush was taken."""
    assert small.record(task(1, "STARTED"), task(1)) == 1
    assert [one.state for one in small.all()] == ["SUCCESS"]
    small.check()


def test_a_flush_that_fills_partitions_leaves_each_as_the_catalogue_says(small):
    """Readers and the next writer go by the catalogue: a sealed one that it calls empty would not be looked at."""
    small.record(*tasks(0, 95))

    assert small.partitions("rows", "stage") == [(10, "sealing")] * 9 + [(5, "growing")]
    small.check()
    small.crash()
    assert small.record(*tasks(0, 95)) == 0


def test_a_partition_is_full_by_its_size_too(tmp_path, monkeypatch):
    """An index on big rows takes as long as one on many. Rows that grow count, and what it takes is remembered."""
    monkeypatch.setattr(partitions, "BYTES", 300_000)
    with kept(tmp_path / "history.db") as one:
        for number in range(0, 200, 20):
            one.record(*tasks(number, number + 20, "STARTED", args="x" * 3000))
        sizes = one.partitions("bytes", "rows")
        assert [rows for _, rows in sizes] == [80, 80, 40]
        assert all(300_000 <= size < 400_000 for size, _ in sizes[:-1])

        one.record(*tasks(160, 200, "FAILURE", args="x" * 3000, traceback="x" * 30_000, failed_at=NOW + 500))
        one.crash()
        one.record(*tasks(200, 210))
        assert one.partitions("rows") == [(80,), (80,), (40,), (10,)]
        one.check()


def test_the_catalogue_is_written_once_a_flush_and_partition(small):
    """Not with every row that changes: that would take longer than all the rest."""
    small.record(*tasks(0, 20, "STARTED"))
    said = []
    with small.database.writing() as connection:
        connection.connection.driver_connection.set_trace_callback(said.append)
    small.record(*tasks(0, 20))

    assert len([each for each in said if "INTO partitions" in each]) <= 2
    assert all(each.count("=") < 10 for each in said if each.startswith("UPDATE tasks_")), "only what has changed"


def test_secrets_are_left_out_before_anything_is_stored(tmp_path):
    history = Kept(tmp_path / "history.db")
    recorder = SqlRecorder(history.database, Redaction(Payloads.REDACTED))
    recorder.record(Batch(Stream(NOW), [task(1, kwargs="{'password': 'hunter2'}")]))
    history.database.close()

    assert MASK in history.all()[0].kwargs
    assert b"hunter2" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    history.database.close()


def test_names_of_any_kind_are_kept(small):
    """Empty, with NUL, alike but for their case."""
    names = ["", "\0", "a\0b", "a", "A", "é", "e\u0301", "(no name)", None]
    small.record(*(task(n, name=name, worker=name, queue=name) for n, name in enumerate(names)))
    small.crash()
    small.record(*(task(n + 20, name=name) for n, name in enumerate(names)))

    assert sorted(names[:-1] * 2) == sorted(one.name for one in small.all() if one.name is not None)
    small.check()


@pytest.mark.parametrize("ahead", [-3 * DAY, 400 * DAY, -(NOW - 1)], ids=["back", "ahead", "to 1970"])
def test_our_own_clock_may_jump(small, ahead):
    """Rows go on to be stored, once, wherever they lie."""
    small.record(*tasks(0, 15, "STARTED"))
    small.record(*tasks(5, 30), now=NOW + ahead)
    small.record(*tasks(25, 40), now=NOW + 1)

    assert len(small.all()) == 40
    small.check()


@pytest.mark.parametrize("at", [1.0, NOW - 3650 * DAY, 2.0**32 - 10], ids=["1970", "ten years ago", "2106"])
def test_a_senders_clock_may_say_anything(small, at):
    """The task is stored and found, and so is every other."""
    small.record(*tasks(0, 15), task(99, at=at), *tasks(15, 30))
    small.record(task(99, "FAILURE", at=at, exception="E()"))

    assert len(small.all()) == 31
    assert small.tasks.task(task(99).uuid).first_at == at
    small.check()


# Trouble -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch):
    """Wait for a lock 0.1 s only."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)


@contextlib.contextmanager
def locked(history):
    with contextlib.closing(sqlite3.connect(history.database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def full(history, pages=0):
    """Let the file grow by so many pages only."""

    def limit(most):
        with history.database.writing() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    with history.database.writing() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar()
    limit(used + pages)
    yield
    limit(2**30)


@contextlib.contextmanager
def elsewhere(history):
    """Move the directory away, as a volume that is not mounted."""
    directory = history.database.path.parent
    away = directory.rename(directory.with_name("away"))
    yield
    away.rename(directory)


@contextlib.contextmanager
def unreadable(history):
    """Let the file hold nonsense, and then again what it held."""
    path = history.database.path
    kept = path.rename(path.with_suffix(".kept"))
    path.write_bytes(b"this is no database " * 500)
    yield
    path.unlink()
    kept.rename(path)


TROUBLE = {
    "locked": locked,
    "full": full,
    **{f"full in {pages} pages": lambda history, pages=pages: full(history, pages) for pages in (1, 3, 10, 30)},
    "gone": elsewhere,
    "unreadable": unreadable,
}


@pytest.mark.parametrize("kind", TROUBLE)
@pytest.mark.parametrize("rows", [10, 200_000])
def test_what_was_not_stored_is_stored_when_the_trouble_is_over(hasty, tmp_path, kind, rows):
    """By the same recorder, everything, and nothing twice; meanwhile the error says what is wrong."""
    big = {"args": "x" * 3000}
    with kept(tmp_path / "store" / "history.db", rows=rows) as one:
        one.record(*tasks(0, 25, "STARTED", **big))
        before = by_uuid(one.all())
        flush = {
            "incarnations": [Incarnation("n", 1, NOW, NOW)],
            "queues": [QueueSample("q", NOW, {0: 1})],
        }
        with TROUBLE[kind](one):
            for _ in range(2):
                with pytest.raises(UnreachableError, match=r"history\.db"):
                    one.record(*tasks(10, 60, **big), **flush)
                with contextlib.suppress(UnreachableError):
                    one.recorder.tidy(NOW + 2 * DAY)

        assert by_uuid(one.all()) == before
        assert one.record(*tasks(10, 60, **big), **flush) == 50
        assert [len(one.all()), len(one.history.incarnations()), len(one.history.queues())] == [60, 1, 1]
        one.check()
        one.tidy()
        assert one.record(*tasks(10, 60, **big)) == 0


def test_a_flush_is_all_or_nothing(small):
    """An error in its last statement takes its rows, roll-ups and partitions with it."""
    small.record(*tasks(0, 5))
    with pytest.raises(UnreachableError, match="NOT NULL"):
        small.recorder.record(Batch(Stream(NOW + 9), tasks(3, 30), [Incarnation(None, 1, NOW, NOW)]))

    assert len(small.all()) == 5
    assert small.history.stream() == Stream(NOW)
    assert small.record(*tasks(3, 30)) == 25
    small.check()


def test_a_backup_in_the_files_place_is_read_anew(small, tmp_path):
    """What the recorder remembers is of the file before: it must not mix the two."""
    small.record(*tasks(0, 15))
    small.database.close()
    shutil.copy(small.database.path, tmp_path / "backup.db")
    small.record(*tasks(15, 95))
    assert len(small.all()) == 95
    for path in tmp_path.glob("history.db*"):
        path.unlink()
    (tmp_path / "backup.db").rename(small.database.path)
    assert len(small.all()) == 15
    small.record(*tasks(10, 40))

    assert sorted(one.uuid for one in small.all()) == sorted(one.uuid for one in tasks(0, 40))
    small.check()


def test_readers_that_never_pause_do_not_make_the_log_grow_for_ever(small, monkeypatch):
    """SQLite begins it anew only when nobody reads; now and then the writer waits for those who do, and empties it."""
    monkeypatch.setattr(database, "LOG_BYTES", 1_000_000)
    log = small.database.path.with_name("history.db-wal")
    small.recorder.tidy(NOW)
    with contextlib.ExitStack() as last, ThreadPoolExecutor() as threads:
        for number in range(10):
            reading = contextlib.ExitStack()
            reading.enter_context(small.database.reading()).exec_driver_sql("SELECT count(*) FROM words").all()
            last.close()
            last.push(reading)
            small.record(*tasks(number * 100, number * 100 + 100, args="x" * 4000))
            small.recorder.tidy(NOW + 1)
        assert log.stat().st_size > 4_000_000

        waiting = threads.submit(small.recorder.tidy, NOW + LOG_EVERY_S)
        last.close()
        waiting.result(10)
    assert log.stat().st_size < 1_000_000
    small.check()


def test_a_reader_that_does_not_end_keeps_nobody_from_writing(hasty, tmp_path, monkeypatch):
    """The log stays long, and what comes is stored."""
    monkeypatch.setattr(database, "LOG_BYTES", 1)
    with kept(tmp_path / "history.db") as one:
        one.record(*tasks(0, 10))
        with one.database.reading() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM partitions").scalar()
            one.record(*tasks(10, 20))
            one.recorder.tidy(NOW)
            one.record(*tasks(20, 30))
        assert len(one.all()) == 30


def test_a_reader_that_does_not_end_holds_up_nobody_for_the_logs_sake(tmp_path, monkeypatch):
    """Upkeep waits for it a moment, not as long as for a lock."""
    monkeypatch.setattr(database, "LOG_BYTES", 1)
    with kept(tmp_path / "history.db") as one:
        one.record(*tasks(0, 10))
        with one.database.reading() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM partitions").scalar()
            one.record(*tasks(10, 20))
            begun = time.monotonic()
            one.recorder.tidy(NOW)
            assert time.monotonic() - begun < database.BUSY_SECONDS / 2
        with one.database.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == database.BUSY_SECONDS * 1000


# One writer ----------------------------------------------------------------------------------------------------------


def recorder_at(path):
    return SqlRecorder(Database(path, "history"), Redaction(), Retention())


def test_a_history_has_one_writer(small):
    """The second says so, as often as it is asked, and takes over when the first ends."""
    small.recorder.opening()
    second = recorder_at(small.database.path)
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"another observer writes history\.db"):
            second.opening()
    small.record(*tasks(0, 15))
    small.database.close()

    second.opening()
    assert second.record(Batch(Stream(NOW), tasks(10, 20))) == 5
    second._database.close()


def test_a_writer_that_could_not_open_does_not_stand_in_its_own_way(small):
    """It holds the lock already when it cannot read: asked again it goes on."""
    small.database.close()
    with unreadable(small):
        again = recorder_at(small.database.path)
        for _ in range(3):
            with pytest.raises(UnreachableError, match="not a database"):
                again.opening()

    assert again.opening().incarnations == ()
    again._database.close()


def test_a_writer_waits_for_the_schema(tmp_path):
    """Unless it may bring it up to date itself."""
    path = tmp_path / "deep" / "history.db"
    with pytest.raises(UnreachableError, match="celeriac migrate"):
        recorder_at(path).opening()
    assert not path.exists()

    alone = SqlRecorder(Database(path, "history"), Redaction(), migrate=True)
    assert alone.opening().identity
    assert alone.record(Batch(Stream(NOW), tasks(0, 3))) == 3
    alone._database.close()


def test_a_schema_is_not_changed_under_another_writer(tmp_path):
    """Who may bring it up to date becomes the only writer first."""
    one, other = (Database(tmp_path / "history.db", "history") for _ in range(2))
    one.lock()
    with pytest.raises(UnreachableError, match="another observer writes"):
        SqlRecorder(other, Redaction(), migrate=True).opening()

    assert not other.current()
    one.close()
    assert SqlRecorder(other, Redaction(), migrate=True).opening().identity
    other.close()


def test_a_store_that_was_made_anew_has_one_writer_again(tmp_path):
    """The lock went with the old file: whoever had it asks for the new one, and stops where another has it."""
    path, kept = tmp_path / "store" / "history.db", tmp_path / "old"
    first, second = (SqlRecorder(Database(path, "history"), Redaction(), migrate=True) for _ in range(2))
    first.opening()
    path.parent.rename(kept)
    second.opening()
    for _ in range(2):
        with pytest.raises(UnreachableError, match="another observer writes"):
            first.record(Batch(Stream(NOW), tasks(0, 3)))

    assert second.record(Batch(Stream(NOW), tasks(3, 6))) == 3
    second._database.close()
    assert first.record(Batch(Stream(NOW), tasks(0, 3))) == 3
    first._database.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_limit_within_a_limit_ends_no_later(small):
    with small.database.reading() as connection, within(connection, 0.0):
        for seconds in (0.0, 60.0):
            with within(connection, seconds):
                pass
            with pytest.raises(sa.exc.OperationalError, match="interrupted"):
                connection.exec_driver_sql(ENDLESS).all()


def test_stored_tasks_are_what_was_recorded(small):
    small.record(*tasks(0, 30))

    assert by_uuid(small.all()) == by_uuid(as_stored(one) for one in tasks(0, 30))
