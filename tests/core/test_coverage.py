"""What cannot be seen, and the setting that would show it."""

import pytest

from celeriac.core.coverage import RESULTS, Watched, coverage, to_enable
from celeriac.core.flow import SENT_SETTING
from celeriac.core.model import Pool
from celeriac.core.queues import QueueSample
from core.builders import NOW, said_goodbye, stream, worker

WELL = {"task_events": 100, "sent_events": 30}
SEEN = Pool("prefork", 4, ("orders",), named=True)


def gaps(*workers, broker="redis", pool=SEEN, queues=(), enable="once", **heard):
    """Return the gaps of a cluster in which all is to be seen, but for what the test names and whole results."""
    pools = {one.key: pool for one in workers} if pool else {}
    heard = stream(**{**WELL, **heard})
    found = coverage(Watched(heard, (*workers, busy(9)), pools, tuple(queues), broker, enable))
    assert RESULTS in found
    return tuple(gap for gap in found if gap != RESULTS)


def only(*workers, **fields):
    (gap,) = gaps(*workers, **fields)
    return gap


def busy(index=0, **fields):
    """Return a worker that is well and was heard of tasks."""
    return worker(index, **{"last_task_at": NOW - 1, **fields})


def test_where_all_is_seen_there_is_no_gap():
    assert gaps(busy(0), busy(1)) == ()


def test_without_an_observer_nothing_is_seen_and_nothing_else_is_said():
    (gap,) = coverage(Watched(None, (busy(mute=True),)))

    assert "celeriac serve" in gap.setting


def test_a_cluster_in_which_nobody_speaks_is_not_shown_as_well():
    """It may send neither heartbeats nor task events: to us it looks as if it were empty."""
    gap, _ = coverage(Watched(stream(flowing_since=NOW - 61), (worker(silent=700),)))

    assert (gap.what, "--without-heartbeat" in gap.setting) == ("the workers", True)
    assert coverage(Watched(stream(flowing_since=NOW - 59))) == (RESULTS,)
    assert coverage(Watched(stream(flowing_since=None))) == (RESULTS,)


# Task events ---------------------------------------------------------------------------------------------------------


def test_workers_that_send_no_task_events_are_named():
    gap = only(busy(1, mute=True), busy(0, mute=True), busy(2))

    assert gap.workers == (busy(0).node, busy(1).node)
    assert "worker_send_task_events = True" in gap.setting
    assert "celery worker -E" in gap.setting


def test_a_cluster_whose_workers_are_never_asked_learns_of_our_setting():
    assert 'enable_task_events = "once"' in only(busy(mute=True), enable="never").setting
    assert "enable_task_events" not in only(busy(mute=True), enable="once").setting


@pytest.mark.parametrize("gone", [busy(mute=True, silent=60), said_goodbye(1, mute=True)], ids=["silent", "offline"])
def test_a_worker_that_is_gone_is_not_complained_of(gone):
    assert gaps(gone) == ()


# Loss ----------------------------------------------------------------------------------------------------------------


def test_tasks_that_workers_counted_and_nobody_heard_of_are_a_gap():
    gap = only(lost_tasks=7, lost_events=21)

    assert gap.why == "of 7 tasks that began no events came, unless these have send_events = False"
    assert "--only observer" in gap.setting


def test_a_cut_by_redis_names_its_limit():
    gap = only(lost_tasks=7, cuts=2)

    assert gap.why.endswith("the broker cut us off 2 times")
    assert gap.setting.startswith("client-output-buffer-limit pubsub")
    assert "client-output-buffer-limit" not in only(cuts=2, broker="rabbitmq").setting


def test_events_that_found_no_room_are_a_gap():
    assert "12 events" in only(dropped=12).why


def test_messages_of_refused_types_and_unreadable_ones_are_told_apart():
    """A refused message counts in both numbers."""
    refused, malformed = gaps(refused=3, malformed=5)

    assert refused.why.startswith("3 messages")
    assert malformed.why.startswith("2 events")
    assert 'event_serializer = "json"' in refused.setting
    assert len(gaps(refused=3, malformed=3)) == 1


def test_events_of_unknown_types_are_only_counted():
    gap = only(unknown_types=9)

    assert "9" in gap.why
    assert gap.setting is None


# Heartbeats ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_speaks_of_tasks_and_never_beats_is_named():
    gap = only(busy(beats=0, silent=300))

    assert gap.workers == (busy().node,)
    assert "--without-heartbeat" in gap.setting


@pytest.mark.parametrize(
    "fields",
    [{"born": 30}, {"silent": 3000}, {"last_task_at": None}, {"beats": 1}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_worker_may_be_young_or_gone_or_known_from_its_beats(fields):
    """Only one that has spoken of tasks lately, and long enough for a beat, is known to send none."""
    assert gaps(busy(**{"beats": 0, **fields})) == ()


# What was sent -------------------------------------------------------------------------------------------------------


def test_where_no_task_was_ever_seen_sent_the_producers_setting_is_named():
    gap = only(sent_events=0)

    assert gap.setting.startswith("task_send_sent_event = True")
    assert "nobody" in gap.why


def test_where_nothing_was_heard_of_tasks_nothing_is_said_of_their_sending():
    assert gaps(sent_events=0, task_events=0) == ()


def test_where_some_tasks_come_without_their_sending_that_is_said():
    """The queue's own sample knows."""
    queue = QueueSample("orders", NOW, {0: 1}, unknown={"arriving": f"celery@a ...: set {SENT_SETTING}"})

    assert "not everybody" in only(queues=[queue]).why


def test_a_rate_that_is_not_known_yet_is_no_gap():
    assert gaps(queues=[QueueSample("orders", NOW, {0: 1}, unknown={"arriving": "two looks are needed"})]) == ()


# The broker ----------------------------------------------------------------------------------------------------------


def test_connections_without_names_are_a_gap_on_redis_only():
    unnamed = Pool("prefork", 4, ("orders",))
    gap = only(busy(), pool=unnamed)

    assert gap.workers == (busy().node,)
    assert "client_name" in gap.setting
    assert gaps(busy(), pool=unnamed, broker="rabbitmq") == ()


@pytest.mark.parametrize("fields", [{"born": 30}, {"silent": 60}], ids=["young", "silent"])
def test_the_connections_of_a_young_or_silent_worker_may_not_have_been_seen(fields):
    assert gaps(busy(**fields), pool=Pool("prefork", 4, ("orders",))) == ()


def test_a_worker_whose_pool_is_not_known_is_not_said_to_be_unnamed():
    assert gaps(busy(), pool=None) == ()


def test_what_queues_do_not_tell_is_said_once_for_each_reason():
    """Fields and queues of one reason come together."""
    why = {"unacked": "no management", "oldest_s": "no management"}
    samples = [QueueSample(name, NOW, {0: 1}, unknown=why) for name in ("a", "b", "c", "d", "e")]
    odd = QueueSample("odd", NOW, {0: 1}, unknown={"oldest_s": "the body is no JSON"})

    whole, single = gaps(queues=[*samples, odd], broker="rabbitmq")

    assert whole.what == "unacknowledged messages and the age of the oldest message of a, b, c and 2 more"
    assert whole.why == "no management"
    assert whole.setting is None
    assert (single.what, single.why) == ("the age of the oldest message of odd", "the body is no JSON")


def test_the_gravest_gap_comes_first():
    found = gaps(busy(mute=True), lost_tasks=1, dropped=1, sent_events=0, refused=1, unknown_types=1)

    assert [gap.setting and gap.setting.split()[0] for gap in found] == [
        "worker_send_task_events",
        "celeriac",
        "store:",
        "event_serializer",
        "task_send_sent_event",
        None,
    ]


# Whom to ask for task events -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"mute": True}, True),
        ({"mute": True, "silent": 60}, False),
        ({"active": 2}, True),
        ({"active": 2, "last_task_at": NOW - 9}, False),
        ({"active": 2, "beats": 2}, False),
        ({"active": 0}, False),
        ({"active": None}, False),
    ],
    ids=repr,
)
def test_to_be_asked_are_those_that_work_and_say_nothing_of_it(fields, expected):
    assert bool(to_enable([worker(**fields)], NOW)) is expected


def test_one_that_has_said_goodbye_is_not_asked():
    assert to_enable([said_goodbye(1, mute=True)], NOW) == ()
