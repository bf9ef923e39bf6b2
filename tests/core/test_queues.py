"""What two looks at a queue tell: rates, and the age of the oldest message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.core.flow import NOTHING
from celeriac.core.queues import Age, Head, QueueSample, QueueState, Rates, age, rates, sample
from celeriac.core.readings import Unknown

AT = 1_790_000_000.0


def queue(ready=0, unacked=None, **fields):
    return QueueState("orders", {0: ready}, unacked, **fields)


@pytest.mark.parametrize(
    ("before", "now", "count", "arriving", "completing"),
    [
        (queue(0), queue(50), NOTHING, 10, 0),
        (queue(50), queue(0), (50, 40), 0, 8),
        (queue(10), queue(10), (25, 20), 5, 4),
        (queue(7), queue(7), NOTHING, 0, 0),
        # A worker takes an ETA task at once, and holds it until it is due.
        (queue(0, 0), queue(0, 20), (20, 0), 4, 0),
        (queue(0, 20), queue(0, 0), (0, 20), 0, 4),
        # Late or early, an acknowledgement is neither an arrival nor a departure.
        (queue(0, 20), queue(0, 0), NOTHING, 0, 0),
    ],
)
def test_what_arrives_is_what_the_queue_grew_by_and_what_was_taken(before, now, count, arriving, completing):
    assert rates(before, now, 5.0, count) == Rates(arriving, completing)


def test_messages_of_all_priorities_count():
    assert rates(QueueState("q", {0: 1, 9: 1}), QueueState("q", {0: 2, 3: 5}), 5.0, NOTHING).arriving == 1


def test_what_left_before_its_events_came_does_not_arrive_with_them():
    """A backlog is taken, and the workers' events come after the broker's numbers: nothing has arrived in either span."""
    first = rates(queue(1000), queue(0), 5.0, (900, 900))
    second = rates(queue(0), queue(0), 5.0, (100, 100), first.short)

    assert (first.arriving, first.short) == (0, 100)
    assert (second.arriving, second.completing) == (0, 20)


def test_a_purged_queue_hides_arrivals_for_one_span_at_most():
    first = rates(queue(1000), queue(0), 5.0, NOTHING)
    second = rates(queue(0), queue(10), 5.0, NOTHING, first.short)
    third = rates(queue(10), queue(20), 5.0, NOTHING, second.short)

    assert [first.arriving, second.arriving, third.arriving] == [0, 0, 2]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20))
def test_with_events_in_time_the_rate_is_what_arrived(spans):
    """Whatever arrives and is received: what is told is what arrived, in each span."""
    before = queue(0)
    for arrived, wanted in spans:
        received = min(wanted, before.depth + arrived)
        now = queue(before.depth + arrived - received)
        assert rates(before, now, 1.0, (received, 0)) == Rates(arrived, 0.0)
        before = now


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_nothing_arrives_less_than_not_at_all(before, now, received, short):
    found = rates(queue(before), queue(now), 5.0, (received, 0), short)

    assert found.arriving >= 0
    assert found.short >= 0


@pytest.mark.parametrize(
    ("state", "head", "expected"),
    [
        (queue(3, oldest_sent_at=AT - 60, oldest_task="t"), None, Age(60, "message timestamp")),
        (queue(3, oldest_task="t"), Head("t", AT - 5, AT - 60), Age(60, "its task-sent event")),
        (queue(3, oldest_task="t"), Head("t", AT - 5), Age(5, "seen at the head since")),
        (queue(3, unknown={"oldest_task": "the body is no JSON"}), None, Age(unknown="the body is no JSON")),
        (queue(3), None, Age(unknown="the broker does not show its messages")),
        (queue(0), None, Age()),
        (QueueState("q", {}, unknown={"ready": "no", "oldest_task": "no"}), None, Age(unknown="no")),
        # A producer's clock may be ahead of ours.
        (queue(3, oldest_sent_at=AT + 60), None, Age(0, "message timestamp")),
        (queue(3, oldest_task="t"), Head("t", AT, AT + 60), Age(0, "its task-sent event")),
    ],
)
def test_the_oldest_message_is_as_old_as_the_best_method_tells(state, head, expected):
    assert age(state, AT, head) == expected


def test_a_sample_says_of_each_field_why_it_is_not_known():
    """What the broker cannot tell, what the events cannot tell, and what nobody can tell."""
    state = queue(3, consumers=2, unknown={"unacked": "Redis keeps one list for all queues", "oldest_task": "no JSON"})

    assert sample(state, AT, Unknown("two looks are needed"), age(state, AT, None)) == QueueSample(
        "orders",
        AT,
        {0: 3},
        None,
        2,
        unknown={
            "unacked": "Redis keeps one list for all queues",
            "oldest_s": "no JSON",
            "arriving": "two looks are needed",
            "completing": "two looks are needed",
        },
    )


def test_a_sample_holds_what_is_known():
    known = sample(queue(3, 1), AT, Rates(2.0, 1.0), Age(60.0, "message timestamp"))

    assert (known.arriving, known.completing, known.oldest_s, known.oldest_how) == (2, 1, 60, "message timestamp")
    assert known.unknown == {}
    assert (known.depth, known.unacked) == (3, 1)
