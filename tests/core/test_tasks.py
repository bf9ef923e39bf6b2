"""A task's row: what each event makes of it, and how two rows of one task become one."""

from itertools import permutations

import pytest
from msgspec.structs import asdict, replace

from celeriac.core import tasks
from celeriac.core.events import Event
from celeriac.core.tasks import STATES, Task
from celeriac.core.waits import waited

NODE = "celery@a"
T0 = 1_790_000_000.0


def task_event(kind, at=0.0, *, host=NODE, uuid="t1", **fields) -> Event:
    return Event(type=f"task-{kind}", hostname=host, timestamp=T0 + at, pid=7, uuid=uuid, **fields)


def row(*events) -> Task:
    """Return what these events make of a task, in this order."""
    task = Task("t1")
    for event in events:
        tasks.apply(task, event, STATES[event.type])
    return task


def test_a_task_that_was_sent_is_pending_in_its_queue():
    """`task-sent` names the queue and the task; the producer is no worker of it."""
    task = row(task_event("sent", 1, host="gen9@web", name="mail", args="(1,)", kwargs="{}", queue="celery", retries=0))

    assert (task.state, task.name, task.queue, task.sent_at, task.worker) == ("PENDING", "mail", "celery", T0 + 1, None)


def test_a_task_that_succeeded_has_all_its_times():
    """Received, started and succeeded each leave their time, the worker and the result."""
    task = row(
        task_event("received", 1, name="mail", args="(1,)", root_id="r", parent_id="p", eta="e", expires="x"),
        task_event("started", 2),
        task_event("succeeded", 5, result="'ok'", runtime=3.0),
    )

    assert (task.state, task.finished, task.worker) == ("SUCCESS", True, NODE)
    assert (task.received_at, task.started_at, task.finished_at) == (T0 + 1, T0 + 2, T0 + 5)
    assert (task.result, task.runtime) == ("'ok'", 3.0)
    assert (task.root_id, task.parent_id, task.eta, task.expires) == ("r", "p", "e", "x")


def test_a_task_that_failed_keeps_its_exception():
    """`task-failed` ends the task with exception and traceback."""
    task = row(task_event("received", 1), task_event("failed", 2, exception="ValueError('x')", traceback="Traceback…"))

    assert (task.state, task.exception, task.traceback) == ("FAILURE", "ValueError('x')", "Traceback…")
    assert task.finished_at == T0 + 2


@pytest.mark.parametrize(
    ("kind", "state", "finished"),
    [
        ("retried", "RETRY", False),
        ("revoked", "REVOKED", True),
        ("rejected", "REJECTED", True),
        ("cancelled", "CANCELLED", True),
    ],
)
def test_every_other_end_of_a_run_has_its_state(kind, state, finished):
    """Retried is an end of the run and not of the task; revoked, rejected and cancelled are ends of both."""
    task = row(task_event("received", 1), task_event(kind, 2))

    assert (task.state, task.finished, task.finished_at) == (state, finished, T0 + 2 if finished else None)


def test_a_retried_task_that_then_succeeds_shows_both():
    """The row of a task that succeeds at its second attempt is SUCCESS, and still tells why it was retried."""
    task = row(
        task_event("received", 1, retries=0),
        task_event("started", 2),
        task_event("retried", 3, exception="Timeout()"),
        task_event("received", 4, retries=1),
        task_event("started", 5),
        task_event("succeeded", 6, result="1", runtime=1.0),
    )

    assert (task.state, task.retries, task.exception, task.result) == ("SUCCESS", 1, "Timeout()", "1")


def test_events_that_arrive_late_change_nothing_newer():
    """An end that is known is not undone by the beginning that arrives after it."""
    task = row(task_event("succeeded", 5, result="1", runtime=1.0), task_event("started", 2), task_event("received", 1))

    assert (task.state, task.started_at, task.received_at) == ("SUCCESS", T0 + 2, T0 + 1)


def test_an_end_wins_over_a_beginning_within_one_tick():
    """A task can be received, started and done within one tick of the worker's clock."""
    task = row(task_event("succeeded", 1, result="1"), task_event("started", 1), task_event("received", 1))

    assert task.state == "SUCCESS"


def test_a_producers_clock_never_outweighs_a_worker():
    """A producer whose clock is ahead cannot make a task pending that has begun."""
    task = row(task_event("started", 1), task_event("sent", 500, host="gen9@web", queue="celery"))

    assert (task.state, task.queue) == ("STARTED", "celery")


def test_a_redelivered_task_that_succeeds_twice_shows_the_later_result_in_any_order():
    """After a visibility timeout a task runs twice; whichever end arrives first, the row shows the later one."""
    first = task_event("succeeded", 5, result="'first'", runtime=5.0)
    second = task_event("succeeded", 8, host="celery@b", result="'second'", runtime=8.0)

    assert row(first, second).result == row(second, first).result == "'second'"


def test_a_task_that_was_cancelled_is_over():
    """Celery sends `task-cancelled` for a soft shutdown; its own monitors do not know it."""
    task = row(task_event("received", 1), task_event("started", 2), task_event("cancelled", 3))

    assert (task.state, task.finished, task.started_at) == ("CANCELLED", True, T0 + 2)


@pytest.mark.parametrize(
    ("flags", "exception"),
    [
        ({"expired": True, "terminated": False}, "TaskRevokedError('expired')"),
        ({"expired": False, "terminated": True}, "TaskRevokedError('terminated')"),
        ({"expired": False, "terminated": False}, None),
        ({}, None),
    ],
)
def test_a_revoked_task_says_why(flags, exception):
    """In the words of Celery's result backend."""
    assert row(task_event("revoked", 1, **flags)).exception == exception


def test_a_retried_task_is_not_its_own_parent():
    """Sent by itself, it would be listed among its own children."""
    first, again = task_event("received", 1, parent_id="p"), task_event("received", 5, parent_id="t1")

    assert row(first, again).parent_id == row(again, first).parent_id == "p"
    assert row(again).parent_id is None


def test_a_failure_without_words_is_a_failure():
    """A class may have an empty `repr`; the traceback must not go with it."""
    task = row(task_event("failed", 1, exception="", traceback="Traceback"))

    assert (task.state, task.exception, task.traceback) == ("FAILURE", "", "Traceback")


def test_times_are_whole_microseconds():
    """As the store keeps them: else a row that comes back from it would be another moment."""
    task = row(task_event("received", 0.1234567891), task_event("started", 0.12345678912))

    assert task.received_at == task.first_at == round(T0 + 0.1234567891, 6)
    assert (task.state, task.started_at) == ("STARTED", task.received_at)


def test_a_producer_whose_clock_is_ahead_describes_and_moves_nothing():
    task = row(
        task_event("received", 1, name="mail", retries=0),
        task_event("succeeded", 2, result="1"),
        task_event("sent", 900, host="gen1@web", name="mail", queue="celery"),
    )

    assert (task.state, task.result, task.worker, task.first_at) == ("SUCCESS", "1", NODE, T0 + 1)


SAID = {
    "nothing more": {},
    "all there is": {
        "name": "mail", "args": "(1,)", "kwargs": "{}", "root_id": "r", "parent_id": "p", "retries": 2, "eta": "soon",
        "expires": "late", "queue": "celery", "result": "1", "runtime": 0.5, "exception": "E()", "traceback": "at",
    },
    "that it is its own parent": {"name": "mail", "root_id": "t1", "parent_id": "t1"},
    "that its parent has no name": {"parent_id": ""},
}  # fmt: skip


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("kind", [kind.removeprefix("task-") for kind in STATES])
def test_the_first_that_is_heard_of_a_task_begins_its_row(kind, said):
    """As if an empty row had been there."""
    event = task_event(kind, 1.00000049, **SAID[said])

    assert tasks.begun("t1", event, STATES[event.type]) == row(event)


ONE_MOMENT = {
    "descriptions": [task_event("received", 1, name=name, args=name) for name in ("a", "b", "c")],
    "descriptions without words": [task_event("received", 1, name=name) for name in (None, "", "x")],
    "queues": [task_event("sent", 1, queue=name, name=name) for name in ("a", None, "b")],
    "results": [task_event("succeeded", 1, result=name, runtime=1.0) for name in ("a", "", None)],
    "workers": [task_event("succeeded", 1, host=name) for name in ("celery@a", "celery@b", "celery@'")],
    "failures": [task_event("failed", 1, exception=name, traceback=name) for name in ("a", "", "b")],
    "ends": [task_event(kind, 1) for kind in ("succeeded", "failed", "retried", "revoked")],
    "all steps": [
        task_event("sent", 1, name="sent"),
        task_event("received", 1, name="received"),
        task_event("started", 1),
        task_event("succeeded", 1, result="1"),
    ],
}


@pytest.mark.parametrize("kind", ONE_MOMENT)
def test_of_one_moment_the_same_event_always_wins(kind):
    """Clocks tick coarsely: neither order nor where the row was cut in two decides."""
    events = ONE_MOMENT[kind]
    rows = [row(*order) for order in permutations(events)]
    merged = [tasks.merge(row(*order[:cut]), row(*order[cut:])) for order in permutations(events) for cut in (1, 2)]

    assert all(one == rows[0] for one in [*rows, *merged])


def test_merging_a_row_with_itself_changes_nothing():
    task = row(*ONE_MOMENT["all steps"], task_event("failed", 3, exception="E()"))

    assert tasks.merge(task, replace(task)) == task


def test_merging_leaves_both_rows_as_they_were():
    one, other = row(task_event("received", 1, name="a")), row(task_event("succeeded", 2))
    before = asdict(one), asdict(other)
    tasks.merge(one, other)

    assert (asdict(one), asdict(other)) == before


# How long a task waited ----------------------------------------------------------------------------------------------


def test_a_task_waits_from_being_sent_until_it_begins():
    """Where nobody says that he sent it, from being received."""
    sent, received, started = task_event("sent", 1), task_event("received", 4), task_event("started", 6)

    assert waited(row(sent, received, started)) == 5
    assert waited(row(received, started)) == 2
    assert waited(row(sent, received)) is None
    assert waited(row(started)) is None


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        ("2026-09-21T14:14:00+00:00", 4.0),
        ("2026-09-21T16:14:00+02:00", 4.0),
        ("2026-09-21T14:14:30+00:00", 0.0),
        ("2026-09-21T14:14:00", 54.0),
        ("later", 54.0),
        ("", 54.0),
        ("2026-09-21\ufffd14:14", 54.0),
    ],
)
def test_a_task_with_an_eta_waits_from_then(eta, expected):
    """What cannot be read, or has no zone, says nothing."""
    task = row(task_event("received", -10, eta=eta), task_event("started", 44))  # T0 is 14:13:20

    assert waited(task) == expected


def test_a_producer_whose_clock_is_ahead_makes_no_wait_below_nothing():
    assert waited(row(task_event("sent", 9), task_event("started", 6))) == 0


@pytest.mark.parametrize(
    "since",
    [
        [task_event("retried", 7)],
        [task_event("retried", 7), task_event("sent", 7), task_event("received", 8)],
        [task_event("received", 60)],
    ],
    ids=["retried", "retried and sent again", "delivered again"],
)
def test_the_wait_of_a_run_that_has_not_begun_is_not_known(since):
    """The beginning that is known is that of the run before; a wait of nothing would be made up."""
    begun = [task_event("sent", 1), task_event("received", 4), task_event("started", 6)]

    assert waited(row(*begun, *since)) is None
    assert waited(row(*begun, *since, task_event("started", 61))) is not None
