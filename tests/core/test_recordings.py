"""Real workers' event streams, folded: what became of their tasks and of themselves is what was done to them."""

import json
from collections import Counter

import pytest
from msgspec import Struct
from msgspec.structs import asdict, replace

from celeriac.core.events import Event, decode
from celeriac.core.fold import ClusterState
from celeriac.core.tasks import Task, merge
from recordings import NAMES, recording


class Ending(Struct, frozen=True):
    """How a recording ends; tasks are named by the first letters of their ids, workers as `node#pid`."""

    workers: str
    tasks: dict[str, str] = {}
    """State: tasks that are in it."""
    on: dict[str, str] = {}
    """Task: the worker that its row names, where there is a choice."""
    gone: str = ""
    """Workers whose last word is a goodbye."""
    unknown: int = 0
    """Events of types that are not Celery's."""


ENDINGS = {
    # Neither cancel_consumer nor a pool shrunk to nothing loses a task: each ran once its worker consumed again.
    "alive_but_not_consuming": Ending("w1@h2#6276", {"SUCCESS": "2310fb4e ad747466 5612a143 8e45214d"}),
    "child_recycling": Ending("w1@h2#12310", {"SUCCESS": "c31120c9 7f0a7d64 0f5c4929 ce801901 cf918e82"}),
    # The hard limit says `task-failed` twice for 6edfd786.
    "child_stuck_and_time_limits": Ending("w1@h2#12064", {"FAILURE": "6edfd786 609377b0 f8ce62c6"}),
    "control_shutdown": Ending("w1@h2#31344 w2@h2#31404", gone="w1@h2#31344"),
    # A plugin's own `worker-sentinel` has the ids of tasks in `active`, where Celery has their number.
    "custom_fields_and_events": Ending(
        "w1@h2#20612",
        {"SUCCESS": "a150c0e8 342bb5e9 1a6d18a1 000ebc87 80e97c7b ca6d2e2e c23cbc3b"},
    ),
    # One node name, two processes; the death of one is seen because the pid is part of the key.
    "duplicate_node_names": Ending("w1@h2#12412 w1@h2#12418"),
    # fd637f7f was popped into the connection of a frozen worker, which was then killed: only `task-sent` tells of it.
    "frozen_then_killed_brpop_loss": Ending(
        "w1@h2#11487 w1b@h2#11516",
        {"PENDING": "fd637f7f", "SUCCESS": "3eb6ad9c d9f1120a"},
        on={"3eb6ad9c": "w1b@h2", "d9f1120a": "w1b@h2"},
    ),
    "half_open_all": Ending("w1@h2#22730 w2@h2#22757", {"SUCCESS": "f4329bd0 05f39ecd 7166f1ff"}),
    # a76336c4 was rejected with requeue when its child was killed, and runs again: a rejection need not be the end.
    "kill_child": Ending("w1@h2#32078", {"FAILURE": "45d3f107 f086aabd a25cff8d ae3bff7e", "STARTED": "a76336c4"}),
    # Two ran into the soft time limit of 2 s that remote control had set. The same plugin as above.
    "live_settings": Ending(
        "w1@h2#20997",
        {"FAILURE": "6bc7ca41 6983301c", "SUCCESS": "f4e73d06 6835eea2 3d4ae6f1 14a78e38 14650bc8"},
    ),
    # w1 was killed with five tasks in hand; four were restored and one was published again, and w2 ran them all.
    "lost_tasks_named_and_requeued": Ending(
        "w1@h2#24856 w2@h2#24894",
        {"SUCCESS": "f6500f4c 71c985da cedb867c 7ed5c97c 2bc8a75f 342a1be9"},
        on={"f6500f4c": "w2@h2", "71c985da": "w2@h2"},
    ),
    # w1 took SIGTERM when it was free again; w2 is deadlocked and answers no signal, and its task waits.
    "main_blocked": Ending("w1@h2#5785 w2@h2#5821", {"PENDING": "91376086"}, gone="w1@h2#5785"),
    # After the restart of Redis workers of 5.3.6 beat on and consume nothing.
    "matrix_redis_restart_idle_celery5.3.6": Ending("w1@h2#17619 w2@h2#17625", {"PENDING": "0705695a"}),
    "matrix_redis_restart_idle_celery5.4.0": Ending("w1@h2#17936 w2@h2#17941", {"SUCCESS": "51e2f26f"}),
    "matrix_redis_restart_idle_celery5.5.3": Ending("w1@h2#16113 w2@h2#16118", {"SUCCESS": "b34067f2"}),
    "matrix_redis_restart_idle_celery5.6.3": Ending("w1@h2#16554 w2@h2#16561", {"SUCCESS": "a28f54f7"}),
    "matrix_redis_restart_idle_celery5.7.0": Ending("w1@h2#16942 w2@h2#16948", {"SUCCESS": "3e6e806b"}),
    # The end of the task that spanned the restart was never heard, here and with 5.6.3.
    "matrix_redis_restart_late_celery5.3.6": Ending(
        "w1@h2#17820 w2@h2#17843", {"STARTED": "ed2c7a2e", "PENDING": "3c6c1cab"}
    ),
    "matrix_redis_restart_late_celery5.6.3": Ending(
        "w1@h2#16629 w2@h2#16636", {"STARTED": "4d212785", "SUCCESS": "1345b379"}
    ),
    # With 5.7.0 the worker ends with its task; the goodbye that it wrote when Redis stopped came with its last words.
    "matrix_redis_restart_late_celery5.7.0": Ending(
        "w1@h2#17084 w2@h2#17089", {"SUCCESS": "7ebe3a47", "PENDING": "faffcdcf"}, gone="w1@h2#17084"
    ),
    "matrix_redis_restart_prefetched_celery5.6.3": Ending(
        "w1@h2#24423 w2@h2#24429",
        {"STARTED": "d5933970 bbf71811", "RECEIVED": "8e39db83 31e39110 87145e44 47e8f25b", "SUCCESS": "8b16c044"},
    ),
    # With 5.7.0 the worker crashes when Redis is back, with six tasks in hand, and says nothing.
    "matrix_redis_restart_prefetched_celery5.7.0": Ending(
        "w1@h2#24300 w2@h2#24305",
        {"STARTED": "2bcd47f1 7053745a", "RECEIVED": "2bb28d73 45ad904f 4c60a03b 650b385a", "PENDING": "1c3df58b"},
    ),
    "matrix_redis_restart_prefetched_celery5.7.0r6": Ending(
        "w1@h2#27183 w2@h2#27188",
        {"STARTED": "b39ec354 1c0e6202", "RECEIVED": "03559261 03c34065 d5a1148d 9c312b16", "PENDING": "d207ee79"},
    ),
    # RabbitMQ gave the killed worker's messages to w3 at once; 8dabda2e was acknowledged before it ran, and is lost.
    "rabbitmq_sigkill_main": Ending(
        "w1@h2#18736 w2@h2#18741 w3@h2#18913",
        {"STARTED": "8dabda2e 7262c59f", "SUCCESS": "9b4462aa c598c79e 9c3be327 819e758b"},
        on={"8dabda2e": "w1@h2", "7262c59f": "w3@h2"},
    ),
    # Both goodbyes were written when the broker stopped and delivered when it was back, just before the workers were.
    "rabbitmq_stop_app": Ending("w1@h2#20116 w2@h2#20121", {"SUCCESS": "21fdbce1 e3cc7ff0 a553d790"}),
    "redis_client_list_evidence_celery5.3.6": Ending("w1@h2#25766 w2@h2#25771", {"PENDING": "8ec29621"}),
    "redis_client_list_evidence_celery5.7.0": Ending(
        "w1@h2#25692 w2@h2#25697",
        {
            "SUCCESS": "e64021ce 5ec52f24 29ea30f2 53ea0b0d 2d00fe71 cb7e688d c257889e a8409072 6ebad833 9ac1ae11"
            " 58dd806a dcd3722f 93199081 b45209d3"
        },
    ),
    "redis_frozen_sigstop": Ending("w1@h2#5423 w2@h2#5428", {"SUCCESS": "f2ed9036"}),
    # The flood comes from a program of its own, which is no worker.
    "redis_pubsub_output_buffer_kill": Ending("w1@h2#23136", unknown=900),
    # w1 crashed after the restart, with its goodbye of twenty seconds before as its last word; w2 is back.
    "redis_restart_prefork": Ending(
        "w1@h2#1362 w2@h2#1376", {"SUCCESS": "04f928e6 58cc0470", "PENDING": "84e2d616"}, gone="w1@h2#1362"
    ),
    "redis_restart_solo": Ending("w1@h2#2312 w2@h2#2317", {"SUCCESS": "f265cd3d 43c664b9 6632a897"}),
    "sigkill_main": Ending(
        "w1@h2#18113 w2@h2#18196",
        {"STARTED": "b0b68536 701725ad", "RECEIVED": "f1475528 a3783eb2 21dc2822 c409f8f0"},
    ),
    # The child finished while its main process was frozen; the rest followed the thaw.
    "sigstop_main": Ending("w1@h2#28961 w2@h2#28966", {"SUCCESS": "30c4d093 bf96c70e"}),
    "solo_long_task": Ending("w1@h2#30062", {"SUCCESS": "e2ebfde5 fc157e5f"}),
    # Without -E nobody says what became of 26cc4924; w2, without heartbeat and -E, is never heard at all.
    "task_events_off_then_enabled": Ending("w1@h2#21389", {"SUCCESS": "5aef2450", "PENDING": "26cc4924 b23f675d"}),
    "threads_pool_gil_held": Ending("w1@h2#21295", {"SUCCESS": "b743d389 8abc0742"}),
    # eb3241f3 was redelivered while it ran, and again: the row shows the newest word, the end of the second run on w1,
    # though a third run goes on on w2. 0785f2a6 was running on w1 when that was killed.
    "visibility_timeout_redelivery": Ending(
        "w1@h2#11718 w2@h2#11724",
        {"SUCCESS": "eb3241f3", "STARTED": "0785f2a6"},
        on={"eb3241f3": "w1@h2", "0785f2a6": "w1@h2"},
    ),
    # A warm shutdown ends what runs and gives back what it had received: those wait in the queue, with the newcomer.
    "warm_shutdown_long_task": Ending(
        "w1@h2#31552",
        {"SUCCESS": "46ccf8a3 367c4c85", "RECEIVED": "892ab688 4c54ab9d d421da42 623a3c50", "PENDING": "24ea26ec"},
        gone="w1@h2#31552",
    ),
}


def test_every_recording_has_its_ending():
    assert sorted(ENDINGS) == NAMES


def folded(name: str) -> ClusterState:
    """Fold a recording message by message, each at the time when it came."""
    state = ClusterState()
    for received_at, body in recording(name).messages:
        state.fold(decode([body])[0], received_at)
    return state


def taken(state: ClusterState) -> dict[str, Task]:
    return {task.uuid: task for task in state.changes()[0]}


def named(words: str) -> set[str]:
    return set(words.split())


@pytest.mark.parametrize("name", NAMES)
def test_tasks_end_in_the_state_that_they_were_brought_to(name):
    state, ending = folded(name), ENDINGS[name]

    found: dict[str, set[str]] = {}
    rows = taken(state)
    for task in rows.values():
        found.setdefault(task.state, set()).add(task.uuid[:8])
    assert found == {state: named(tasks) for state, tasks in ending.tasks.items()}
    assert {task[:8]: row.worker for task, row in rows.items() if task[:8] in ending.on} == ending.on


@pytest.mark.parametrize("name", NAMES)
def test_every_process_is_known_and_who_said_goodbye(name):
    """A goodbye that only a broken connection made, and that the worker's return overtook, is none."""
    state, ending = folded(name), ENDINGS[name]

    assert {one.key for one in state.incarnations.values()} == named(ending.workers)
    assert {one.key for one in state.incarnations.values() if one.offline} == named(ending.gone)
    assert (state.unknown_types, state.missed, state.dropped) == (ending.unknown, 0, 0)


STATES = {
    "task-received": "RECEIVED",
    "task-started": "STARTED",
    "task-succeeded": "SUCCESS",
    "task-failed": "FAILURE",
    "task-rejected": "REJECTED",
}


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_of_a_plain_count(name):
    """Counted without any code of ours: the state of each task's last word from a worker, by that worker's clock."""
    last: dict[str, tuple[float, str]] = {}
    for body in recording(name).bodies:
        message = json.loads(body)
        for event in message if isinstance(message, list) else [message]:
            if event["type"] == "task-sent":
                last.setdefault(event["uuid"], (0.0, "PENDING"))
            elif event["type"] in STATES and event["timestamp"] >= last.get(event["uuid"], (0.0,))[0]:
                last[event["uuid"]] = (event["timestamp"], STATES[event["type"]])

    assert Counter(task.state for task in taken(folded(name)).values()) == Counter(state for _, state in last.values())


BEHIND = {
    # A solo worker sends nothing while it works; its result backend has known since the task began.
    ("redis_restart_solo", "43c664b9", "STARTED"),
}
ANSWERS = [(name, at, mark) for name in NAMES for at, mark in recording(name).marks if mark.id and mark.status]


@pytest.mark.parametrize(
    ("name", "at", "mark"),
    [answer for answer in ANSWERS if (answer[0], answer[2].id, answer[2].status) not in BEHIND],
    ids=lambda value: None if isinstance(value, float) else getattr(value, "id", value),
)
def test_at_any_moment_a_task_is_what_the_result_backend_said(name, at, mark):
    """The script asked the backend now and then: the events that had come by then say the same."""
    state = ClusterState()
    state.fold(decode(recording(name).until(at))[0], at)

    assert [task.state for uuid, task in taken(state).items() if uuid.startswith(mark.id)] == [mark.status]


# The order law -------------------------------------------------------------------------------------------------------


def all_at_once(events: list[Event]) -> list[list[Event]]:
    return [events]


def one_by_one(events: list[Event]) -> list[list[Event]]:
    return [[event] for event in events]


def in_sevens(events: list[Event]) -> list[list[Event]]:
    return [events[at : at + 7] for at in range(0, len(events), 7)]


def in_sevens_from_the_end(events: list[Event]) -> list[list[Event]]:
    return in_sevens(events)[::-1]


def backwards(events: list[Event]) -> list[list[Event]]:
    return one_by_one(events[::-1])


def twice_over(events: list[Event]) -> list[list[Event]]:
    return in_sevens([*events, *events])


def each_twice(events: list[Event]) -> list[list[Event]]:
    return [[event, event] for event in events]


def rows(slices: list[list[Event]]) -> dict[str, dict]:
    """Fold slice by slice and merge what each has changed, as the store does."""
    state = ClusterState()
    held: dict[str, Task] = {}
    for events in slices:
        state.fold(events, 1_800_000_000.0)
        for task in state.changes()[0]:
            held[task.uuid] = merge(held[task.uuid], task) if task.uuid in held else replace(task)
    return {uuid: asdict(task) for uuid, task in held.items()}


@pytest.mark.parametrize(
    "sliced",
    [one_by_one, in_sevens, in_sevens_from_the_end, backwards, twice_over, each_twice],
    ids=lambda way: way.__name__,
)
@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_repetition_nor_slicing_changes_a_row(name, sliced):
    """Whatever the path from a worker to the store does to its events, the rows are the same."""
    events, malformed = decode(recording(name).bodies)

    assert malformed == 0
    assert rows(sliced(events)) == rows(all_at_once(events))
