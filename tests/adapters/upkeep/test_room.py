"""A history that is too large, or a disk that is nearly full: the oldest of each kind goes."""

from types import SimpleNamespace

from adapters.stored import NOW
from adapters.upkeep.rows import ids, named, task, tasks
from celeriac.adapters.sql import forgetting, room
from celeriac.core.queues import QueueSample
from celeriac.core.retention import Retention
from celeriac.core.rollup import MINUTE


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
