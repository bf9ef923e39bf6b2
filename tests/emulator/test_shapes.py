"""The field rules that no published example shows, stats in each state, errors, and the environment of an instance."""

import json
import os
import signal
from pathlib import Path

import pytest

import harness
from celeriac.emulator import AppConfig, ProcessConfig
from emulator.shapes import assert_shape, published

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def test_the_check_itself_finds_what_is_missing_or_of_another_type():
    for expected, actual in [({"a": 1}, {}), ({"a": 1}, {"a": "1"}), ([{"a": 1}], [{}]), ({"a": True}, {"a": 1})]:
        with pytest.raises(AssertionError):
            assert_shape(expected, actual)


def test_the_root_tells_address_and_version(calm):
    links = calm.anonymous().get("/")["links"]

    assert links["cloud_controller_v3"] == {"href": f"{calm.cf.url}/v3", "meta": {"version": "3.228.0"}}
    assert {links[name]["href"] for name in ("self", "login", "uaa", "log_cache")} == {calm.cf.url}


def test_tokens(calm):
    expected = published("uaa.token")

    person = {key: value for key, value in expected["password"].items() if key != "id_token"}
    assert_shape(person, calm.cf.tokens)
    assert_shape(expected["client_credentials"], calm.login_robot().tokens)


def test_apps_and_process_instances_show_more_than_the_examples(calm):
    process = calm.cf.process()["guid"]
    instances = calm.cf.get(f"/v3/processes/{process}/process_instances")["resources"]

    assert "clear_buildpack_cache" in calm.cf.app()["links"]
    assert [(each["index"], each["state"]) for each in instances] == [(0, "RUNNING"), (1, "RUNNING")]
    embedding = calm.cf.get(f"/v3/processes/{process}", embed="process_instances")
    assert_shape(published("processes.single_process_with_embedded_process_instances"), embedding)


def test_lists_hide_the_command_and_single_processes_show_it(calm):
    assert {each["command"] for each in calm.cf.get("/v3/processes")["resources"]} == {"[PRIVATE DATA HIDDEN IN LISTS]"}
    assert calm.cf.process()["command"] == "exec sleep 1000"


def test_guids_of_web_processes_and_of_others(calm):
    assert calm.cf.process(kind="web")["guid"] == calm.cf.app()["guid"]
    assert calm.cf.process(kind="worker")["guid"] != calm.cf.app()["guid"]
    assert calm.cf.process("mail")["health_check"]["data"]["timeout"] == 90


@pytest.fixture(scope="module")
def example():
    """The published stats, one entry a state."""
    entries = published("process_stats.all_states")["resources"]
    return {(entry["state"], bool(entry["details"])): entry for entry in entries}


def test_stats_of_a_running_instance(calm, example):
    for entry in calm.cf.stats():
        assert entry.keys() == example["RUNNING", False].keys()
        assert_shape(example["RUNNING", False], entry)
        assert len(entry["instance_guid"]) == 28
        assert (entry["routable"], entry["host"], entry["mem_quota"]) == (True, "127.0.0.1", 256 * 1024 * 1024)
        assert 0 < entry["usage"]["mem"] < 100e6
        assert entry["instance_ports"][0]["external"] > 0
    assert len({entry["instance_ports"][0]["external"] for entry in calm.cf.stats()}) == 2
    assert [entry["index"] for entry in calm.cf.stats()] == [0, 1]


def test_stats_in_both_forms_of_the_path(calm):
    guid = calm.cf.process()["guid"]
    here = calm.cf.get(f"/v3/processes/{guid}/stats")["resources"]

    assert [entry["instance_guid"] for entry in here] == [entry["instance_guid"] for entry in calm.cf.stats()]


def test_stats_of_a_starting_instance(launch, example):
    running = launch(start_seconds=60)
    [entry] = running.cf.wait_states("STARTING")

    assert entry.keys() == example["STARTING", False].keys()
    assert_shape(example["STARTING", False], entry)
    assert len(entry["instance_guid"]) == 28
    blank = {key: entry[key] for key in ("routable", "host", "instance_internal_ip", "instance_ports", "mem_quota")}
    assert blank == {
        "routable": False, "host": "", "instance_internal_ip": "", "instance_ports": [], "mem_quota": None,
    }  # fmt: skip
    assert {value for key, value in entry["usage"].items() if key != "time"} == {0}


def test_stats_of_a_crashed_instance(launch, example):
    [entry] = launch("exit 1").cf.wait_states("CRASHED")

    assert entry.keys() == example["CRASHED", False].keys()
    assert_shape(example["CRASHED", False], entry)
    assert (entry["instance_guid"], entry["host"], entry["instance_ports"]) == ("", "", [])


def test_stats_of_indices_that_are_down(launch, example):
    stopped = launch(app={"started": False}).cf.stats()
    full = launch(cell_memory_mb=300, instances=2).cf.wait_states("RUNNING", "DOWN")

    assert stopped == [example["DOWN", False] | {"index": 0}]
    assert full[1] | {"uptime": 17} == example["DOWN", True] | {"index": 1}


def test_stats_of_a_stopping_instance(launch, example):
    running = launch(STUBBORN, grace_seconds=30)
    harness.wait_until(lambda: "ready" in running.cf.lines(), 10, "the instance ignores SIGTERM")
    pid = running.slot().pid
    running.cf.post(f"/v3/apps/{running.cf.app()['guid']}/actions/stop")
    [entry] = running.cf.stats()

    assert entry["state"] == "STOPPING"
    assert entry.keys() == example["STOPPING", False].keys()
    assert_shape(example["STOPPING", False], entry)
    assert (entry["usage"], entry["mem_quota"], entry["routable"]) == ({}, None, True)
    os.kill(pid, signal.SIGKILL)
    running.cf.wait_states("DOWN")


@pytest.mark.parametrize(("version", "guids", "embeds"), [("3.190.0", 0, 0), ("3.210.0", 1, 0), ("3.211.0", 1, 1)])
def test_older_api_versions_lack_what_came_later(launch, version, guids, embeds):
    running = launch(api_version=version)
    process = running.cf.process()["guid"]
    [entry] = running.cf.wait_states("RUNNING")

    assert ("instance_guid" in entry) == bool(guids)
    running.cf.get("/v3/processes", status=200 if embeds else 400, embed="process_instances")
    running.cf.get(f"/v3/processes/{process}/process_instances", status=200 if embeds else 404)


def test_errors_are_the_published_ones(calm):
    expected = published("errors.by_status")
    cf, app, process = calm.cf, calm.cf.app()["guid"], calm.cf.process()["guid"]

    assert calm.anonymous().get("/v3/apps", status=401) == expected["401_no_token"]
    for path in (f"/v3/apps/{process}", "/v3/apps/none/processes", "/v3/apps/none/processes/worker/stats"):
        assert cf.get(path, status=404) == expected["404_app"]
    for path in ("/v3/processes/none", f"/v3/apps/{app}/processes/none", f"/v3/apps/{app}/processes/none/stats"):
        assert cf.get(path, status=404) == expected["404_process"]
    for index in ("2", "99", "x", "-1"):
        assert cf.delete(f"/v3/processes/{process}/instances/{index}", 404).json() == expected["404_instance"]
    for path in ("/v3/nothing", "/v2/info", f"/v3/apps/{app}/actions/restart"):
        assert cf.get(path, status=404) == expected["404_unknown_route"]
    answer = cf.http.post(f"/v3/processes/{process}/actions/scale", content=b"{")
    assert (answer.status_code, answer.json()) == (400, expected["400_body"])


def test_a_defect_of_the_emulator_is_a_500_of_the_platform(launch):
    running = launch()
    running.cf.wait_states("RUNNING")  # nothing is logged from here on
    running.emulator.foundation.logs._rings = None
    answer = running.cf.http.get("/api/v1/meta")
    running.emulator.foundation.logs._rings = {}

    assert (answer.status_code, answer.json()) == (500, published("errors.by_status")["500"])
    assert answer.headers["x-vcap-request-id"]


def test_every_answer_has_a_request_id_of_its_own(calm):
    answers = [
        calm.cf.http.get(path) for path in ("/", "/v3/apps", "/v3/apps/none", "/nothing", "/api/v1/read/none", "/login")
    ]

    assert len({answer.headers["x-vcap-request-id"] for answer in answers}) == len(answers)


def test_the_environment_of_an_instance(launch, tmp_path):
    app = AppConfig("shop", (ProcessConfig("env; pwd; exec sleep 1000", instances=2),), {"COLOUR": "blue"})
    away = AppConfig("away", (ProcessConfig("pwd; exec sleep 1000", type="web"),), cwd=tmp_path)
    running = launch(apps=(app, away))
    harness.wait_until(lambda: "VCAP_SERVICES={}" in running.cf.lines(), 10, "the environment is printed")
    harness.wait_until(lambda: str(tmp_path) in running.cf.lines("away"), 10, "the folder is printed")
    running.cf.wait_states("RUNNING", "RUNNING")
    [first, second] = running.cf.stats()
    harness.wait_until(lambda: len(_environments(running)) == 2, 10, "both environments are printed")
    env = _environments(running)[second["instance_guid"]]

    assert (env["CF_INSTANCE_INDEX"], env["USER"], env["MEMORY_LIMIT"], env["COLOUR"]) == ("1", "vcap", "256m", "blue")
    assert env["PORT"] == str(second["instance_ports"][0]["external"]) != str(first["instance_ports"][0]["external"])
    assert env["CF_INSTANCE_ADDR"] == f"127.0.0.1:{env['PORT']}"
    assert json.loads(env["CF_INSTANCE_PORTS"]) == [{"external": int(env["PORT"]), "internal": int(env["PORT"])}]
    vcap = json.loads(env["VCAP_APPLICATION"])
    assert vcap.keys() == published("vcap_application").keys()
    assert_shape(published("vcap_application"), vcap)
    assert (vcap["instance_id"], vcap["process_type"]) == (second["instance_guid"], "worker")
    assert vcap["version"] == running.cf.process()["version"]
    assert env["HOME"] != env["TMPDIR"]
    assert Path(env["HOME"]).is_dir()
    assert Path(env["TMPDIR"]).is_dir()
    assert env["HOME"] in running.cf.lines()


def _environments(running):
    """Return what `env` printed, by instance guid; an instance prints everything before it sleeps."""
    found = {}
    for each in running.cf.envelopes():
        guid = each["tags"].get("process_instance_id")
        line = running.cf.decode(each)
        if "=" in line and each["tags"]["source_type"] == "APP/PROC/WORKER":
            name, _, value = line.partition("=")
            found.setdefault(guid, {})[name] = value
    return {guid: env for guid, env in found.items() if {"VCAP_APPLICATION", "TMPDIR", "COLOUR", "PORT"} <= env.keys()}
