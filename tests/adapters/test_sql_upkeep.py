"""Upkeep: partitions are sealed, moved, dropped; in short pieces, and by whoever goes on with it after a restart."""

from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.stored import DAY, NOW, fresh, kept
from celeriac.adapters.sql import forgetting, room, schema, upkeep
from celeriac.adapters.sql.forgetting import EVERY_S, LIVES_S, Forgetting
from celeriac.adapters.sql.partitions import AGE_S
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.retention import Retention
from celeriac.core.rollup import HOUR, MINUTE, by_state
from celeriac.core.search import TaskFilter
from celeriac.core.tasks import Task

LATER_INDEXES = 4
INDEXES = 3 + LATER_INDEXES
OLD = Retention(age_s=10 * DAY, by_state={"FAILURE": 20 * DAY, "REVOKED": 5 * DAY})


@pytest.fixture
def started(tmp_path):
    """Open histories whose partitions take ten rows."""
    opened = []

    def start(retention=OLD, rows=10):
        opened.append(kept(tmp_path / f"{len(opened)}.db", rows=rows, retention=retention))
        return opened[-1].__enter__()

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def task(number, state="SUCCESS", at=NOW, **more):
    fields = {"name": "mail", "first_at": at, "finished_at": at, "state_at": at}
    return Task(f"{number:04}", state, **{**fields, **more})


def tasks(start, end, state="SUCCESS", at=NOW):
    return [task(number, state, at) for number in range(start, end)]


def ids(history, **which):
    return sorted(row.task.uuid for row in history.tasks.find(TaskFilter(limit=100_000, **which)).rows)


def named(start, end):
    return [f"{number:04}" for number in range(start, end)]


# Sealing -------------------------------------------------------------------------------------------------------------


def test_nothing_to_do_is_said(started):
    """After what is forgotten now and then has been looked for."""
    history = started()
    history.record(*tasks(0, 5))

    assert [history.recorder.tidy(NOW), history.recorder.tidy(NOW), history.recorder.tidy(NOW)] == [True, False, False]


def test_a_full_partition_gets_its_other_indexes_one_by_one(started):
    """Each is a piece of its own; while it grew it had only those that its newest rows are asked by."""
    history = started()
    history.record(*tasks(0, 15))
    before = history.tables()
    pieces = history.tidy()

    assert history.partitions("stage", "rows") == [("sealed", 10), ("growing", 5)]
    assert len(history.tables() - before) == LATER_INDEXES
    assert pieces == LATER_INDEXES + 1 + 1
    history.check()


def test_a_day_old_partition_is_sealed_though_it_is_not_full(started):
    """So that what is a year old does not lie beside what is new, and can go."""
    history = started()
    history.record(*tasks(0, 3))
    history.tidy(NOW + AGE_S - 1)
    assert history.partitions("stage") == [("growing",)]

    history.tidy(NOW + AGE_S)
    assert history.partitions("stage") == [("sealed",)]


def test_a_late_event_changes_a_row_in_a_sealed_partition(started):
    history = started()
    history.record(*tasks(0, 15))
    history.tidy()
    history.record(task(3, "FAILURE", NOW + 5, exception="E()"))

    assert ids(history, states=("FAILURE",)) == ["0003"]
    history.check()


# Dropping ------------------------------------------------------------------------------------------------------------


def test_old_tasks_go_and_nothing_of_them_is_left(started):
    """Neither tables nor indexes nor rows in the catalogue; newer tasks stay."""
    history = started()
    history.record(*tasks(0, 30))
    history.record(*tasks(30, 40, at=NOW + 9 * DAY), now=NOW + 9 * DAY)
    history.tidy(NOW + 10 * DAY - 1)
    assert ids(history) == named(0, 40)

    history.tidy(NOW + 10 * DAY)
    assert ids(history) == named(30, 40)
    assert {name for name in history.tables() if name.count("_") == 1} == {"tasks_4"}
    assert history.partitions("id") == [(4,)]


def test_a_partition_goes_in_pieces(started, monkeypatch):
    """An index each, then some rows each, then the table: none of them keeps the writer for long."""
    monkeypatch.setattr(upkeep, "ROWS_AT_ONCE", 4)
    history = started()
    history.record(*tasks(0, 10))
    history.tidy(NOW + AGE_S)
    begun = 1

    assert history.tidy(NOW + 11 * DAY) == begun + INDEXES + 3 + 1 + len(["words", "all that is forgotten"])


def test_what_goes_is_not_found_from_its_first_piece_on(started):
    """A page has all of a partition or nothing of it."""
    history = started()
    history.record(*tasks(0, 10))
    history.tidy(NOW + AGE_S)
    found = []
    while history.recorder.tidy(NOW + 11 * DAY):
        found.append(history.partitions("stage"))
        assert (ids(history), history.tasks.facets(TaskFilter()).states) == ([], {})
        assert history.tasks.histogram(TaskFilter(), 60).counts == {}
        assert history.tasks.task("0003") is None

    assert [("dropping",)] in found


def test_roll_ups_outlive_the_tasks(started):
    history = started()
    history.record(*tasks(0, 10))
    before = history.rollups()
    history.tidy(NOW + 11 * DAY)

    assert (ids(history), history.rollups()) == ([], before)


def test_a_task_that_speaks_again_while_its_partition_goes_is_a_new_one(started):
    history = started()
    history.record(*tasks(0, 10))
    history.tidy(NOW + AGE_S)
    for _ in range(3):
        history.recorder.tidy(NOW + 11 * DAY)
    assert history.partitions("stage") == [("dropping",)]
    history.record(task(3, at=NOW + 11 * DAY), now=NOW + 11 * DAY)
    history.tidy(NOW + 11 * DAY)

    assert ids(history) == ["0003"]
    assert history.partitions("stage", "rows") == [("growing", 1)]


# Keeping some states longer, or shorter ------------------------------------------------------------------------------


def mixed(history):
    history.record(*tasks(0, 8), *tasks(8, 10, "FAILURE"))
    history.record(*tasks(10, 17), *tasks(17, 19, "FAILURE"), task(19, "REVOKED"))
    history.tidy(NOW + AGE_S)


def test_failures_are_kept_as_long_as_they_should_and_stay_found(started):
    """They are moved to the archive: found by search at every moment, once."""
    history = started()
    mixed(history)
    failures = [*named(8, 10), *named(17, 19)]
    while history.recorder.tidy(NOW + 10 * DAY):
        history.check(dropped=True)
        assert ids(history, states=("FAILURE",)) == failures

    assert ids(history) == failures
    assert history.partitions("archive", "rows") == [(True, 4)]
    assert [history.tasks.task(uuid).state for uuid in failures] == ["FAILURE"] * 4

    history.tidy(NOW + 20 * DAY - 1)
    assert ids(history) == failures
    history.tidy(NOW + 20 * DAY)
    assert ids(history) == []
    assert history.tables() == set()


def test_a_state_may_be_kept_shorter(started):
    """Revoked tasks go first; all others of their partition move."""
    history = started()
    mixed(history)
    history.tidy(NOW + 5 * DAY)

    assert ids(history) == named(0, 19)
    history.check(dropped=True)


def test_a_moved_task_changes_where_it_lies(started):
    """A late event finds it in the archive; delivered again it succeeds, and goes with those that succeed."""
    history = started()
    mixed(history)
    history.tidy(NOW + 10 * DAY)
    history.record(task(8, "SUCCESS", NOW + DAY), now=NOW + 10 * DAY)

    assert ids(history, states=("SUCCESS",)) == ["0008"]
    history.tidy(NOW + 10 * DAY + AGE_S)
    assert ids(history) == [*named(9, 10), *named(17, 19)]
    history.check(dropped=True)


def test_moving_is_done_in_pieces(started, monkeypatch):
    monkeypatch.setattr(upkeep, "MOVED_AT_ONCE", 3)
    history = started()
    history.record(*tasks(0, 10, "FAILURE"))
    history.record(task(0, "SUCCESS", NOW + 1))
    history.tidy(NOW + AGE_S)
    moved = []
    while history.recorder.tidy(NOW + 10 * DAY):
        moved.append(sum(rows for archive, rows in history.partitions("archive", "rows") if archive))
        assert set(named(1, 10)) <= set(ids(history))

    assert [number for place, number in enumerate(moved) if number not in moved[:place]] == [3, 6, 9]


# Size ----------------------------------------------------------------------------------------------------------------


def used(history):
    with history.database.reading() as connection:
        return room.used_bytes(connection)


def test_beyond_its_size_the_oldest_go_whatever_their_state(started):
    """Until it fits: the newest stay."""
    plain = started(Retention(), rows=50)
    big = {"args": "x" * 1000}
    for day in range(8):
        plain.record(*(task(day * 50 + n, "FAILURE", NOW + day, **big) for n in range(50)), now=NOW + day)
    plain.tidy()
    whole = used(plain)

    history = started(Retention(most_bytes=whole * 6 // 10), rows=50)
    for day in range(8):
        history.record(*(task(day * 50 + n, "FAILURE", NOW + day, **big) for n in range(50)), now=NOW + day)
    history.tidy()

    left = ids(history)
    assert used(history) <= whole * 6 // 10
    assert 100 <= len(left) <= 250
    assert left == named(400 - len(left), 400)
    history.crash()
    assert history.tidy() <= 1, "it stays as it is"


def test_what_does_not_fit_at_all_leaves_the_newest(started):
    """The partition that grows stays: there is nothing else that could go."""
    history = started(Retention(most_bytes=1))
    history.record(*tasks(0, 25))
    history.tidy()

    assert ids(history) == named(20, 25)


def sampled(start, end, number=20):
    return [QueueSample(f"q{queue}", NOW + 5 * n, {0: n}) for n in range(start, end) for queue in range(number)]


def test_samples_do_not_push_the_tasks_out(started, monkeypatch):
    """Where there is too much of both, of each the oldest goes; what is of the last hour stays."""
    monkeypatch.setattr(forgetting, "ROWS_AT_ONCE", 500)
    history = started(Retention(most_bytes=2_000_000), rows=100)
    for n in range(0, 2000, 100):
        now = NOW + 5 * n
        history.record(*tasks(n, n + 20, at=now), now=now, queues=sampled(n, n + 100))
        history.tidy(now)
    left = len(history.history.queue("q1", 0, now + 999))

    assert used(history) <= 2_000_000
    assert len(ids(history)) > 250, "the newest of twenty times twenty"
    assert 720 <= left < 1800


def test_roll_ups_are_given_up_like_tasks(started, monkeypatch):
    """Names that change all the time would fill the file with their minutes."""
    monkeypatch.setattr(forgetting, "ROWS_AT_ONCE", 100)
    history = started(Retention(most_bytes=600_000), rows=50)
    for n in range(100):
        now = NOW + 600 * n
        history.record(*(task(10 * n + i, at=now, name=f"name-{n}-{i}") for i in range(10)), now=now)
        history.tidy(now)

    assert used(history) <= 600_000
    assert 400 < len(ids(history)) < 1000
    assert min(at for step, at, _ in history.rollups() if step == MINUTE) > NOW + 600
    assert history.charts.by_name(now - 1800, now + 60), "what is young stays"


class SmallDisk:
    """A disk with so much room for the files of one history."""

    def __init__(self, history, total):
        self.total, self._folder = total, history.database.path.parent
        self.others = 0

    @property
    def free(self):
        return self.total - self.others - sum(path.stat().st_size for path in self._folder.iterdir())

    def usage(self, _):
        return SimpleNamespace(total=self.total, free=max(0, self.free))


def big(start, end, **more):
    return [task(number, args="x" * 1000, **more) for number in range(start, end)]


def test_tasks_go_before_the_disk_is_full(started, monkeypatch):
    """On a full disk nothing could be let go: even that is written into the log first."""
    history = started(Retention(), rows=500)
    disk = SmallDisk(history, 40_000_000)
    monkeypatch.setattr(room.shutil, "disk_usage", disk.usage)
    least = disk.free
    for n in range(0, 30_000, 500):
        history.record(*big(n, n + 500, at=NOW + n), now=NOW + n)
        history.tidy(NOW + n)
        least = min(least, disk.free)

    assert least > 1_000_000, "it was never full"
    assert 5_000 < len(ids(history)) < 29_000
    assert "29999" in ids(history)
    history.check(dropped=True)


def test_a_disk_that_others_fill_costs_no_more_than_the_spare_room(started, monkeypatch):
    """What is let go gives the disk nothing back, so it is no use to let all go."""
    history = started(Retention(), rows=100)
    disk = SmallDisk(history, 40_000_000)
    monkeypatch.setattr(room.shutil, "disk_usage", disk.usage)
    for n in range(0, 10_000, 1000):
        history.record(*big(n, n + 1000, at=NOW + n), now=NOW + n)
    history.tidy()
    assert len(ids(history)) == 10_000
    disk.others = disk.free
    history.tidy()

    assert 4_000 < len(ids(history)) < 8_500
    history.check(dropped=True)


# Clocks --------------------------------------------------------------------------------------------------------------


def test_a_task_from_the_future_keeps_nothing_for_ever(started):
    """Age is counted by our clock: a worker's may say anything."""
    history = started()
    history.record(*tasks(0, 9), task(9, at=4e9))
    history.tidy(NOW + 11 * DAY)

    assert ids(history) == []


def test_a_worker_whose_clock_says_1970_does_not_lose_its_tasks(started):
    history = started()
    history.record(*tasks(0, 10, at=1000.0))
    history.tidy(NOW + 9 * DAY)

    assert ids(history) == named(0, 10)


# Roll-ups, samples and lives -----------------------------------------------------------------------------------------


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
    assert {kind.at.table.name for kind in kinds} == {"rollups", "queue_samples", "remarks", "incarnations"}
    with history.database.reading() as connection:
        for kind in kinds:
            over = kind.at.table.select().where(*kind.over(NOW)).order_by(kind.at)
            query = str(over.compile(compile_kwargs={"literal_binds": True}))
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
            assert "SEARCH" in plan
            assert "at<?" in plan
            assert "TEMP B-TREE" not in plan


# Restarts and laws ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies_after", [1, 2, 5])
def test_upkeep_goes_on_after_a_restart_wherever_it_was(started, dies_after):
    """The stages are stored: sealing, moving and dropping each go on, and end as if nothing had been."""
    history = started()
    history.record(*tasks(0, 18), *tasks(18, 25, "FAILURE"))
    now = NOW + 10 * DAY
    for _ in range(200):
        busy = [history.recorder.tidy(now) for _ in range(dies_after)]
        assert set(ids(history)) >= set(named(18, 25))
        history.crash()
        if not any(busy[1:]) and len(history.partitions("id")) == 1:  # a new one looks once for what is forgotten
            break

    assert ids(history) == named(18, 25)
    history.check(dropped=True)


STATES = st.sampled_from(["SUCCESS", "FAILURE", "REVOKED", "STARTED"])
AGES = st.sampled_from([1, 3, 8])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(STATES, max_size=6), st.integers(0, 12)), min_size=1, max_size=10),
    AGES,
    st.dictionaries(STATES, AGES, max_size=2),
    st.sampled_from([1, 3, 100]),
)
def test_each_task_stays_for_its_time_and_then_goes(days, age, by_state, rows):
    """Whatever comes when, however small partitions are, and whenever the writer gets to its upkeep or dies.

    A task goes no earlier than it should, and at most two days later: one that its partition grew, in each of two.
    """
    retention = Retention(age * DAY, {state: each * DAY for state, each in by_state.items()})
    came, now = {}, NOW
    with fresh(rows=rows, retention=retention) as history:
        for later, states, pieces in days:
            now += later * DAY
            for state in states:
                number = len(came)
                came[f"{number:04}"] = (now, retention.age_of(state))
                history.record(task(number, state, now), now=now)
            for _ in range(pieces):
                history.recorder.tidy(now)
            if pieces % 3 == 2:
                history.crash()
        history.tidy(now)
        left = set(ids(history))

        assert {id for id, (at, kept) in came.items() if now - at < kept} <= left
        assert {id for id, (at, kept) in came.items() if now - at < kept + 2 * AGE_S} >= left
        history.check(dropped=True)
