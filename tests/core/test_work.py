"""What waits for workers, and what their siblings begin: kept over several looks."""

from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.model import Pool
from celeriac.core.queues import QueueSample
from celeriac.core.work import FRESH_S, Backlog, Share, Shares, Waiting
from core.builders import NOW, but, worker

POOL = Pool("prefork", 4, ("celery",))


def sample(depth, ago=1.0, name="celery", **fields):
    return QueueSample(name, NOW - ago, {0: depth}, **fields)


def test_a_queue_waits_since_it_was_first_seen_not_to_be_empty():
    backlog = Backlog()

    assert backlog.take([sample(2)], NOW, 100.0) == {"celery": Waiting(2, 100.0)}
    assert backlog.take([sample(5, unacked=1, consumers=2)], NOW, 130.0) == {"celery": Waiting(5, 100.0, 1, 2)}
    assert backlog.take([sample(0)], NOW, 140.0) == {"celery": Waiting(0)}
    assert backlog.take([sample(1)], NOW, 150.0) == {"celery": Waiting(1, 150.0)}


def test_what_the_broker_does_not_tell_or_told_long_ago_waits_for_nobody():
    backlog = Backlog()
    backlog.take([sample(2)], NOW, 100.0)

    assert backlog.take([sample(2, ago=FRESH_S + 1)], NOW, 130.0) == {}
    assert backlog.take([sample(2, unknown={"ready": "refused"})], NOW, 140.0) == {}
    assert backlog.take([sample(2)], NOW, 150.0)["celery"].since == 150.0


def looked(shares, *processed, active=0):
    """Let so many workers have these counters; return the shares of them in turn."""
    lives = [worker(index, processed=number, active=active) for index, number in enumerate(processed)]
    found = shares.take(lives, {one.key: POOL for one in lives})
    return [found[one.key].theirs for one in lives]


def test_what_siblings_begin_counts_for_who_begins_nothing():
    shares = Shares()

    assert looked(shares, 5, 7) == [0, 0]
    assert looked(shares, 5, 17) == [10, 0]
    assert looked(shares, 5, 27) == [20, 0]
    assert looked(shares, 6, 37) == [0, 0]
    assert looked(shares, 6, 37) == [0, 0]
    assert looked(shares, 6, 39) == [2, 0]


def test_a_worker_that_runs_a_task_owes_nothing():
    """A long task fills its slot."""
    shares = Shares()
    looked(shares, 5, 7)

    assert looked(shares, 5, 17, active=1) == [0, 0]
    assert looked(shares, 5, 27) == [10, 0]


def test_only_workers_of_the_same_queues_are_siblings():
    shares, one, other = Shares(), worker(0, active=0, processed=1), worker(1, active=0, processed=1)
    pools = {one.key: POOL, other.key: Pool("prefork", 4, ("other",))}
    shares.take([one, other], pools)

    assert shares.take([one, but(other, processed=99)], pools)[one.key] == Share(0, 1)


def test_of_whom_nothing_is_known_nothing_is_counted():
    """No pool, no queues, or beats that tell nothing."""
    lives = [worker(0), worker(1), worker(2, processed=None)]
    pools = {lives[1].key: Pool("prefork"), lives[2].key: POOL}

    assert Shares().take(lives, pools) == {}


def test_another_life_begins_at_nothing():
    """Its counter is small again; that is no work undone."""
    shares = Shares()
    looked(shares, 50, 70)

    assert looked(shares, 50, 3) == [0, 0]
    assert looked(shares, 50, 5) == [2, 0]


def test_chance():
    assert Share(0, 2).chance == 1.0
    assert Share(20, 2).chance < 1e-6
    assert Share(20, 1).chance == 1.0
    assert 0.9 < Share(3, 40).chance < 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_a_share_is_what_others_began_since_its_own_last(steps):
    """Whatever happens, the count is exact."""
    shares, counters, expected = Shares(), [0, 0], [0, 0]
    looked(shares, 0, 0)
    for began in steps:
        counters = [one + more for one, more in zip(counters, began, strict=True)]
        expected = [0 if began[mine] else expected[mine] + began[1 - mine] for mine in (0, 1)]
        assert looked(shares, *counters) == expected
