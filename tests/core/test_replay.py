"""Recordings of real workers judged again: every verdict that each of them got, in order, is what was done to it."""

import json

import pytest

from celeriac.core.errors import SettingsError
from celeriac.core.incident import HeldReason, RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Mode, Verdict
from celeriac.core.recording import lines
from celeriac.core.replay import Change, replay
from recordings import FOLDER, NAMES

# By worker, without the host: its verdicts as they followed one another, `?` where it was suspect. Most recordings end
# before a silence is long enough to convict anybody.
TOLD = {
    "alive_but_not_consuming": {"w1": "healthy"},
    "child_recycling": {"w1": "healthy"},
    "child_stuck_and_time_limits": {"w1": "healthy"},
    "control_shutdown": {"w1": "healthy stopped", "w2": "healthy"},
    "custom_fields_and_events": {"w1": "healthy"},
    "duplicate_node_names": {"w1": "healthy crashed healthy"},
    "frozen_then_killed_brpop_loss": {"w1": "healthy crashed", "w1b": "healthy"},
    "half_open_all": {"w1": "healthy healthy? hung? healthy", "w2": "healthy"},
    "kill_child": {"w1": "healthy"},
    "live_settings": {"w1": "healthy"},
    "lost_tasks_named_and_requeued": {"w1": "healthy healthy?", "w2": "healthy"},
    "main_blocked": {"w1": "healthy stopped", "w2": "healthy"},
    "matrix_redis_restart_idle_celery5.3.6": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_idle_celery5.4.0": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_idle_celery5.5.3": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_idle_celery5.6.3": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_idle_celery5.7.0": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_late_celery5.3.6": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_late_celery5.6.3": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_late_celery5.7.0": {"w1": "healthy blind crashed", "w2": "healthy blind healthy"},
    "matrix_redis_restart_prefetched_celery5.6.3": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "matrix_redis_restart_prefetched_celery5.7.0": {"w1": "healthy blind crashed", "w2": "healthy blind healthy"},
    "matrix_redis_restart_prefetched_celery5.7.0r6": {"w1": "healthy blind crashed", "w2": "healthy blind healthy"},
    "rabbitmq_sigkill_main": {"w1": "healthy crashed", "w2": "healthy", "w3": "healthy"},
    "rabbitmq_stop_app": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "redis_client_list_evidence_celery5.3.6": {"w1": "healthy", "w2": "healthy"},
    "redis_client_list_evidence_celery5.7.0": {"w1": "healthy healthy?", "w2": "healthy"},
    "redis_frozen_sigstop": {"w1": "healthy blind healthy", "w2": "healthy blind healthy"},
    "redis_pubsub_output_buffer_kill": {"w1": "healthy"},
    "redis_restart_prefork": {"w1": "healthy blind crashed", "w2": "healthy blind healthy"},
    "redis_restart_solo": {"w1": "healthy blind healthy healthy? healthy", "w2": "healthy blind healthy"},
    "sigkill_main": {"w1": "healthy crashed", "w2": "healthy"},
    "sigstop_main": {"w1": "healthy healthy? healthy", "w2": "healthy"},
    "solo_long_task": {"w1": "healthy healthy? healthy"},
    "task_events_off_then_enabled": {"w1": "healthy", "w2": "healthy"},
    "threads_pool_gil_held": {"w1": "healthy"},
    "visibility_timeout_redelivery": {"w1": "healthy crashed", "w2": "healthy"},
    "warm_shutdown_long_task": {"w1": "healthy draining stopped"},
}


def text(name: str) -> list[bytes]:
    return (FOLDER / f"{name}.jsonl").read_bytes().splitlines()


def judged(these: list[bytes], mode: Mode = Mode.AUTO, **limits: float) -> list[Change]:
    return list(replay(lines(these), Limits(**limits), Policy(mode)))


def told(changes: list[Change]) -> dict[str, str]:
    verdicts: dict[str, list[str]] = {}
    for change in changes:
        said = verdicts.setdefault(change.worker.removesuffix("@h2"), [])
        word = f"{change.verdict}{'?' * change.suspect}"
        if said[-1:] != [word]:
            said.append(word)
    return {worker: " ".join(said) for worker, said in verdicts.items()}


def line(t: float, kind: str, **fields: object) -> bytes:
    return json.dumps({"t": t, "wall": 1_790_000_000 + t, "kind": kind, **fields}).encode()


def event(t: float, what: str = "worker-heartbeat", node: str = "w1@h2", pid: int = 7, **fields: object) -> bytes:
    fields = {"freq": 2.0, "active": 0, "processed": 0, **fields} if what.startswith("worker-") else fields
    made = {"type": what, "hostname": node, "pid": pid, "clock": int(t * 10) + 1, "timestamp": 1_790_000_000 + t}
    return line(t, "event", event={**made, **fields})


def test_every_recording_has_its_verdicts():
    assert sorted(TOLD) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_workers_got_the_verdicts_that_they_earned(name):
    assert told(judged(text(name))) == TOLD[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_worker_would_have_been_restarted_by_itself(name):
    """Even in mode auto: which connections are a worker's own no recording tells, so that a person would be asked."""
    remedies = {(change.remedy, change.held) for change in judged(text(name)) if change.remedy is not RemedyKind.NONE}

    assert remedies == ({(RemedyKind.RESTART_INSTANCE, HeldReason.MODE)} if name == "half_open_all" else set())


@pytest.mark.parametrize("name", NAMES)
def test_what_only_its_maker_knew_is_no_evidence(name):
    """Marks and the operating system's view of processes change nothing."""
    rest = [one for one in map(json.loads, text(name)) if one["kind"] != "mark"]
    spoiled = [json.dumps({**one, "procs": {"w1": {"status": "stopped"}}}).encode() for one in rest]

    assert told(judged(spoiled)) == told(judged(text(name)))


def stretched(name: str, begin: float, end: float, times: int) -> list[bytes]:
    """Return a recording up to `end`, and then what happened since `begin` again and again, as if nothing had changed."""
    all_lines = [json.loads(one) for one in text(name)]
    calm = [one for one in all_lines if begin <= one["t"] < end and one["kind"] in {"event", "ping", "sample"}]
    later = []
    for turn in range(1, times + 1):
        span = turn * (end - begin)
        for one in calm:
            moved = {**one, "t": one["t"] + span, "wall": one["wall"] + span}
            if one["kind"] == "event":
                event = one["event"]
                moved["event"] = event | {
                    "timestamp": event["timestamp"] + span,
                    "clock": event["clock"] + int(9 * span),
                }
            later.append(moved)
    return [json.dumps(one).encode() for one in [one for one in all_lines if one["t"] < end] + later]


# What would have been told had these recordings gone on: name, from, to, how often again; of whom, and the last verdict.
LONGER = {
    "a frozen main process": (("sigstop_main", 9, 21.5, 8), "w1", "hung?", "restart_instance"),
    "connections that are half open": (("half_open_all", 12, 53, 3), "w1", "hung?", "restart_instance"),
    "a zombie after a restart of Redis": (
        ("matrix_redis_restart_idle_celery5.3.6", 26, 35, 12), "w1", "deaf", "restart_instance",
    ),
    "its sibling, for which nothing waits": (
        ("matrix_redis_restart_idle_celery5.3.6", 26, 35, 12), "w2", "healthy", "none",
    ),
    "a zombie that still runs a task": (
        ("matrix_redis_restart_late_celery5.3.6", 27, 34, 15), "w1", "deaf", "restart_instance",
    ),
    "a cancelled queue": (("alive_but_not_consuming", 8.5, 15.6, 15), "w1", "deaf", "live_repair"),
    "a solo worker in a long task": (("solo_long_task", 9, 21, 10), "w1", "busy?", "none"),
    "a worker that drains": (("warm_shutdown_long_task", 8, 16, 15), "w1", "draining", "none"),
}  # fmt: skip


@pytest.mark.parametrize(("recorded", "worker", "verdict", "remedy"), LONGER.values(), ids=LONGER)
def test_what_lasts_longer_is_told(recorded, worker, verdict, remedy):
    last = [one for one in judged(stretched(*recorded)) if one.worker == f"{worker}@h2"][-1]

    assert (f"{last.verdict}{'?' * last.suspect}", last.remedy) == (verdict, remedy), last.notes


def test_what_follows_the_tidying_up_is_ignored():
    alive = [event(t) for t in range(0, 20, 2)]
    tidied = [line(20.0, "mark", what="cleanup begins"), line(20.1, "exit", worker="w1", rc=-9)]

    assert judged([*alive, *tidied]) == judged(alive)


def test_a_worker_in_the_shadow_of_well_ones_is_told_to_be_silent_but_not_hung():
    """It gives no sign for minutes and answers no ping; which connections are its own, the recording does not tell."""
    these = [line(0, "log", worker="w1", line=" -- ******* ---- .> concurrency: 2 (prefork)")]
    for t in range(0, 120, 2):
        these += [event(t, node="w2@h2", pid=8), line(t + 0.5, "sample", queue={"llen_celery": 0})]
        these += [event(t + 0.1)] if t < 20 else []
        these += [line(t + 1, "ping", reply={"w2@h2": {"ok": "pong"}, **({"w1@h2": {"ok": "pong"}} if t < 20 else {})})]

    changes = judged(these)

    assert told(changes) == {"w1": "healthy healthy? blind?", "w2": "healthy"}
    assert changes[-1].notes == ("cannot tell: broker: the broker does not count its clients",)
    assert any(one.signal == "ping" and one.reading == "no answer" for one in changes[-1].evidence)


def test_a_solo_worker_is_busy_by_the_banner_that_it_logged():
    these = [line(0, "log", worker="w1", line=" -- ******* ---- .> concurrency: 1 (solo)")]
    for t in range(0, 100, 2):
        these += [event(t, node="w2@h2", pid=8), line(t + 0.5, "sample", queue={"llen_celery": 0})]
        these += [event(t + 0.1)] if t < 20 else []
        these += [line(t + 1, "ping", reply={"w2@h2": {"ok": "pong"}})]

    assert told(judged(these))["w1"] == "healthy healthy? busy?"


def test_a_process_that_ends_badly_is_crashed_at_that_moment_and_its_next_life_is_another_one():
    these = [event(t) for t in range(0, 10, 2)]
    these += [line(10.5, "exit", worker="w1", rc=-9)]
    these += [event(t, pid=9) for t in range(14, 24, 2)]

    changes = judged(these)

    assert told(changes) == {"w1": "healthy crashed healthy"}
    assert [change.t for change in changes if change.verdict is Verdict.CRASHED] == [10.5]


def test_a_process_that_ends_badly_again_and_again_is_crash_looping():
    these = []
    for life in range(4):
        these += [event(60 * life + t, pid=life) for t in range(2, 30, 2)]
        these += [line(60 * life + 30, "exit", worker="w1", rc=1)]

    changes = judged(these)

    assert told(changes) == {"w1": "healthy crashed healthy crashed healthy crash-looping"}
    assert changes[-1].remedy is RemedyKind.ALERT


def test_a_process_that_ends_before_it_says_a_word_crashes_all_the_same():
    """A bad release: each start ends at its imports, and no event ever comes."""
    these = [event(t) for t in range(0, 10, 2)]
    these += [line(10 + 8 * turn, "exit", worker="w1", rc=1) for turn in range(4)]
    these += [line(12 + 8 * turn, "exit", worker="w9@h2", rc=1) for turn in range(4)]
    these += [event(t, node="w2@h2", pid=8) for t in range(0, 60, 2)]
    these.sort(key=lambda one: json.loads(one)["t"])

    assert told(judged(these)) == {
        "w1": "healthy crashed crash-looping",
        "w9": "crashed crash-looping",
        "w2": "healthy",
    }


def test_a_worker_that_sends_nothing_is_known_by_its_answers():
    """Neither heartbeats nor gossip; when it answers no more it is suspect, and convicted of nothing."""
    these = [event(t, node="w2@h2", pid=8) for t in range(0, 240, 2)]
    for t in range(1, 240, 4):
        there = ["w2@h2", *(["w1@h2"] if t < 120 else [])]
        these.append(line(t, "ping", reply={node: {"ok": "pong"} for node in there}))
    these.sort(key=lambda one: json.loads(one)["t"])

    changes = judged(these)
    assert told(changes) == {"w1": "healthy busy?", "w2": "healthy"}
    assert ("sends no heartbeats but answers a ping",) in [one.notes for one in changes if one.worker == "w1@h2"]
    assert {one.remedy for one in changes} == {RemedyKind.NONE}


def test_the_late_last_words_of_a_process_are_no_new_life():
    these = [event(t) for t in range(0, 10, 2)]
    late = json.loads(event(10.6))
    late["event"]["timestamp"] -= 1.0
    these += [line(10.5, "exit", worker="w1", rc=1), json.dumps(late).encode(), event(14, node="w2@h2", pid=8)]

    assert told(judged(these))["w1"] == "healthy crashed"


@pytest.mark.parametrize("behind", [-3600.0, -15.0, 0.0, 15.0, 3600.0])
def test_a_process_of_the_same_pid_is_back_whatever_its_clock_says(behind):
    """In containers each life has the same pid; its last heartbeat may be heard a moment after its end was."""
    these = [event(t, timestamp=1_790_000_000 + t - behind) for t in (*range(0, 11, 2), *range(20, 30, 2))]
    late = event(10.55, timestamp=1_790_000_000 + 10.45 - behind)
    these[6:6] = [line(10.5, "exit", worker="w1", rc=-9), late]

    changes = judged(these)

    assert told(changes) == {"w1": "healthy crashed healthy"}
    assert 20 <= changes[-1].t <= 22


def test_an_end_that_may_be_any_living_workers_is_nobodys():
    these = [event(t, node=f"celery@{host}", pid=7) for t in range(0, 30, 2) for host in "ab"]
    short, whole = (line(9, "exit", worker=name, rc=-9) for name in ("celery", "celery@b"))

    assert told(judged([*these[:10], short, *these[10:]])) == {"celery@a": "healthy", "celery@b": "healthy"}
    assert told(judged([*these[:10], whole, *these[10:]]))["celery@b"].startswith("healthy crashed")


def test_what_its_maker_notes_down_may_have_any_form():
    note = line(3, "mark", what=["sent", 3], queue="celery", reply=[1], rc="0", line=3, worker=[], error={})

    assert told(judged([event(t) if t != 3 else note for t in range(8)])) == {"w1": "healthy"}


def test_a_goodbye_that_the_return_overtakes_is_no_draining():
    """A connection that broke had it written; it came just before the worker was back."""
    these = [event(t) for t in range(0, 20, 2)]
    these += [event(20.9, "worker-offline"), event(21.9, "worker-online"), event(23.9), event(25.9)]

    assert told(judged(these)) == {"w1": "healthy"}


def test_workers_of_one_name_on_two_hosts_are_two():
    these = [event(t, node=f"celery@{host}", pid=7) for t in range(0, 30, 2) for host in "ab" if host == "a" or t < 6]

    assert told(judged(these)) == {"celery@a": "healthy", "celery@b": "healthy healthy?"}


def test_producers_are_no_workers():
    these = [event(0), event(1, "task-sent", node="gen7@vm", uuid="a"), event(2, "custom-flood", node="flood@vm")]

    assert set(told(judged([*these, event(4)]))) == {"w1"}


def test_what_would_be_held_is_told_with_its_reason():
    """A warm shutdown past its deadline: a restart would lose what still runs, so a person decides."""
    these = [event(t) for t in range(0, 10, 2)] + [event(10, "worker-offline")]
    these += [event(t, node="w2@h2", pid=8) for t in range(0, 60, 2)]
    these.sort(key=lambda one: json.loads(one)["t"])

    last = [change for change in judged(these, drain_deadline_s=20) if change.worker == "w1@h2"][-1]

    assert (last.verdict, last.remedy, last.held) == (Verdict.HUNG, RemedyKind.RESTART_INSTANCE, HeldReason.MODE)


def test_a_line_that_is_none_is_named():
    with pytest.raises(SettingsError, match=r"^Line 2 of the recording cannot be read: "):
        judged([event(0), b"{"])


def test_an_empty_recording_has_no_verdicts():
    assert judged([]) == []
