"""Finding tasks by the life of a worker that had them: in every partition, and as that life left them."""

import uuid

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from adapters.stored import NOW, fresh
from celeriac.adapters.sql import schema
from celeriac.adapters.sql.database import Database
from celeriac.adapters.sql.recorder import SqlRecorder
from celeriac.adapters.sql.search import SqlTasks
from celeriac.core.redact import Redaction
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Former, Task
from celeriac.ports import Batch

LIFE = ("w@a", 7)


def task(number, state="STARTED", *, worker="w@a", pid=7, **fields):
    at = NOW + number
    times = {"received_at": at, **({"started_at": at} if state == "STARTED" else {})}
    return Task(
        str(uuid.UUID(int=number)), state, "work", worker, first_at=at, state_at=at, pid=pid, **{**times, **fields}
    )


@pytest.fixture
def history():
    with fresh(rows=3) as kept:
        yield kept


def left_by(history, life=LIFE, limit=100):
    found, number = history.tasks.left_by(*life, limit)
    return [uuid.UUID(one.uuid).int for one in found], number


def test_what_it_had_under_way_is_found_in_every_partition(history):
    history.record(*(task(number, "STARTED" if number % 2 else "RECEIVED") for number in range(9)))

    assert left_by(history) == ([8, 7, 6, 5, 4, 3, 2, 1, 0], 9)


def test_what_has_ended_or_is_of_another_life_is_not(history):
    history.record(
        task(1), task(2, "SUCCESS", finished_at=NOW + 2), task(3, pid=8), task(4, worker="w@b"), task(5, "RETRY")
    )

    assert left_by(history)[0] == [1]


def test_what_another_life_has_taken_over_is_found_as_it_was_left(history):
    word = Former(NOW, "RECEIVED", *LIFE)
    history.record(
        task(1, worker="w@b", former=word),
        task(2, pid=8, former=replace(word, state="STARTED")),
        task(3, worker="w@b", former=replace(word, state="RETRY")),
        task(4, worker="w@b", former=replace(word, pid=77)),
        task(5, worker="w@b", former=replace(word, worker="w@a2")),
    )

    assert left_by(history)[0] == [2, 1]


def test_a_node_name_with_any_signs_is_found(history):
    life = ("a #1 b%_@ü", 7)
    history.record(task(1, worker=life[0]), task(2, worker="w@b", former=Former(NOW, "STARTED", *life)))

    assert left_by(history, life)[0] == [2, 1]


def test_only_so_many_are_given_and_all_are_counted(history):
    history.record(*map(task, range(9)))

    assert left_by(history, limit=2) == ([8, 7], 9)


def test_tasks_are_found_by_their_ids_wherever_they_lie(history):
    kept = [*map(task, range(9)), replace(task(9), uuid="own id")]
    history.record(*kept)
    found = history.tasks.named([one.uuid for one in kept[2:]] + ["nowhere"])

    assert {one.uuid for one in found} == {one.uuid for one in kept[2:9]} | {"own id"}


def test_a_history_made_before_lives_were_stored_takes_them_up(tmp_path):
    """Its rows are of no known life; they gain one with the next event."""
    database = Database(tmp_path / "history-a.db", "history")
    try:
        database.migrate()
        SqlRecorder(database, Redaction()).record(Batch(Stream(NOW), [task(1), task(2)]))
        with database.writing() as connection:
            connection.execute(sa.text("DROP TABLE loads"))  # of a later revision
            connection.execute(sa.text("DROP INDEX tasks_1_former"))
            for column in ("pid", "former"):
                connection.execute(sa.text(f"ALTER TABLE {schema.partition(1).name} DROP COLUMN {column}"))
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'history_0002'"))
        assert not database.current()
        database.migrate()

        tasks = SqlTasks(database)
        assert tasks.left_by(*LIFE, 9) == ([], 0)
        SqlRecorder(database, Redaction()).record(Batch(Stream(NOW), [replace(task(3), uuid=task(1).uuid)]))
        assert [one.pid for one in tasks.left_by(*LIFE, 9)[0]] == [7]
    finally:
        database.close()
