"""What workers did by queue, from the rows of flushes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.events import Event
from celeriac.core.flow import NOTHING, Counted, Flow, shares
from celeriac.core.fold import ClusterState
from celeriac.core.readings import Unknown

NODE, OTHER = "celery@a", "celery@b"
LIFE = ("task-received", "task-started", "task-succeeded")


class Cluster:
    """Folds events, and hands each flush's rows to a flow."""

    def __init__(self, **bounds):
        self.state, self.flow, self.at = ClusterState(), Flow(**bounds), 1000.0

    def say(self, kind, uuid="t", node=NODE, ago=0.0, **fields):
        self.at += 0.001
        self.state.fold(
            [Event(type=kind, hostname=node, timestamp=self.at - ago, pid=7, clock=1, uuid=uuid, **fields)], self.at
        )

    def sent(self, uuid="t", queue="orders"):
        self.say("task-sent", uuid, "gen1@shop", queue=queue, name="orders.price")

    def live(self, uuid="t", node=NODE):
        for kind in LIFE:
            self.say(kind, uuid, node)

    def flush(self):
        self.flow.take(self.state.changes()[0])

    def drain(self):
        return self.flow.drain(self.at)


def test_a_task_counts_for_the_queue_that_its_sending_named():
    one = Cluster()
    one.sent()
    one.live()
    one.flush()

    assert one.drain() == Counted({"orders": (1, 1)})
    assert one.drain() == Counted()


def test_each_step_counts_in_the_flush_that_brings_it_and_once():
    """A row comes again with each change; what was counted is not counted again."""
    one = Cluster()
    one.sent()
    told = []
    for kind in LIFE:
        one.say(kind)
        one.flush()
        told.append(one.drain().queues["orders"])

    assert told == [(1, 0), (0, 0), (0, 1)]


def test_a_task_that_is_only_sent_makes_its_queue_known():
    one = Cluster()
    one.sent(queue="reports")
    one.flush()

    assert one.drain() == Counted({"reports": NOTHING})
    assert one.flow.names == {"reports"}


def test_a_worker_whose_clock_is_off_counts_like_any_other():
    """Times are compared within a task only, never with ours."""
    for ago in (-90.0, 120.0):
        one = Cluster()
        one.sent()
        for kind in LIFE:
            one.say(kind, ago=ago)
            one.flush()

        assert one.drain() == Counted({"orders": (1, 1)})


def test_a_retry_is_received_again():
    one = Cluster()
    one.sent()
    for kind in ("task-received", "task-started", "task-retried", "task-received", "task-started", "task-succeeded"):
        one.say(kind)
        one.flush()

    assert one.drain() == Counted({"orders": (2, 1)})


def test_a_task_revoked_before_it_began_has_left_its_queue():
    """Its only event is its end."""
    one = Cluster()
    one.sent()
    one.say("task-revoked", expired=True)
    one.flush()

    assert one.drain() == Counted({"orders": (1, 1)})


def naming() -> Cluster:
    """Return a cluster in which a task has named its queue before."""
    one = Cluster()
    one.sent("before", queue="reports")
    one.flush()
    one.drain()
    return one


def test_a_task_without_its_queue_counts_for_its_worker_one_flush_later():
    one = naming()
    one.live()
    one.flush()
    assert one.drain() == Counted()
    one.flush()

    assert one.drain() == Counted(workers={NODE: (1, 1)})


def test_where_no_task_names_its_queue_nothing_is_waited_for():
    one = Cluster()
    one.live()
    one.flush()

    assert one.drain() == Counted(workers={NODE: (1, 1)})


def test_the_word_of_the_producer_may_come_a_flush_after_the_workers():
    """Whether the task is over by then or not."""
    for kinds in (LIFE[:1], LIFE):
        one = naming()
        for kind in kinds:
            one.say(kind)
        one.flush()
        one.sent()
        one.flush()
        one.flush()

        assert one.drain() == Counted({"orders": (1, int(kinds == LIFE))})


def test_a_queue_that_nobody_sends_to_is_forgotten():
    one = Cluster()
    one.sent()
    one.flush()
    one.drain()
    one.at += 3601
    one.sent("u", "reports")
    one.flush()
    one.drain()

    assert one.flow.names == {"reports"}


def test_of_too_many_queues_the_busiest_are_kept():
    """An application may name a queue for each answer; those that work goes through are not lost among them."""
    one = Cluster(most_queues=3)
    one.sent()
    one.live()
    for number in range(50):
        one.sent(f"u{number}", f"answer-{number}")
    one.flush()
    counted = one.drain()

    assert counted.queues["orders"] == (1, 1)
    assert len(counted.queues) == len(one.flow.names) == 3


def test_of_too_many_unfinished_tasks_the_oldest_are_let_go():
    one = Cluster(most_tasks=10)
    for number in range(50):
        one.say("task-received", f"t{number}")
        one.flush()

    assert list(one.flow._counted_to) == [f"t{number}" for number in range(40, 50)]


steps = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60)


@given(steps)
def test_however_the_flushes_fall_everything_is_counted_once(steps):
    """Tasks go through their lives in any order among each other, with a flush and a look anywhere between."""
    one, reached, total = Cluster(), Counter(), Counter()

    def flush():
        one.flush()
        for number in one.drain().queues.values():
            total.update(dict(enumerate(number)))

    for task, flushes in steps:
        if reached[task] == 0:
            one.sent(str(task))
        if reached[task] < len(LIFE):
            one.say(LIFE[reached[task]], str(task))
            reached[task] += 1
        if flushes:
            flush()
    flush()

    assert total == Counter(
        {0: sum(done > 0 for done in reached.values()), 1: sum(done > 2 for done in reached.values())}
    )


# Whose work is it -----------------------------------------------------------------------------------------------------

ONE_EACH = {NODE: {"orders"}, OTHER: {"reports"}}
BOTH = {NODE: {"orders", "reports"}, OTHER: {"reports"}}
STRAY = Counted({"orders": (1, 0)}, {NODE: (5, 3)})


def why(found, name):
    assert isinstance(found[name], Unknown)
    return found[name].why


def test_the_work_of_a_worker_with_one_queue_is_that_queues():
    assert shares(["orders", "reports"], STRAY, ONE_EACH, []) == {"orders": (6, 3), "reports": NOTHING}


def test_the_work_of_a_worker_with_several_queues_is_nobodys():
    found = shares(["orders", "reports", "mail"], STRAY, BOTH, [])

    assert NODE in why(found, "orders")
    assert "task_send_sent_event = True" in why(found, "orders")
    assert found["orders"] == found["reports"]
    assert found["mail"] == NOTHING


def test_tasks_that_name_their_queue_need_no_other_knowledge():
    """Whatever the workers consume: nothing was done that is not told."""
    assert shares(["orders"], Counted({"orders": (1, 1)}), BOTH, []) == {"orders": (1, 1)}


def test_the_work_of_a_worker_that_is_not_known_may_be_from_any_queue():
    found = shares(["orders", "reports"], STRAY, {}, [])

    assert all("not known" in why(found, name) for name in found)


def test_a_worker_without_task_events_hides_what_its_queues_do():
    """Its setting is named, and the other queue is not touched."""
    found = shares(["orders", "reports"], Counted(), ONE_EACH, [NODE])

    assert "worker_send_task_events = True" in why(found, "orders")
    assert found["reports"] == NOTHING
    assert set(shares(["orders", "reports"], Counted(), {}, [NODE])) == {"orders", "reports"}


def test_a_queue_that_was_not_looked_at_gets_no_share():
    assert shares(["mail"], STRAY, ONE_EACH, [OTHER]) == {"mail": NOTHING}
