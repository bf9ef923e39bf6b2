"""What a worker's own counter says of the events that did not reach us."""

import pytest

from celeriac.core import hearing
from celeriac.core.hearing import BUFFERED
from celeriac.core.model import Incarnation

BEAT = 2.0


class Worker:
    """A worker that begins tasks; of each beat some of its `task-started` events come."""

    def __init__(self) -> None:
        self.processed = 0
        self.life = Incarnation("celery@a", 7, 0.0, 0.0)
        self.beat()

    def beat(self, begun=0, heard=None, *, after=BEAT) -> int:
        """Begin so many tasks, have so many of them heard (all, unless said), and return how many are lost anew."""
        self.processed += begun
        self.life.started += begun if heard is None else heard
        return hearing.count(self.life, self.processed, after)


@pytest.fixture
def worker():
    return Worker()


def test_what_is_heard_is_not_lost(worker):
    assert [worker.beat(100), worker.beat(3000), worker.beat(0), worker.beat(1)] == [0, 0, 0, 0]
    assert (worker.life.missed, worker.life.mute) == (0, False)


def test_the_first_beat_tells_nothing_of_what_was_before():
    """We began to listen when the worker had long worked."""
    life = Incarnation("celery@a", 7, 0.0, 0.0)

    assert hearing.count(life, 1_000_000, 0.0) == 0
    assert hearing.count(life, 1_000_000, BEAT) == 0


def test_events_that_wait_in_the_workers_buffer_are_not_lost(worker):
    """A heartbeat overtakes up to a buffer of them; they come with the next."""
    worker.beat(50)
    found = [worker.beat(30, 30 - BUFFERED), worker.beat(30, 30), worker.beat(30, 30), worker.beat(0, BUFFERED)]

    assert (found, worker.life.missed) == ([0] * 4, 0)


def test_what_is_lost_is_known_exactly_when_the_worker_rests(worker):
    worker.beat(50)
    while_busy = worker.beat(100, 40) + worker.beat(100, 100)
    at_rest = worker.beat(0)

    assert while_busy == 60 - BUFFERED
    assert (while_busy + at_rest, worker.life.missed) == (60, 60)
    assert worker.beat(0) == 0, "it is counted once"


def test_losses_add_up(worker):
    worker.beat(50)
    worker.beat(100, 40)
    worker.beat(0)
    worker.beat(100, 90)
    worker.beat(0)

    assert worker.life.missed == 70


def test_what_comes_after_all_is_not_lost_a_second_time(worker):
    """It was counted as lost and came late: the next loss is that much smaller."""
    worker.beat(50)
    worker.beat(100, 40)
    worker.beat(0)
    worker.beat(0, 60)
    worker.beat(100, 40)
    worker.beat(0)

    assert worker.life.missed == 60


def test_a_worker_that_never_speaks_of_tasks_has_its_events_off(worker):
    """Nothing is lost that was never sent."""
    assert [worker.beat(5, 0), worker.beat(1000, 0), worker.beat(0, 0)] == [0, 0, 0]
    assert (worker.life.mute, worker.life.missed) == (True, 0)


def test_once_it_speaks_it_is_mute_no_longer(worker):
    """Somebody has turned its events on; what it did before was not lost."""
    worker.beat(1000, 0)

    assert worker.beat(10, 10) == 0
    assert worker.beat(0) == 0
    assert not worker.life.mute


def test_silence_in_a_gap_of_ours_is_loss_and_no_muteness(worker):
    """No heartbeat came either: we were cut off."""
    worker.beat(50)
    worker.beat(500, 0, after=30.0)
    worker.beat(10)
    worker.beat(0)

    assert (worker.life.mute, worker.life.missed) == (False, 500)


def test_a_short_gap_of_ours_is_loss_too(worker):
    """Cut off and back between two heartbeats: a worker that has just spoken of tasks did not turn its events off."""
    worker.beat(50)
    worker.beat(100, 0)
    worker.beat(100, 100)
    worker.beat(0)

    assert (worker.life.mute, worker.life.missed) == (False, 100)


def test_events_turned_off_while_it_works_are_not_lost_for_ever_more(worker):
    """Beat after beat it begins tasks and says nothing of them: that is the setting, not the network."""
    worker.beat(50)
    for _ in range(10):
        worker.beat(100, 0)
    worker.beat(0)

    assert (worker.life.mute, worker.life.missed) == (True, 0)


def test_one_task_that_a_heartbeat_overtakes_means_nothing(worker):
    """A worker with a task a minute: neither mute nor lost."""
    worker.beat(1)
    overtaken = worker.beat(1, 0)

    assert (overtaken, worker.life.mute) == (0, False)
    assert (worker.beat(0, 1), worker.life.missed) == (0, 0)


def test_a_counter_that_falls_begins_anew(worker):
    """The process is another one; what the old one lost is not lost again, nor does it hide a new loss."""
    worker.beat(50)
    worker.beat(100, 40)
    worker.beat(0)
    worker.processed = 0
    assert worker.beat(0) == 0
    worker.beat(100, 90)
    worker.beat(0)

    assert worker.life.missed == 70
