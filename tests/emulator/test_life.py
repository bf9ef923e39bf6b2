"""What happens to instances: restarts, crashes, generations, scaling and the end, with real processes."""

import itertools
import os
import signal
import sys
import threading

import pytest

import harness
from celeriac.emulator import AppConfig, ProcessConfig

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def wait_line(running, line, count=1, name="shop"):
    harness.wait_until(lambda: running.cf.lines(name).count(line) >= count, 10, f"{line!r} is logged {count} times")


def crashes(running, name="shop"):
    events = running.cf.events(name, "audit.app.process.crash")
    return sorted(events, key=lambda event: event["data"]["crash_timestamp"])


def test_the_walk_of_a_deleted_instance(launch, tmp_path):
    gate = tmp_path / "gate"
    running = launch(
        f"trap 'while [ ! -e {gate} ]; do sleep 0.02; done; exit 0' TERM; echo ready; while :; do sleep 0.02; done",
        start_seconds=1,
        grace_seconds=30,
    )
    wait_line(running, "ready")
    cf, process = running.cf, running.cf.process()["guid"]
    [before] = cf.wait_states("RUNNING")

    cf.delete(f"/v3/processes/{process}/instances/0")
    [draining] = cf.stats()
    assert (draining["state"], draining["instance_guid"]) == ("RUNNING", before["instance_guid"])

    gate.touch()
    [down] = cf.wait_states("DOWN")
    assert down.keys() == {"type", "index", "state", "routable", "uptime", "isolation_segment", "details"}

    running.converge()
    [starting] = cf.stats()
    assert starting["state"] == "STARTING"
    assert starting["instance_guid"] not in ("", before["instance_guid"])
    [after] = cf.wait_states("RUNNING")
    assert after["instance_guid"] == starting["instance_guid"]
    assert crashes(running) == []
    [event] = cf.events("shop", "audit.app.process.terminate_instance")
    assert event["data"] == {"process_guid": process, "process_type": "worker", "process_index": 0}


def test_the_clock_brings_a_deleted_instance_back(launch):
    running = launch(speed=300, instances=2)
    app = running.cf.app()["guid"]
    [zero, one] = running.cf.wait_states("RUNNING", "RUNNING")

    running.cf.delete(f"/v3/apps/{app}/processes/worker/instances/1")

    def replaced():
        now = running.cf.stats()[1]
        return now["state"] == "RUNNING" and now["instance_guid"] != one["instance_guid"]

    harness.wait_until(replaced, 10, "index 1 runs anew")
    assert running.cf.stats()[0]["instance_guid"] == zero["instance_guid"]
    assert running.slot(1).crash_count == 0


def test_two_crashes_restart_at_once_and_the_third_waits(launch):
    running = launch("echo up; exit 3")
    [entry] = running.cf.wait_states("CRASHED")
    first, second, third = crashes(running)

    assert [event["data"]["crash_count"] for event in (first, second, third)] == [1, 2, 3]
    assert entry["instance_guid"] == ""
    running.converge()
    assert running.cf.states() == ["CRASHED"]  # 30 s are not over
    assert len(crashes(running)) == 3
    assert running.cf.lines().count("up") == 3


def test_the_back_off_follows_the_table_on_the_faster_clock(launch):
    running = launch("exit 3", speed=100)
    harness.wait_until(lambda: len(crashes(running)) >= 5, 20, "five crashes")
    times = [event["data"]["crash_timestamp"] / 1e9 for event in crashes(running)]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]

    assert waits[2] >= 30 / 100
    assert waits[3] >= 60 / 100


def test_deleting_a_crashed_instance_starts_it_with_no_crashes_counted(launch, tmp_path):
    running = launch(f"[ -e {tmp_path}/well ] || exit 1; exec sleep 1000")
    running.cf.wait_states("CRASHED")
    (tmp_path / "well").touch()

    running.cf.delete(f"/v3/processes/{running.cf.process()['guid']}/instances/0")
    assert running.cf.states() == ["DOWN"]
    running.converge()
    running.cf.wait_states("RUNNING")
    assert running.slot().crash_count == 0


@pytest.mark.parametrize(
    ("command", "description", "status"),
    [
        ("exit 7", "APP/PROC/WORKER: Exited with status 7", 7),
        ("exit 0", "Codependent step exited", 0),
        ("kill -KILL $$", "APP/PROC/WORKER: Exited with status 137", 137),
        ("kill -TERM $$", "APP/PROC/WORKER: Exited with status 143", 143),
        ("exec /no/such/program", "APP/PROC/WORKER: Exited with status 127", 127),
    ],
)
def test_how_a_crash_is_described(launch, command, description, status):
    running = launch(command)
    running.cf.wait_states("CRASHED")

    assert {event["data"]["exit_description"] for event in crashes(running)} == {description}
    assert f"Exit status {status}" in running.cf.lines()


HUNGRY = f'exec {sys.executable} -c \'import signal; held = b"x" * 2**26; print("fed", flush=True); signal.pause()\''
"""Holds 64 MB and more."""


def test_an_instance_that_outgrows_its_memory_is_killed_where_that_is_enforced(launch):
    small, large = ProcessConfig(HUNGRY, memory_mb=48), ProcessConfig(HUNGRY, type="web", memory_mb=512)
    running = launch(apps=(AppConfig("shop", (small, large)),), enforce_memory=True)
    harness.wait_until(lambda: crashes(running), 10, "the small one is killed")
    crash = crashes(running)[0]

    assert crash["data"]["exit_description"] == "APP/PROC/WORKER: Exited with status 137 (out of memory)"
    wait_line(running, "Exit status 137 (out of memory)")
    assert {each["actor"]["name"] for each in crashes(running)} == {"worker"}
    assert running.cf.states(kind="web") == ["RUNNING"]


def test_memory_is_not_enforced_unless_it_is_wanted(launch):
    running = launch(apps=(AppConfig("shop", (ProcessConfig(HUNGRY, memory_mb=48),)),))
    wait_line(running, "fed")

    assert running.cf.stats()[0]["usage"]["mem"] > running.cf.stats()[0]["mem_quota"]
    assert running.cf.states() == ["RUNNING"]


def test_a_crash_writes_two_events_with_the_data_of_the_platform(launch):
    running = launch("exit 7")
    running.cf.wait_states("CRASHED")
    app, process = running.cf.app(), running.cf.process()
    crash = crashes(running)[0]
    twins = [each for each in running.cf.events("shop", "app.crash") if _same_instance(each, crash)]

    assert len(running.cf.events()) == 6
    assert crash["actor"] == {"guid": process["guid"], "type": "process", "name": "worker"}
    assert crash["target"] == {"guid": app["guid"], "type": "app", "name": "shop"}
    assert list(crash["data"]) == [
        "instance", "index", "cell_id", "reason", "exit_description", "crash_count", "crash_timestamp", "version",
    ]  # fmt: skip
    assert (crash["data"]["index"], crash["data"]["reason"], crash["data"]["version"]) == (
        0, "CRASHED", process["version"],
    )  # fmt: skip
    assert len(crash["data"]["instance"]) == 28
    assert [twin["actor"]["type"] for twin in twins] == ["app"]
    assert twins[0]["data"].keys() == {"instance", "index", "cell_id", "reason", "exit_description"}
    assert 'Process has crashed with type: "worker"' in running.cf.lines()


def _same_instance(one, other):
    return one["data"]["instance"] == other["data"]["instance"]


def test_a_container_that_cannot_be_created_is_a_crash(launch, tmp_path):
    running = launch(app={"cwd": tmp_path / "gone"})
    running.cf.wait_states("CRASHED")

    assert crashes(running)[0]["data"]["exit_description"].startswith("failed to create container: ")


def test_a_restart_begins_a_new_generation_while_the_old_one_drains(launch, tmp_path):
    gate = tmp_path / "gate"
    running = launch(f"trap '' TERM; echo ready; while [ ! -e {gate} ]; do sleep 0.02; done", instances=2)
    wait_line(running, "ready", 2)
    before, version = running.cf.stats(), running.cf.process()["version"]
    pids = [running.slot(index).pid for index in range(2)]

    answer = running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/restart")
    now = running.cf.stats()
    assert answer["state"] == "STARTED"
    assert all(map(harness.alive, pids))
    assert not {each["instance_guid"] for each in now} & {each["instance_guid"] for each in before}
    assert running.cf.process()["version"] != version
    running.cf.wait_states("RUNNING", "RUNNING")
    assert crashes(running) == []

    gate.touch()  # now they end, the new ones without being asked
    harness.wait_until(lambda: not any(map(harness.alive, pids)), 10, "the old generation is gone")
    running.cf.wait_states("CRASHED", "CRASHED")
    assert not {each["data"]["instance"] for each in crashes(running)} & {each["instance_guid"] for each in before}


def test_stop_and_start(launch):
    running = launch(instances=2)
    app, version = running.cf.app()["guid"], running.cf.process()["version"]
    running.cf.wait_states("RUNNING", "RUNNING")

    assert running.cf.post(f"/v3/apps/{app}/actions/stop")["state"] == "STOPPED"
    running.cf.wait_states("DOWN", "DOWN")
    running.converge()
    assert running.cf.states() == ["DOWN", "DOWN"]
    assert running.cf.process()["version"] == version
    running.cf.delete(f"/v3/apps/{app}/processes/worker/instances/1")  # there is nothing to restart, and no error

    assert running.cf.post(f"/v3/apps/{app}/actions/start")["state"] == "STARTED"
    started = running.cf.wait_states("RUNNING", "RUNNING")
    assert running.cf.process()["version"] != version

    version = running.cf.process()["version"]
    running.cf.post(f"/v3/apps/{app}/actions/start")  # it is started already
    assert running.cf.process()["version"] == version
    assert [each["instance_guid"] for each in running.cf.stats()] == [each["instance_guid"] for each in started]


def test_a_restart_starts_a_stopped_app_and_all_its_processes(launch):
    processes = (ProcessConfig("exec sleep 1000"), ProcessConfig("exec sleep 1000", type="beat"))
    running = launch(apps=(AppConfig("shop", processes, started=False),))
    running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/restart")

    running.cf.wait_states("RUNNING")
    running.cf.wait_states("RUNNING", kind="beat")


def test_stopping_while_an_instance_is_created(launch):
    running = launch(start_seconds=60)
    running.cf.wait_states("STARTING")
    running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/stop")

    running.cf.wait_states("DOWN")
    assert crashes(running) == []


def test_scaling_up_starts_at_once_and_down_stops_the_highest(launch):
    running = launch()
    app, process = running.cf.app()["guid"], running.cf.process()["guid"]
    [first] = running.cf.wait_states("RUNNING")
    version = running.cf.process()["version"]

    assert running.cf.post(f"/v3/processes/{process}/actions/scale", {"instances": 3}, 202)["instances"] == 3
    running.cf.wait_states("RUNNING", "RUNNING", "RUNNING")
    pids = [running.slot(index).pid for index in range(3)]
    running.cf.post(f"/v3/apps/{app}/processes/worker/actions/scale", {"instances": 1}, 202)
    harness.wait_until(lambda: not harness.alive(pids[1]) and not harness.alive(pids[2]), 10, "1 and 2 are gone")

    assert [each["instance_guid"] for each in running.cf.stats()] == [first["instance_guid"]]
    assert running.cf.process()["version"] == version
    assert crashes(running) == []
    scales = running.cf.events("shop", "audit.app.process.scale")
    assert sorted(each["data"]["request"]["instances"] for each in scales) == [1, 3]
    assert scales[0]["data"].keys() == {"process_guid", "process_type", "request"}


def test_scaling_to_nothing_and_back(launch):
    running = launch()
    process = running.cf.process()["guid"]
    running.cf.wait_states("RUNNING")

    running.cf.post(f"/v3/processes/{process}/actions/scale", {"instances": 0}, 202)
    assert running.cf.stats() == []
    harness.wait_until(lambda: not running.slots(), 10, "the instance is gone")
    running.cf.post(f"/v3/processes/{process}/actions/scale", {"instances": 1}, 202)
    running.cf.wait_states("RUNNING")


def test_scaling_up_again_waits_for_what_still_drains(launch, tmp_path):
    gate = tmp_path / "gate"
    running = launch(f"trap '' TERM; echo ready; while [ ! -e {gate} ]; do sleep 0.02; done")
    process = running.cf.process()["guid"]
    wait_line(running, "ready")
    draining = running.slot().instance_guid

    for instances in (0, 1):
        running.cf.post(f"/v3/processes/{process}/actions/scale", {"instances": instances}, 202)
    assert [each["instance_guid"] for each in running.cf.stats()] == [draining]
    gate.touch()
    running.cf.wait_states("DOWN")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"instances": -1}, "Instances must be greater than or equal to 0"),
        ({"instances": "two"}, "Instances is not a number"),
        ({"instances": True}, "Instances is not a number"),
        ({"memory_in_mb": 0}, "Memory in mb must be greater than 0"),
        ({"colour": 1}, "Unknown field(s): 'colour'"),
    ],
)
def test_a_scaling_that_makes_no_sense(calm, body, detail):
    [error] = calm.cf.post(f"/v3/processes/{calm.cf.process()['guid']}/actions/scale", body, 422)["errors"]

    assert (error["code"], error["detail"]) == (10008, detail)


def test_an_instance_that_ignores_sigterm_is_killed_with_its_whole_group(launch):
    running = launch(f"({STUBBORN}) & echo child $!; {STUBBORN}", grace_seconds=0.3)
    wait_line(running, "ready", 2)
    [child] = [int(line.split()[1]) for line in running.cf.lines() if line.startswith("child ")]
    pid = running.slot().pid
    running.cf.delete(f"/v3/processes/{running.cf.process()['guid']}/instances/0")

    harness.wait_until(lambda: not harness.alive(pid) and not harness.alive(child), 10, "both are gone")
    running.cf.wait_states("DOWN")
    assert "Exit status 137 (exceeded 0.3s graceful shutdown interval)" in running.cf.lines()
    assert crashes(running) == []


def test_a_frozen_instance_is_killed_after_the_grace_period(launch):
    running = launch(grace_seconds=0.3)
    running.cf.wait_states("RUNNING")
    pid = running.slot().pid
    harness.freeze(pid)
    running.cf.delete(f"/v3/processes/{running.cf.process()['guid']}/instances/0")

    running.cf.wait_states("DOWN")
    assert not harness.alive(pid)


def test_an_instance_killed_from_outside_has_crashed(launch):
    running = launch()
    [before] = running.cf.wait_states("RUNNING")
    os.kill(running.slot().pid, signal.SIGKILL)

    harness.wait_until(lambda: crashes(running), 10, "the crash is known")
    [after] = running.cf.wait_states("RUNNING")
    assert after["instance_guid"] != before["instance_guid"]
    assert crashes(running)[0]["data"]["instance"] == before["instance_guid"]


def test_a_cell_without_room_keeps_an_instance_down_until_there_is_some(launch):
    running = launch(instances=2, cell_memory_mb=300)
    process = running.cf.process()["guid"]
    [_, down] = running.cf.wait_states("RUNNING", "DOWN")
    assert (down["details"], down["routable"]) == ("insufficient resources: memory", False)

    running.cf.delete(f"/v3/processes/{process}/instances/0")
    running.cf.wait_states("DOWN", "DOWN")
    running.converge()
    running.cf.wait_states("DOWN", "RUNNING")


def test_who_acted(launch):
    running = launch()
    app = running.cf.app()["guid"]
    running.cf.post(f"/v3/apps/{app}/actions/restart")
    running.login_robot().post(f"/v3/apps/{app}/actions/stop")

    [restart] = running.cf.events("shop", "audit.app.restart")
    [stop] = running.cf.events("shop", "audit.app.stop")
    assert (restart["actor"]["type"], restart["actor"]["name"], restart["data"]) == ("user", "ada", {})
    assert stop["actor"] == {"guid": "robot", "type": "user", "name": "robot"}


def test_many_callers_at_once_leave_one_consistent_state(launch):
    running = launch("exec sleep 1001", speed=300, instances=3, grace_seconds=1)
    app, process = running.cf.app()["guid"], running.cf.process()["guid"]
    running.cf.wait_states("RUNNING", "RUNNING", "RUNNING")
    seen, callers = [], [running.login_robot() for _ in range(4)]

    def disturb(number, cf):
        for turn in range(6):
            answer = [
                lambda _: cf.http.post(f"/v3/apps/{app}/actions/restart"),
                lambda turn: cf.http.delete(f"/v3/processes/{process}/instances/{turn % 3}"),
                lambda turn: cf.http.post(f"/v3/processes/{process}/actions/scale", json={"instances": 1 + turn % 4}),
                lambda _: cf.http.get(f"/v3/processes/{process}/stats"),
            ][(number + turn) % 4](turn)
            seen.append(answer.status_code)

    threads = [threading.Thread(target=disturb, args=each) for each in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.cf.post(f"/v3/processes/{process}/actions/scale", {"instances": 3}, 202)

    running.cf.wait_states("RUNNING", "RUNNING", "RUNNING")
    assert set(seen) <= {200, 202, 204, 404}  # 404: that index was scaled away
    wanted = {running.slot(index).pid for index in range(3)}
    harness.wait_until(lambda: sleepers() == wanted, 10, "only the newest generation runs", dump=sleepers)
    assert crashes(running) == []


def sleepers():
    """Return the instances that run, of the one test with this command."""
    return {pid for pid, command in harness.descendants(os.getpid()).items() if command == "sleep 1001"}
