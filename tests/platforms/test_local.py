"""What is particular to `celeriac local`."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

import harness
from celeriac.adapters.local_processes import Connection, LocalProcesses
from celeriac.core.errors import ConflictError, MissingError, UnreachableError
from celeriac.local.ports import free_port
from celeriac.local.slot import pause_after
from platforms.staged import on_local

pytestmark = pytest.mark.timeout(90)


def test_an_order_for_an_instance_that_is_gone_touches_no_other(tmp_path):
    with on_local(tmp_path, instances=1) as stage:
        (first,) = stage.until_running(1)
        stage.platform.restart_instance(first)
        harness.wait_until(lambda: stage.guids()[0] not in {None, first.guid}, 10, "another", dump=stage.dump)
        second = stage.guids()
        with pytest.raises(ConflictError, match="another instance"):
            stage.platform.restart_instance(first)
        assert stage.guids() == second


def test_each_index_is_told_a_port_of_its_own_and_keeps_it(tmp_path):
    with on_local(tmp_path, worker="echo port $PORT $CF_INSTANCE_GUID; exec sleep 1000") as stage:
        first, second = stage.until_running(2)

        def port(one):
            said = [line.text.split()[-2] for line in stage.platform.logs(one, 50) if f" {one.guid}" in line.text[-37:]]
            return int(said[0]) if said else None

        ports = [
            harness.wait_until(lambda one=one: port(one), 10, "its port", dump=stage.dump) for one in (first, second)
        ]
        assert ports[0] != ports[1]
        stage.platform.restart_instance(first)
        again = harness.wait_until(
            lambda: stage.one(0).guid not in {None, first.guid} and port(stage.one(0)), 10, "another", dump=stage.dump
        )
        assert again == ports[0]


def test_a_port_that_another_program_took_is_not_given_again():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_who_writes_much_pushes_no_other_lines_out(tmp_path):
    noisy = 'echo "I am $CF_INSTANCE_INDEX"; [ $CF_INSTANCE_INDEX = 0 ] || seq 3000; exec sleep 1000'
    with on_local(tmp_path, worker=noisy) as stage:
        quiet, loud = stage.until_running(2)
        harness.wait_until(
            lambda: stage.platform.logs(loud, 1)[0].text.endswith(" 3000"), 15, "all is written", dump=stage.dump
        )
        assert len(stage.platform.logs(loud, 1000)) == 1000
        assert any(line.text.endswith("I am 0") for line in stage.platform.logs(quiet, 50))


def test_a_pipe_that_nobody_reads_holds_up_no_reader_no_process_and_no_order(tmp_path):
    stalled, pipe = os.pipe()
    endless = 'n=0; while :; do n=$((n+1)); echo "n$n of $CF_INSTANCE_INDEX"; done'
    try:
        with on_local(tmp_path, worker=endless, instances=1, stdout=pipe) as stage:
            os.close(pipe)
            (one,) = stage.until_running(1)

            def written():
                found = [line.text.split("n")[-1] for line in stage.platform.logs(one, 10) if " of 0" in line.text]
                return int(found[-1].removesuffix(" of 0")) if found else 0

            # More than a pipe of 64 KB and all that may wait before it.
            harness.wait_until(lambda: written() > 50_000, 40, "the process goes on", dump=stage.dump)
            stage.platform.restart_instance(one)
            harness.wait_until(lambda: stage.one().guid not in {None, one.guid}, 10, "another", dump=stage.dump)

            shown = b""
            while b"left out" not in shown:
                shown += os.read(stalled, 65536)
            whole = shown.splitlines()[:-1]  # the last one may be cut
            said = [line for line in whole if b"left out" in line]
            left_out = re.compile(rb"\.\.\. [1-9]\d* lines are left out here, as they were not taken in time")
            assert all(left_out.fullmatch(line) for line in said)
            assert any(re.search(rb"\| n\d+ of 0$", line) for line in whole)

            begun = time.monotonic()  # nobody reads again
            stage.child.terminate()
            assert stage.child.wait(10) == 0
            assert time.monotonic() - begun < 6
    finally:
        os.close(stalled)


def test_a_reader_of_its_output_that_goes_leaves_it_running(tmp_path):
    gone, pipe = os.pipe()
    with on_local(tmp_path, worker="while :; do echo again; sleep 0.05; done", instances=1, stdout=pipe) as stage:
        os.close(pipe)
        os.close(gone)
        (one,) = stage.until_running(1)
        stage.platform.restart_instance(one)
        harness.wait_until(lambda: stage.one().guid not in {None, one.guid}, 10, "another", dump=stage.dump)


def test_what_the_processes_inherit_is_told_by_name_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("INHERITED", "from-the-shell")
    with on_local(tmp_path) as stage:
        told = {one.name: one.value for one in stage.records.environment(stage.app())}
        assert told["INHERITED"] is None


def test_an_unknown_process_is_told_beside_those_that_there_are(tmp_path):
    with on_local(tmp_path) as stage, pytest.raises(MissingError, match="there are: worker, web"):
        stage.orders.scale(stage.app(), "clock", 1)


def test_only_its_user_can_reach_the_socket(tmp_path):
    with on_local(tmp_path) as stage:
        assert stat.S_IMODE(stage.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(stage.socket.parent.stat().st_mode) == 0o700
        again = subprocess.run(
            [sys.executable, "-m", "celeriac", "local", "--file", tmp_path / "Procfile", "--socket", stage.socket],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert again.returncode != 0
        assert "Another `celeriac local` answers" in again.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_it_however_it_ends(tmp_path, how):
    with on_local(tmp_path, worker="echo pid $$; exec sleep 1000", instances=1) as stage:
        (one,) = stage.until_running(1)

        def pid():
            found = [
                line.text.split()[-1]
                for line in stage.platform.logs(one, 50)
                if "pid " in line.text and "OUT pid" in line.text
            ]
            return int(found[0]) if found else None

        worker = harness.wait_until(pid, 10, "its pid is known", dump=stage.dump)
        os.kill(stage.child.pid, how)
        stage.child.wait(10)
        harness.wait_until(lambda: not _lives(worker), 10, "the process is gone")
        if how is signal.SIGTERM:
            assert not stage.socket.exists()
        with pytest.raises(UnreachableError, match="no `celeriac local` answers"):
            stage.platform.apps()


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_terminal_that_is_closed_gives_every_process_its_grace(tmp_path):
    ends = f"trap 'echo ended > {tmp_path}/ended; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with on_local(tmp_path, worker=ends, instances=1, grace=5) as stage:
        (one,) = stage.until_running(1)

        def ready():
            return any(line.text.endswith("ready") for line in stage.platform.logs(one, 9))

        harness.wait_until(ready, 10, "it is ready", dump=stage.dump)
        os.kill(stage.child.pid, signal.SIGHUP)
        assert stage.child.wait(10) == 0
        assert (tmp_path / "ended").read_text() == "ended\n"


def test_an_ordered_restart_forgets_the_crashes_before_it(tmp_path):
    with on_local(tmp_path, worker="sleep 0.1; exit 3", instances=1) as stage:

        def counts():
            return [one.count for one in stage.crashes(0)]

        harness.wait_until(lambda: counts() == [1, 2, 3], 15, "it pauses", dump=stage.dump)
        stage.platform.restart_instance(stage.one())
        harness.wait_until(lambda: len(counts()) == 6, 15, "it pauses again", dump=stage.dump)
        assert counts() == [1, 2, 3, 1, 2, 3]


def test_what_never_answers_is_unreachable_within_the_time_limit(tmp_path):
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        begun = time.monotonic()
        with pytest.raises(UnreachableError):
            LocalProcesses("here", Connection(path, timeout=0.3), selectors=["shop"]).apps()
        assert time.monotonic() - begun < 3


def test_what_answers_nonsense_is_unreachable(tmp_path):
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(path))
        odd.listen()

        def answer():
            connection, _ = odd.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"<html>\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(UnreachableError, match="is no `celeriac local`"):
            LocalProcesses("here", Connection(path, timeout=3), selectors=["shop"]).apps()


def test_another_app_on_the_socket_gets_no_order(tmp_path):
    from msgspec.structs import replace

    with on_local(tmp_path, instances=1) as stage:
        (one,) = stage.until_running(1)
        with pytest.raises(MissingError, match="does not run here any more; shop does"):
            stage.platform.restart_instance(replace(one, app="blog"))


def test_the_pauses_between_starts_are_diegos():
    assert [pause_after(n) for n in (1, 2, 3, 4, 5, 8, 9, 5000)] == [0, 0, 30, 60, 120, 960, 960, 960]


def test_a_procfile_that_does_not_fit_is_one_sentence(tmp_path):
    (tmp_path / "Procfile").write_text("worker sleep 1\n")
    bad = subprocess.run(
        [sys.executable, "-m", "celeriac", "local", "--file", tmp_path / "Procfile"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert bad.returncode != 0
    assert "line 1, is not of the form `type: command`" in bad.stderr


def test_the_doctor_tells_what_may_be_done_on_it(tmp_path):
    with on_local(tmp_path, instances=1) as stage:
        (tmp_path / "celeriac.toml").write_text(
            f'store = "{tmp_path / "store"}"\n'
            f'[[platform]]\nname = "here"\nkind = "local"\nsocket = "{stage.socket}"\n'
            '[[cluster]]\nname = "demo"\nbroker = "redis://127.0.0.1:1/0"\nplatform = "here"\napps = ["shop"]\n'
        )
        asked = subprocess.run(
            [sys.executable, "-m", "celeriac", "doctor", "--json", "--config", tmp_path / "celeriac.toml"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "owner of the socket" in asked.stdout, asked.stdout + asked.stderr
