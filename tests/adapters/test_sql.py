"""The store's files: migrations, several processes at once, and what it says when it cannot."""

import contextlib
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from adapters.stored import NOW, incident, remedy, rivals
from celeriac.adapters.sql import SqlStore, database, schema
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.core.errors import RefusedError, UnreachableError
from celeriac.core.incident import RemedyState
from celeriac.core.memory import Changes
from celeriac.core.redact import Redaction
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch

FILES = {"control.db": schema.control, "history-a.db": schema.history}


def task(uuid):
    return Task(uuid, first_at=NOW)


@pytest.fixture
def hasty(monkeypatch):
    """Wait for a lock 0.2 s only."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)


# Several processes


@pytest.mark.parametrize("port", ["journal", "history"])
def test_the_version_changes_when_another_process_has_written(store, directory, port):
    """It stays the same while nobody writes."""
    told = store.journal() if port == "journal" else store.history("a")
    first = told.version()
    assert told.version() == first

    with rivals("write", directory) as outcomes:
        assert told.version() == first

    assert outcomes == ["True"]
    assert told.version() != first


def test_the_version_of_one_file_does_not_follow_another(store, kept):
    """A flood of events in one cluster wakes nobody else."""
    before = [store.journal().version(), store.history("b").version()]
    kept.record(task("t"))

    assert [store.journal().version(), store.history("b").version()] == before


# Migrations


def test_migrating_makes_the_directory_and_is_current_afterwards(tmp_path):
    """Before, nothing is current, and asking makes no file."""
    directory = tmp_path / "deep" / "er"
    with SqlStore(directory, ("a",)).opened() as store:
        assert not store.current()
        assert not directory.exists()
        store.migrate()
        assert store.current()

    assert {path.name for path in directory.glob("*.db")} == set(FILES)


def test_migrating_again_changes_nothing(store, keeper, kept):
    """What is stored stays, partitions that Alembic knows nothing of included."""
    keeper.commit(Changes((incident("i"),)))
    kept.record(task("t"))
    store.migrate()

    assert store.current()
    assert [keeper.incident("i").id, store.tasks("a").task("t").uuid] == ["i", "t"]


def test_each_history_has_an_identity_that_stays(directory):
    """It names what a broker keeps for its observer: another history must not take that away."""

    def identities():
        with SqlStore(directory, ("a", "b")).opened() as store:
            store.migrate()
            return [SqlRecorder(one, Redaction()).opening().identity for one in store._histories.values()]

    first, second = identities()
    assert first != second
    assert identities() == [first, second]


def test_a_new_cluster_needs_a_migration(store, directory):
    """A store with a cluster more than before is not current until its file is made."""
    with SqlStore(directory, ("a", "b", "new")).opened() as grown:
        assert not grown.current()
        grown.migrate()
        assert grown.current()


def test_an_empty_file_is_not_current(directory):
    """A file that somebody has touched is a store without a schema."""
    directory.mkdir()
    for name in FILES:
        (directory / name).touch()
    with SqlStore(directory, ("a",)).opened() as store:
        assert not store.current()


def test_processes_that_migrate_at_once_do_not_break(directory):
    """Three of them begin together on nothing, several times; each ends with current stores."""
    with rivals("migrate", directory, 3) as outcomes:
        pass

    assert outcomes == ["True"] * 3


@pytest.mark.parametrize("name", FILES)
def test_the_migrations_make_the_schema_that_the_code_uses(store, directory, name):
    """Alembic finds nothing to change, and every column has the same name, type and nullability."""
    made, declared = sa.create_engine(f"sqlite:///{directory / name}"), sa.create_engine("sqlite://")
    FILES[name].create_all(declared)
    with made.connect() as one, declared.connect() as other:
        assert compare_metadata(MigrationContext.configure(one), FILES[name]) == []
        assert columns(one) == columns(other)
    made.dispose()
    declared.dispose()


def columns(connection):
    inspector = sa.inspect(connection)
    return {
        table: [
            (one["name"], str(one["type"]), one["nullable"], one["primary_key"]) for one in inspector.get_columns(table)
        ]
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


@pytest.mark.parametrize("name", FILES)
def test_every_commit_reaches_the_disk(store, name):
    """A broker has forgotten what is acknowledged: it must survive a power cut."""
    one = {"control.db": store._control, "history-a.db": store._histories["a"]}[name]
    with one.writing() as connection:
        pragmas = {
            which: connection.exec_driver_sql(f"PRAGMA {which}").scalar() for which in ("journal_mode", "synchronous")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_only_its_user_reads_the_store(directory):
    """Also in a directory that others may enter: arguments and results of tasks are in the files."""
    directory.mkdir(mode=0o755)
    with SqlStore(directory, ("a",)).opened() as store:
        store.migrate()
        recorder(store).opening()
        recorder(store).record(Batch(Stream(NOW), [task("t")]))
        modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}

    assert {"history-a.db-wal", "history-a.db-shm", "history-a.db.lock", *FILES} <= set(modes)
    assert set(modes.values()) == {0o600}


NEWER = {
    "migrate": SqlStore.migrate,
    "current": SqlStore.current,
    "opening": lambda store: recorder(store).opening(),
    "opening that migrates": lambda store: SqlRecorder(store._histories["a"], Redaction(), migrate=True).opening(),
}


@pytest.mark.parametrize("call", NEWER)
def test_a_store_of_a_newer_version_is_refused_in_a_sentence(store, call):
    """It may hold what this version does not know of; a try more does not help."""
    with store._histories["a"].writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'history_9999'")

    with pytest.raises(RefusedError, match=r"history-a\.db was made by a newer Celeriac .*history_9999.*: install"):
        NEWER[call](store)


# Trouble


def recorder(store):
    return SqlRecorder(store._histories["a"], Redaction())


CALLS = {
    "lease": lambda store: store.journal().hold_lease("one", NOW, 10),
    "commit": lambda store: store.journal().commit(Changes((incident("i"),))),
    "submit": lambda store: store.journal().submit(remedy("r")),
    "record": lambda store: recorder(store).record(Batch(Stream(NOW))),
    "tidy": lambda store: recorder(store).tidy(NOW),
}
READS = {
    "book": lambda store: store.journal().book("a", 0),
    "incidents": lambda store: store.journal().incidents(None, open_only=False, limit=5),
    "incident": lambda store: store.journal().incident("i"),
    "remedy": lambda store: store.journal().remedy("r"),
    "board": lambda store: store.journal().board("a"),
    "stream": lambda store: store.history("a").stream(),
    "incarnations": lambda store: store.history("a").incarnations(),
    "queues": lambda store: store.history("a").queues(),
    "queue": lambda store: store.history("a").queue("celery", 0, NOW),
    "find": lambda store: store.tasks("a").find(TaskFilter()),
    "task": lambda store: store.tasks("a").task("t"),
    "facets": lambda store: store.tasks("a").facets(TaskFilter()),
    "histogram": lambda store: store.tasks("a").histogram(TaskFilter(), 60),
    "counts": lambda store: store.charts("a").counts(0, NOW, 60),
    "durations": lambda store: store.charts("a").durations(0, NOW, 60),
    "by name": lambda store: store.charts("a").by_name(0, NOW),
    "journal version": lambda store: store.journal().version(),
    "history version": lambda store: store.history("a").version(),
    "current": lambda store: store.current(),
}


@contextlib.contextmanager
def locked(directory):
    """Hold the write lock of every file from another connection."""
    with contextlib.ExitStack() as stack:
        for name in FILES:
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(directory / name)))
            connection.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("call", CALLS)
def test_a_lock_that_does_not_end_is_unreachable(hasty, store, directory, call):
    """A writer waits for its time limit, and the error names the file; afterwards all is well."""
    with locked(directory):
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=rf"the store {re.escape(str(directory))}.+locked") as caught:
            CALLS[call](store)
        assert 0.15 < time.monotonic() - begun < 2
        assert caught.value.retryable

    CALLS[call](store)


@pytest.mark.parametrize("call", READS)
def test_a_reader_goes_on_while_a_writer_writes(store, directory, call):
    """It sees what was committed before, at once."""
    READS[call](store)
    with locked(directory):
        begun = time.monotonic()
        READS[call](store)
        assert time.monotonic() - begun < 1


def test_a_reader_sees_nothing_of_an_unfinished_write(store, keeper):
    """Until the commit the old row stands."""
    keeper.commit(Changes((incident("i"),)))
    with store._control.writing() as connection:
        connection.exec_driver_sql("DELETE FROM incidents")
        assert keeper.incident("i") is not None

    assert keeper.incident("i") is None


@pytest.mark.parametrize("call", [*CALLS, *READS, "migrate"])
def test_a_file_that_is_no_database_is_unreachable(directory, call):
    """Something else in its place is a sentence with the file's name."""
    directory.mkdir()
    for name in FILES:
        (directory / name).write_bytes(b"this is not a database, but it is long enough to be read as one " * 20)
    calls = {**CALLS, **READS, "migrate": SqlStore.migrate}

    with (
        SqlStore(directory, ("a",)).opened() as store,
        pytest.raises(
            UnreachableError, match=rf"the store {re.escape(str(directory))}/.+\.db cannot be used: .*not a database"
        ),
    ):
        calls[call](store)


@pytest.mark.parametrize("call", [*CALLS, *(name for name in READS if name != "current" and "version" not in name)])
def test_a_store_without_a_schema_is_unreachable(directory, call):
    """A role that does not wait for the migration gets an error that names the file."""
    directory.mkdir()
    for name in FILES:
        (directory / name).touch()

    with SqlStore(directory, ("a",)).opened() as store, pytest.raises(UnreachableError, match="no such table"):
        {**CALLS, **READS}[call](store)


@pytest.mark.parametrize("call", [*CALLS, *(name for name in READS if name != "current")])
def test_a_file_that_is_not_there_is_unreachable_and_is_not_made(directory, call):
    """An empty file in its place would look like a store without a schema."""
    directory.mkdir()

    with SqlStore(directory, ("a",)).opened() as store, pytest.raises(UnreachableError, match="it is not there"):
        {**CALLS, **READS}[call](store)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("call", [*CALLS, *READS])
def test_a_file_that_is_replaced_is_seen(store, directory, call):
    """SQLite itself would go on with what was deleted: nobody would ever see what is written there."""
    {**CALLS, **READS}[call](store)
    for name in FILES:
        for path in directory.glob(f"{name}*"):
            path.unlink()
    if call != "current":
        with pytest.raises(UnreachableError, match="it is not there"):
            {**CALLS, **READS}[call](store)
    assert not store.current()

    store.migrate()
    {**CALLS, **READS}[call](store)
    assert {path.name for path in directory.glob("*.db")} >= set(FILES)


def test_what_takes_too_long_is_ended(store, monkeypatch):
    """A reader has a time limit, whatever it asks."""
    monkeypatch.setattr(database, "READ_SECONDS", 0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    history = store._histories["a"]

    with pytest.raises(UnreachableError, match="an answer takes too long"), history.reading() as connection:
        connection.exec_driver_sql(endless).all()
    assert store.history("a").stream() is None


@pytest.mark.parametrize("call", [*CALLS, *(name for name in READS if name != "current"), "migrate"])
def test_a_directory_that_cannot_be_made_is_unreachable(tmp_path, call):
    """A file stands where the directory should be."""
    (tmp_path / "store").write_text("")
    calls = {**CALLS, **READS, "migrate": SqlStore.migrate}

    with (
        SqlStore(tmp_path / "store", ("a",)).opened() as store,
        pytest.raises(UnreachableError, match="cannot be used"),
    ):
        calls[call](store)


def test_a_full_disk_is_unreachable_and_leaves_the_store_whole(kept, directory):
    """What did not fit is not there, and later writes go on."""
    kept.record(task("before"))
    with rivals("overfill", directory) as outcomes:
        pass

    assert outcomes[0].startswith("UnreachableError the store ")
    kept.record(task("after"))
    assert {one.uuid for one in kept.all()} == {"before", "after"}


def test_more_threads_than_connections_wait_their_turn(store, keeper):
    """Forty readers and writers at once, as many as the console has threads: each gets an answer."""
    with ThreadPoolExecutor(40) as threads:
        jobs = [threads.submit(keeper.submit, remedy(f"r{n}", state=RemedyState.REQUESTED)) for n in range(40)]
        jobs += [threads.submit(keeper.book, "a", 0) for _ in range(80)]
        for job in jobs:
            job.result()

    assert len(keeper.book("a", 0).remedies) == 40


def test_a_closed_store_opens_again_by_itself(store, keeper):
    """Closing lets connections go; the next call makes new ones."""
    keeper.commit(Changes((incident("i"),)))
    store._control.close()

    assert keeper.incident("i") is not None
    assert keeper.version() >= 0
