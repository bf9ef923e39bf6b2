"""Partitions are sealed, and dropped in short pieces."""

from adapters.stored import DAY, NOW
from adapters.upkeep.rows import INDEXES, LATER_INDEXES, ids, named, task, tasks
from celeriac.adapters.sql import upkeep
from celeriac.adapters.sql.partitions import AGE_S
from celeriac.core.search import TaskFilter

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
