"""Roll-ups, samples, lives and words are forgotten in their time."""

import sqlalchemy as sa

from adapters.stored import DAY, NOW
from adapters.upkeep.rows import task, tasks
from celeriac.adapters.sql import forgetting, schema
from celeriac.adapters.sql.forgetting import EVERY_S, LIVES_S, Forgetting
from celeriac.adapters.sql.partitions import AGE_S
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.retention import Retention
from celeriac.core.rollup import HOUR, MINUTE, by_state
from celeriac.core.tasks import Task


def test_roll_ups_samples_and_lives_are_forgotten_in_their_time(started, monkeypatch):
    """Of samples one a minute is kept on after a day."""
    monkeypatch.setattr(forgetting, "ROWS_AT_ONCE", 4)
    history = started(Retention(minutes_s=3 * DAY, hours_s=40 * DAY, samples_s=2 * DAY))
    begin = NOW // HOUR * HOUR
    history.record(
        *(task(n, at=begin + n * MINUTE) for n in range(10)),
        incarnations=[Incarnation("n", pid, NOW, NOW + pid) for pid in range(10)],
        queues=[QueueSample("q", begin + n * 20, {0: n}) for n in range(10)],
    )

    def there(now):
        history.tidy(now)
        steps = [step for step, _, _ in history.rollups()]
        samples, lives = history.history.queue("q", 0, NOW + 999), history.history.incarnations()
        return steps.count(MINUTE), steps.count(HOUR), len(samples), len(lives)

    assert there(begin + DAY + 2 * MINUTE) == (20, 2, 6, 10), "four since, and one in each of the two minutes before"
    assert there(begin + DAY + HOUR) == (20, 2, 4, 10)
    assert there(begin + 2 * DAY + 2 * MINUTE) == (20, 2, 2, 10)
    assert there(begin + 3 * DAY + 5 * MINUTE) == (10, 2, 0, 10)
    assert there(NOW + LIVES_S + 3) == (0, 2, 0, 7)
    assert there(begin + 40 * DAY + 2 * HOUR) == (0, 0, 0, 0)


def words(history):
    with history.database.reading() as connection:
        return set(connection.scalars(sa.select(schema.words.c.text)))


def test_a_word_that_nothing_holds_any_more_is_forgotten(started, monkeypatch):
    """Names of pods change with every deploy; what a task, a roll-up or a queue holds stays, and means the same."""
    monkeypatch.setattr(forgetting, "WORDS_AT_ONCE", 2)
    history = started()
    for day in range(30):
        now = NOW + day * DAY
        new = [
            task(10 * day + n, ("SUCCESS", "FAILURE")[n % 2], now, worker=f"pod-{day}-{n}", queue="q") for n in range(4)
        ]
        history.record(*new, now=now, queues=[QueueSample("idle", now, {0: 1})])
        history.tidy(now)
        if day % 7 == 3:
            history.crash()
    there = {one.worker for one in history.all()}

    assert 20 < len(there) < 80
    assert there | {"mail", "idle", "q"} == words(history)
    assert {(one.worker, one.uuid) for one in history.all()} <= {
        (f"pod-{day}-{n}", f"{10 * day + n:04}") for day in range(30) for n in range(4)
    }
    history.tidy(now + 401 * DAY)
    assert words(history) == set()


def test_a_forgotten_word_may_come_back(started):
    """With another number, or the same, if nothing holds it."""
    history = started()
    for at in (NOW, NOW + 12 * DAY, NOW + 24 * DAY):
        history.record(task(1, at=at, worker="pod"), task(2, at=at, worker=f"pod-{at}"), now=at)
        history.tidy(at + AGE_S)
        assert {one.worker for one in history.all()} == {"pod", f"pod-{at}"}
        history.tidy(at + 11 * DAY)
        assert words(history) == {"mail"}


def test_a_late_worker_of_a_sealed_or_moved_task_keeps_its_word(started):
    """The row has changed where it lies: its new word is held by that partition alone."""
    history = started()
    history.record(*tasks(0, 9, "FAILURE"), task(9))
    history.tidy(NOW + AGE_S)
    history.record(task(3, "FAILURE", NOW + 5, worker="late"), now=NOW + AGE_S)
    history.tidy(NOW + 10 * DAY + AGE_S)
    history.crash()
    history.tidy(NOW + 12 * DAY)

    assert history.partitions("archive") == [(True,)]
    assert history.tasks.task("0003").worker == "late"
    assert words(history) == {"mail", "late"}


def test_charts_never_go_below_nothing(started):
    """A minute is forgotten, and then its task comes again: there is nothing that it could take back."""
    history = started(Retention(minutes_s=HOUR))
    history.record(task(1, "STARTED", received_at=NOW, started_at=NOW + 1))
    history.tidy(NOW + 2 * HOUR)
    later = NOW + 2 * HOUR
    history.record(
        Task("0001", "SUCCESS", name="mail", first_at=later, received_at=later, started_at=later, finished_at=later,
             runtime=1.0, state_at=later)
    )  # fmt: skip

    counts = history.charts.counts(NOW - MINUTE, later + MINUTE, MINUTE)
    assert [by_state(count) for count in counts.values()] == [{"RECEIVED": 1, "STARTED": 1, "SUCCESS": 1}]
    assert all(number > 0 for count in history.rollups().values() for number in count.values())


def test_what_is_forgotten_is_looked_for_now_and_then_only(started):
    history = started()
    history.tidy(NOW)

    assert history.tidy(NOW + EVERY_S - 1) == 0
    assert history.tidy(NOW + EVERY_S) == 1


def test_what_is_over_is_found_by_an_index(started):
    """A scan of a year of roll-ups would keep the writer for seconds."""
    history = started()
    kinds = Forgetting(Retention()).kinds
    assert {kind.at.table.name for kind in kinds} == {"rollups", "queue_samples", "loads", "remarks", "incarnations"}
    with history.database.reading() as connection:
        for kind in kinds:
            over = kind.at.table.select().where(*kind.over(NOW)).order_by(kind.at)
            query = str(over.compile(compile_kwargs={"literal_binds": True}))
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH" in plan
            assert "at<?" in plan
            assert "TEMP B-TREE" not in plan
