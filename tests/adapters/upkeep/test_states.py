"""Some states are kept longer, or shorter, and clocks may be wrong."""

from adapters.stored import DAY, NOW
from adapters.upkeep.rows import ids, named, task, tasks
from celeriac.adapters.sql import upkeep
from celeriac.adapters.sql.partitions import AGE_S


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
