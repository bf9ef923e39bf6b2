"""The log cache: what it keeps of the output and of the platform, and how it is read."""

import time

import pytest

import harness
from celeriac.emulator.logcache import LogCache
from emulator.shapes import assert_shape, published

EXAMPLE, GAUGE = published("logcache.read")["envelopes"]["batch"]
TALKER = "echo to out; echo to err >&2; printf 'no newline'; exec sleep 1000"


@pytest.fixture
def talking(launch):
    running = launch(TALKER)
    harness.wait_until(lambda: {"to out", "to err"} <= set(running.cf.lines()), 10, "both lines are there")
    running.cf.wait_states("RUNNING")
    return running


def test_envelopes_have_the_keys_of_the_published_ones_and_no_other(talking):
    for envelope in talking.cf.envelopes():
        assert envelope.keys() == EXAMPLE.keys()
        assert envelope["log"].keys() == EXAMPLE["log"].keys()
        assert envelope["source_id"] == talking.cf.app()["guid"]
        assert int(envelope["timestamp"]) > 0
        assert all(isinstance(value, str) for value in envelope["tags"].values())


def test_output_is_tagged_with_its_instance(talking):
    by_line = {talking.cf.decode(each): each for each in talking.cf.envelopes()}
    out, err = by_line["to out"], by_line["to err"]

    assert (out["log"]["type"], err["log"]["type"]) == ("OUT", "ERR")
    assert out["tags"].keys() == EXAMPLE["tags"].keys()
    assert out["tags"]["source_type"] == "APP/PROC/WORKER"
    assert out["tags"]["process_instance_id"] == talking.cf.stats()[0]["instance_guid"]
    assert (out["tags"]["instance_id"], out["instance_id"]) == ("0", "0")


def test_the_platform_speaks_too(talking):
    app = talking.cf.app()["guid"]
    guid = talking.cf.stats()[0]["instance_guid"]
    talking.cf.delete(f"/v3/apps/{app}/processes/worker/instances/0")
    talking.cf.wait_states("DOWN")
    talking.cf.post(f"/v3/apps/{app}/actions/stop")
    said = [(each["tags"]["source_type"], talking.cf.decode(each)) for each in talking.cf.envelopes()]
    cell = [line.split(" ", 2)[2] for source, line in said if source == "CELL"]

    assert cell == [
        f"creating container for instance {guid}",
        f"successfully created container for instance {guid}",
        f"stopping instance {guid}",
        f"destroying container for instance {guid}",
        f"successfully destroyed container for instance {guid}",
    ]
    assert [line for source, line in said if source == "API"] == [
        'Terminating process: "worker", index: "0"',
        f"Stopping app with guid {app}",
    ]
    assert ("APP/PROC/WORKER", "Exit status 143") in said
    assert ("APP/PROC/WORKER", "no newline") in said


@pytest.fixture(scope="module")
def numbered():
    """A log cache with ten lines, filled directly so that the times are known."""
    return filled()


def filled():
    cache = LogCache(10, time.time)
    for number in range(13):
        cache.log("app", {"instance_id": "0"}, str(number).encode())
    return cache


def test_the_ring_keeps_the_newest_and_counts_what_it_lost(numbered):
    meta = numbered.meta()["app"]

    assert (meta["count"], meta["expired"]) == ("10", "3")
    assert int(meta["oldestTimestamp"]) < int(meta["newestTimestamp"])


def test_times_rise_strictly_so_that_a_walk_misses_nothing(numbered):
    start, walked = 0, []
    while batch := numbered.read("app", start=start, end=2**63, limit=3, descending=False):
        walked += batch
        start = int(batch[-1]["timestamp"]) + 1
    times = [int(each["timestamp"]) for each in walked]

    assert len(times) == 10
    assert times == sorted(set(times))


def test_a_window_includes_its_start_and_not_its_end(numbered):
    everything = numbered.read("app", start=0, end=2**63, limit=100, descending=False)
    start, end = int(everything[2]["timestamp"]), int(everything[5]["timestamp"])

    assert numbered.read("app", start=start, end=end, limit=100, descending=False) == everything[2:5]
    assert numbered.read("app", start=start, end=end, limit=2, descending=True) == everything[4:2:-1]


def test_reading_as_the_command_line_client_does(talking):
    newest_first = talking.cf.envelopes(descending="true", envelope_types="LOG", start_time="-6795364578871345152")
    times = [int(each["timestamp"]) for each in newest_first]

    assert "to out" in [talking.cf.decode(each) for each in newest_first]
    assert times == sorted(times, reverse=True)


def test_the_parameters_of_a_read(talking):
    cf, app = talking.cf, talking.cf.app()["guid"]
    everything = cf.envelopes()

    assert cf.envelopes(limit=1) == everything[:1]
    assert cf.envelopes(limit=1, descending="true") == everything[-1:]
    assert cf.envelopes(start_time=everything[1]["timestamp"], end_time=everything[2]["timestamp"]) == everything[1:2]
    assert cf.envelopes(start_time=time.time_ns() + 10**12) == []
    assert cf.envelopes(envelope_types="COUNTER") == []
    assert cf.get(f"/api/v1/read/{app}?envelope_types=TIMER&envelope_types=LOG")["envelopes"]["batch"] == everything
    for bad in ("limit=1001", "limit=-1", "limit=x", "start_time=now", "end_time=now"):
        assert cf.http.get(f"/api/v1/read/{app}?{bad}").status_code == 400


def test_meta_of_the_sources(talking):
    app = talking.cf.app()["guid"]
    [(source, meta)] = talking.cf.get("/api/v1/meta")["meta"].items()

    assert source == app
    assert meta.keys() == {"count", "oldestTimestamp", "newestTimestamp"}  # nothing has expired
    assert int(meta["count"]) == len(talking.cf.envelopes(envelope_types="ANY"))


def test_gauges_tell_what_an_instance_uses(talking):
    talking.emulator.foundation.gauges.report()
    [gauge] = talking.cf.envelopes(envelope_types="GAUGE")
    [entry] = talking.cf.stats()
    metrics = {name: metric["value"] for name, metric in gauge["gauge"]["metrics"].items()}

    assert gauge.keys() == GAUGE.keys()
    assert_shape(GAUGE["gauge"], gauge["gauge"])
    assert gauge["tags"].keys() == GAUGE["tags"].keys()
    assert gauge["tags"]["process_instance_id"] == entry["instance_guid"]
    assert {name: metric["unit"] for name, metric in gauge["gauge"]["metrics"].items()}["cpu"] == "percentage"
    assert (metrics["memory_quota"], metrics["disk_quota"]) == (entry["mem_quota"], entry["disk_quota"])
    assert 0 < metrics["memory"] < metrics["memory_quota"]
    assert metrics["container_age"] > 0


def test_the_share_of_a_core_is_in_percent(launch):
    running = launch("while :; do :; done")
    running.cf.wait_states("RUNNING")

    def busy():
        running.emulator.foundation.gauges.report()
        gauges = running.cf.envelopes(envelope_types="GAUGE", descending="true", limit=1)
        return gauges and gauges[0]["gauge"]["metrics"]["cpu"]["value"] > 2  # of a whole core, on a busy machine too

    harness.wait_until(busy, 20, "the instance is seen to be busy")


def test_what_does_not_run_has_no_gauges(launch):
    running = launch(app={"started": False})
    running.emulator.foundation.gauges.report()

    assert running.cf.envelopes(envelope_types="GAUGE") == []


def test_gauges_displace_no_lines():
    numbered = filled()
    lines = numbered.read("app", start=0, end=2**63, limit=100, descending=False, kinds=["log"])
    for number in range(20):
        numbered.gauge("app", {"instance_id": "0"}, {"cpu": ("percentage", number)})
    everything = numbered.read("app", start=0, end=2**63, limit=100, descending=False)
    times = [int(each["timestamp"]) for each in everything]

    assert [each for each in everything if "log" in each] == lines
    assert [each["gauge"]["metrics"]["cpu"]["value"] for each in everything if "gauge" in each] == list(range(10, 20))
    assert times == sorted(times)
    assert numbered.meta()["app"]["count"] == "20"


def test_a_very_long_line_is_split(launch):
    running = launch("head -c 100000 /dev/zero | tr '\\0' x; exec sleep 1000")
    harness.wait_until(
        lambda: sum(line.count("x") for line in running.cf.lines() if set(line) == {"x"}) >= 60 * 1024, 10, "it is read"
    )

    assert max(map(len, running.cf.lines())) <= 60 * 1024
