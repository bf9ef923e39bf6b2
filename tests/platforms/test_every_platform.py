"""What each platform must do, whichever it is: the same tests over real processes on each."""

import os
import signal
import time

import pytest

import harness
from celeriac.core.errors import MissingError
from celeriac.core.model import InstanceState
from celeriac.core.places import MISSING
from platforms.staged import WORKER

pytestmark = pytest.mark.timeout(90)


def said(stage, index):
    """Return the guids that the instances at one index said to have, the oldest first."""
    lines = stage.platform.logs(stage.one(index), 100)
    return [line.text.split()[-1] for line in lines if f"I am {index} " in line.text]


def test_every_index_is_told_with_a_guid_that_its_process_knows(stage):
    stage = stage()
    found = stage.until_running(2)

    assert [(one.app, one.process, one.index) for one in found] == [("shop", "worker", 0), ("shop", "worker", 1)]
    assert len({one.guid for one in found}) == 2
    for one in found:
        harness.wait_until(
            lambda one=one: said(stage, one.index) == [one.guid], 10, "it says its guid", dump=stage.dump
        )
    assert {one.type: one.wanted for one in stage.app().processes} == {"worker": 2, "web": 0}


def test_an_app_that_is_not_there_is_told_as_missing(stage):
    assert [(one.name, one.state) for one in stage().platform.apps()] == [("shop", "STARTED"), ("gone", MISSING)]


def test_a_restarted_index_comes_back_as_another_instance_and_no_other_is_touched(stage):
    stage = stage()
    first, second = stage.until_running(2)
    begun = time.time() - 2

    stage.platform.restart_instance(first)
    harness.wait_until(lambda: stage.one(0).guid not in {None, first.guid}, 15, "another instance", dump=stage.dump)
    after = stage.until_running(2)

    assert after[1].guid == second.guid
    assert stage.platform.instance(first).guid == after[0].guid
    assert stage.crashes(begun) == ()
    (change,) = [one for one in stage.platform.changes(begun) if one.index is not None]
    assert (change.app, change.process, change.index, change.own) == ("shop", "worker", 0, True)
    assert change.what == "restarted instance 0 of process worker"
    assert change.actor


def test_a_wanted_index_is_told_also_while_it_does_not_run(stage):
    stage = stage()
    first, _ = stage.until_running(2)
    looks = []

    def back():
        looks.append([(one.index, one.state) for one in stage.app().instances])
        return stage.one(0).guid not in {None, first.guid}

    stage.platform.restart_instance(first)
    harness.wait_until(back, 15, "another instance", dump=stage.dump)
    assert {tuple(index for index, _ in look) for look in looks} == {(0, 1)}


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(stage):
    stage = stage(worker="trap '' TERM; while :; do sleep 0.2; done", instances=1)
    (first,) = stage.until_running(1)

    stage.platform.restart_instance(first)
    harness.wait_until(lambda: stage.one(0).guid not in {None, first.guid}, 20, "another instance", dump=stage.dump)


def test_a_crash_is_told_once_with_its_text_and_its_count(stage, tmp_path):
    pid = tmp_path / "pid"
    stage = stage(worker=f"echo $$ > {pid}; exec sleep 1000", instances=1)
    (first,) = stage.until_running(1)
    begun = time.time() - 2
    harness.wait_until(lambda: pid.exists() and pid.read_text().strip(), 5, "its pid is known")

    os.kill(int(pid.read_text()), signal.SIGKILL)
    (crash,) = harness.wait_until(lambda: stage.crashes(begun), 10, "the crash is told", dump=stage.dump)

    assert (crash.app, crash.process, crash.index, crash.count) == ("shop", "worker", 0, 1)
    assert crash.instance_guid == first.guid
    assert "Exited with status 137" in crash.text
    assert not crash.clean_exit
    harness.wait_until(lambda: stage.one(0).guid not in {None, first.guid}, 20, "it comes back", dump=stage.dump)
    assert [one.id for one in stage.crashes(begun)] == [crash.id]


def test_what_crashes_again_and_again_is_told_as_crashed_though_it_is_wanted(stage):
    stage = stage(worker="exit 3", instances=1)
    begun = time.time() - 2
    harness.wait_until(lambda: stage.one(0).state is InstanceState.CRASHED, 20, "it is told", dump=stage.dump)

    assert [one.wanted for one in stage.app().processes if one.type == "worker"] == [1]
    assert sorted(one.count for one in stage.crashes(begun))[:3] == [1, 2, 3]


def test_an_index_out_of_range_is_missing(stage):
    from msgspec.structs import replace

    stage = stage(instances=1)
    (one,) = stage.until_running(1)
    with pytest.raises(MissingError):
        stage.platform.instance(replace(one, index=7))
    with pytest.raises(MissingError):
        stage.platform.restart_instance(replace(one, index=7))


def test_logs_and_events_of_an_instance_are_told_oldest_first(stage):
    stage = stage(worker=f"echo one; echo two >&2; {WORKER}", instances=1)
    (one,) = stage.until_running(1)
    begun = time.time() - 2
    harness.wait_until(lambda: said(stage, 0), 10, "it speaks", dump=stage.dump)

    lines = stage.platform.logs(one, 100)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert any("OUT one" in line.text for line in lines)
    assert any("ERR two" in line.text for line in lines)
    assert len(stage.platform.logs(one, 1)) == 1
    stage.platform.restart_instance(one)
    harness.wait_until(lambda: stage.platform.events(one, begun), 10, "the order is told", dump=stage.dump)
