"""One cluster's history as its observer keeps it: the stream, the workers' lives, the samples of queues."""

from itertools import pairwise

import pytest
import sqlalchemy as sa

from adapters.stored import DAY, NOW
from celeriac.adapters.sql.history import SqlHistory
from celeriac.core.model import Incarnation
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch


def test_an_empty_history_answers_everything(history):
    """Before the first flush there is nothing, and that is no error."""
    assert history.stream() is None
    assert [history.incarnations(), history.queues(), history.queue("celery", 0, NOW)] == [[], [], []]


def test_a_flush_is_read_back_whole(kept, history):
    """Every field of stream, life and sample survives."""
    life = Incarnation(
        node="worker@g",
        pid=2**53,
        first_seen_at=NOW,
        last_seen_at=NOW + 1,
        last_heartbeat_at=NOW + 1,
        beats=5,
        active=1,
        processed=9,
        software="py-celery 5.7",
        sent=(2**53, NOW + 0.1),
        goodbye=(3, NOW),
        offline_at=NOW,
        started=7,
        counted=(9, 7),
        behind=2,
        missed=2,
        mute=True,
    )
    stream = Stream(NOW, NOW - 1, NOW - 9, "odd \0 é", "redis", 1, 2, 3, 4, 5, 6.5, store_error="full")
    sample = QueueSample("célery\0", NOW, {0: 5, 9: 1}, 2, 3, 1.5, None, 7.25, "by watching", {"completing": "why"})
    kept.recorder.record(Batch(stream, (), [life], [sample]))

    assert history.incarnations() == [life]
    assert history.stream() == stream
    assert history.queues() == [sample]
    assert history.queue(sample.name, NOW, NOW) == [sample]


def test_the_last_flush_tells_the_stream_and_the_incarnations(kept, history):
    """Both are replaced whole."""
    for late in (0, 1):
        lives = [Incarnation("n", 1, NOW, NOW + late), Incarnation("n", 2, NOW, NOW)]
        kept.record(now=NOW + late, incarnations=lives)

    assert history.stream() == Stream(NOW + 1)
    assert {(one.pid, one.last_seen_at) for one in history.incarnations()} == {(1, NOW + 1), (2, NOW)}


def test_incarnations_are_listed_for_two_days(kept, history):
    """Two days after the newest word of anybody, not of the wall clock."""
    last = NOW + 2 * DAY
    kept.record(incarnations=[Incarnation("old", 1, NOW, NOW), Incarnation("edge", 1, NOW, NOW + 1)])
    kept.record(incarnations=[Incarnation("new", 1, last, last)])

    assert {one.node for one in history.incarnations()} == {"edge", "new"}


def test_an_observer_takes_up_what_the_one_before_has_stored(kept):
    """The workers' lives, so that one that dies in between is missed."""
    life = Incarnation("n", 1, NOW, NOW, beats=4)
    kept.record(incarnations=[life])
    kept.crash()

    assert kept.recorder.opening().incarnations == (life,)


def test_clusters_have_a_history_each(store, kept):
    """The same task id in two clusters is two tasks."""
    kept.record(Task("t", name="a", first_at=NOW))

    assert store.tasks("a").task("t").name == "a"
    assert store.tasks("b").task("t") is None


# Queues --------------------------------------------------------------------------------------------------------------


def sample(name, late=0.0, depth=0):
    return QueueSample(name, NOW + late, {0: depth})


def test_of_each_queue_the_newest_sample_is_listed(kept, history):
    """In the order of their names, and those that nobody samples any more only for five minutes."""
    kept.record(queues=[sample("gone"), sample("b", 10, 1), sample("edge", 61)])
    kept.record(queues=[sample("b", 20, 2), sample("a", 360, 3)])

    assert [(one.name, one.depth) for one in history.queues()] == [("a", 3), ("edge", 0)]

    kept.record(queues=[sample("b", 400, 4)])
    assert [(one.name, one.depth) for one in history.queues()] == [("a", 3), ("b", 4)]


def test_a_sample_that_comes_twice_is_one(kept, history):
    for _ in range(2):
        kept.record(queues=[sample("a", 0, 7), sample("a", 1, 8)])

    assert [one.depth for one in history.queue("a", NOW, NOW + 1)] == [7, 8]


def test_a_queues_samples_are_those_of_the_range(kept, history):
    """Oldest first, both ends included, of this queue alone."""
    kept.record(queues=[sample(name, late, late) for late in (3, 1, 2, 0) for name in ("a", "b")])

    assert [one.depth for one in history.queue("a", NOW + 1, NOW + 2)] == [1, 2]
    assert history.queue("c", NOW, NOW + 9) == []


@pytest.mark.parametrize("number", [1999, 2001, 5000])
def test_many_samples_are_thinned_evenly(kept, history, number):
    """A page draws no more than two thousand points, whatever the range."""
    kept.record(queues=[sample("a", late, late) for late in range(number)])

    depths = [one.depth for one in history.queue("a", 0, NOW + 1e6)]
    widest = -(-number // 2000)
    assert 1000 < len(depths) <= 2000
    assert depths[0] == 0
    assert number - depths[-1] <= widest
    assert {later - one for one, later in pairwise(depths)} <= {max(1, widest - 1), widest}


def test_samples_older_than_a_day_are_one_a_minute_and_the_rest_is_thinned_in_time(kept, history):
    """So a chart shows as much of each hour as there is, up to its two thousand points."""
    kept.record(queues=[sample("a", late) for late in range(0, 6 * 3600, 5)])
    kept.tidy(NOW + DAY + 3 * 3600)
    times = [one.at for one in history.queue("a", NOW - DAY, NOW + DAY)]

    early, late = (sum(begin <= at - NOW < begin + 3 * 3600 for at in times) for begin in (0, 3 * 3600))
    assert 178 <= early <= 181
    assert 950 < late <= 1050


def plans(history, ask):
    """Return how SQLite finds the answer to each query of a call."""
    asked = []
    engine = history._database._reader
    sa.event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    ask(history)
    with history._database.reading() as connection:
        return [
            row[3]
            for query, values in list(asked)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)
        ]


@pytest.mark.parametrize("ask", [SqlHistory.queues, lambda one: one.queue("a", NOW, NOW + 60)], ids=["all", "one"])
def test_samples_are_found_by_an_index(kept, history, ask):
    """Every open page asks twice a second, and there are millions of them."""
    kept.record(queues=[sample(name, late) for late in range(100) for name in "abc"])
    steps = [step for step in plans(history, ask) if "queue_samples" in step]

    assert steps
    assert all(step.startswith("SEARCH") for step in steps), steps


def test_what_stays_the_same_from_sample_to_sample_is_stored_once(kept, history):
    """Sentences would take five times as much as the numbers."""
    why = {"consumers": "nobody can tell who takes from it " * 5}
    samples = [QueueSample("a", NOW + late, {0: late}, oldest_how="by watching", unknown=why) for late in range(500)]
    kept.record(queues=samples)
    kept.database.close()

    assert history.queue("a", NOW, NOW + 999) == samples
    assert sum(path.read_bytes().count(b"nobody can tell") for path in kept.database.path.parent.iterdir()) <= 10
