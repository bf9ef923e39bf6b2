"""Children die with their parent, say how they ended, and are kept running by a supervisor."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from celeriac import processes
from celeriac.processes import Child, Supervisor, backoff, running, spawn, stop_all
from harness import alive, carrying, command_line, freeze, wait_until

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)\nwhile 1: signal.pause()",
]

PARENT = """
import signal, sys
from celeriac.processes import spawn
children = [spawn([sys.executable, "-c", "import signal; signal.pause()"]) for _ in range(2)]
print(*(child.pid for child in children), flush=True)
signal.pause()
"""


def exits(code: int) -> list[str]:
    return ["sh", "-c", f"exit {code}"]


@contextlib.contextmanager
def a_parent_with_two_children():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    with parent:
        try:
            yield parent, [int(pid) for pid in parent.stdout.readline().split()]
        finally:
            parent.kill()


def read_line(child: Child) -> bytes:
    assert child.stdout is not None
    return child.stdout.readline()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_children_die_with_their_parent_however_it_ends(ending):
    with a_parent_with_two_children() as (parent, pids):
        assert all(map(alive, pids))

        parent.send_signal(ending)

        wait_until(lambda: not any(map(alive, pids)), 10, "both children are gone")


def test_a_stopped_child_dies_with_its_parent_too():
    with a_parent_with_two_children() as (parent, pids):
        for pid in pids:  # the shell that guards it has begun by the time that it has become the command
            wait_until(lambda pid=pid: not command_line(pid).startswith("/bin/sh"), 10, "the command runs")
            freeze(pid)

        parent.kill()

        wait_until(lambda: not any(map(alive, pids)), 10, "both stopped children are gone")


def test_a_grandchild_dies_with_the_group(tmp_path):
    note = tmp_path / "pid"
    child = spawn(["sh", "-c", f"sleep 600 & echo $! > {note}.new; mv {note}.new {note}; wait"])
    with running(child):
        grandchild = int(wait_until(lambda: note.exists() and note.read_text(), 10, "the grandchild runs"))
        child.stop(5)

        wait_until(lambda: not alive(grandchild), 10, "the grandchild is gone")


@pytest.mark.parametrize("code", [0, 3, 127])
def test_the_exit_code_is_the_commands_own(code):
    assert spawn(exits(code)).wait(10) == code


def test_a_signal_is_a_negative_exit_code():
    with running(spawn(FOREVER)) as child:
        child.kill()

        assert child.wait(10) == -signal.SIGKILL


def test_a_program_that_is_missing_ends_with_the_shells_code():
    with running(spawn(["/no/such/program"], stderr=subprocess.DEVNULL)) as child:
        assert child.wait(10) == 127


def test_a_running_child_has_no_exit_code_yet():
    with running(spawn(FOREVER)) as child:
        assert child.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0)


def test_a_reader_sees_the_end_of_output_while_the_watcher_still_sleeps():
    child = spawn(["echo", "done"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with running(child), child.stdout as output:
        assert output.read() == b"done\n"


def test_the_command_reads_an_empty_standard_input():
    child = spawn(["cat"], stdout=subprocess.PIPE)
    with running(child), child.stdout as output:
        assert output.read() == b""
        assert child.wait(10) == 0


def test_environment_and_folder_are_the_ones_asked_for(tmp_path):
    child = spawn(["sh", "-c", 'echo "$WORD $(pwd)"'], env={"WORD": "beet"}, cwd=tmp_path, stdout=subprocess.PIPE)
    with running(child), child.stdout as output:
        assert output.read().decode() == f"beet {tmp_path.resolve()}\n"


def test_the_watcher_goes_when_the_child_has_been_collected():
    mark = f"WATCHED={os.getpid()}"
    child = spawn(exits(0), env=os.environ | dict([mark.split("=")]))
    wait_until(lambda: child.poll() is not None, 10, "the child has ended")

    wait_until(lambda: not carrying(mark), 10, "its watcher is gone", dump=lambda: carrying(mark))


def test_no_descriptor_is_left_open():
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        spawn(exits(0)).wait(10)

    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_stopping_asks_first():
    with running(spawn(FOREVER)) as child:
        assert child.stop(10) == -signal.SIGTERM


def test_stopping_insists_when_asking_does_not_help():
    child = spawn(STUBBORN, stdout=subprocess.PIPE)
    with running(child), child.stdout:
        assert read_line(child) == b"ready\n"

        assert child.stop(0.05) == -signal.SIGKILL


def test_stopping_ends_a_stopped_child():
    with running(spawn(FOREVER)) as child:
        freeze(child.pid)

        assert child.stop(0.05) == -signal.SIGKILL


def test_stopping_twice_gives_the_same_code():
    child = spawn(exits(4))
    child.wait(10)

    assert child.stop(1) == 4
    assert child.stop(1) == 4


def test_many_are_stopped_within_one_grace():
    children = [spawn(STUBBORN, stdout=subprocess.PIPE) for _ in range(3)]
    with contextlib.ExitStack() as open_outputs:
        for child in children:
            open_outputs.enter_context(child.stdout)
            assert read_line(child) == b"ready\n"

        stop_all(children, 0.05)

    assert [child.poll() for child in children] == [-signal.SIGKILL] * 3


def test_the_block_ends_its_child_also_after_an_error():
    child = spawn(FOREVER)
    with pytest.raises(ZeroDivisionError), running(child):
        _ = 1 / 0

    assert child.poll() == -signal.SIGTERM


@pytest.mark.parametrize(("failures", "ceiling"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (100_000, 30.0)])
def test_the_pause_doubles_up_to_its_cap(failures, ceiling):
    assert ceiling / 2 <= backoff(failures) <= ceiling


@contextlib.contextmanager
def supervised(supervisor: Supervisor):
    stopping = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stopping,), kwargs={"tick": 0.01, "grace": 5})
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)
        assert not thread.is_alive()


def test_a_child_that_ends_is_started_again_after_a_growing_pause(monkeypatch):
    monkeypatch.setattr(processes, "backoff", lambda failures: 0.01 * failures)
    ended = []
    supervisor = Supervisor({"bad": lambda: spawn(exits(3))}, on_exit=lambda *told: ended.append(told))

    with supervised(supervisor):
        wait_until(lambda: len(ended) >= 3, 20, "the child was started three times")

    assert ended[:3] == [("bad", 3, 0.01), ("bad", 3, 0.02), ("bad", 3, 0.03)]


def test_a_child_that_lived_long_enough_starts_with_a_clean_slate(monkeypatch):
    monkeypatch.setattr(processes, "backoff", lambda failures: 0.01 * failures)
    monkeypatch.setattr(Supervisor, "STEADY_SECONDS", 0.0)
    ended = []
    supervisor = Supervisor({"bad": lambda: spawn(exits(3))}, on_exit=lambda *told: ended.append(told))

    with supervised(supervisor):
        wait_until(lambda: len(ended) >= 3, 20, "the child was started three times")

    assert {pause for _, _, pause in ended} == {0.01}


def test_one_childs_failures_leave_the_others_alone():
    steady, ended = [], []

    def start_steady() -> Child:
        steady.append(spawn(FOREVER))
        return steady[-1]

    starts = {"steady": start_steady, "bad": lambda: spawn(exits(1))}
    supervisor = Supervisor(starts, on_exit=lambda *told: ended.append(told))

    with supervised(supervisor):
        wait_until(lambda: len(ended) >= 2, 20, "the bad child has failed twice")
        assert steady[0].poll() is None

    assert len(steady) == 1
    assert {name for name, _, _ in ended} == {"bad"}


def test_a_child_that_cannot_be_started_is_tried_again_after_a_growing_pause(monkeypatch):
    """No process is left in the system for a while: that ends neither the supervisor nor another child."""
    monkeypatch.setattr(processes, "backoff", lambda failures: 0.01 * failures)
    steady, late, ended, tries = [], [], [], iter(range(3))

    def start_steady() -> Child:
        steady.append(spawn(FOREVER))
        return steady[-1]

    def start_late() -> Child:
        for _ in tries:
            raise BlockingIOError(errno.EAGAIN, "no process is left")
        late.append(spawn(FOREVER))
        return late[-1]

    starts = {"late": start_late, "steady": start_steady}
    with supervised(Supervisor(starts, on_exit=lambda *told: ended.append(told))):
        wait_until(lambda: late and steady, 20, "both run", dump=lambda: ended)
        assert [late[0].poll(), steady[0].poll()] == [None, None]

    assert ended == [("late", errno.EAGAIN, 0.01), ("late", errno.EAGAIN, 0.02), ("late", errno.EAGAIN, 0.03)]
    assert [child.poll() for child in (*late, *steady)] == [-signal.SIGTERM] * 2


def test_all_are_stopped_at_the_end():
    started = []

    def start() -> Child:
        started.append(spawn(FOREVER))
        return started[-1]

    with supervised(Supervisor({"one": start, "two": start}, on_exit=lambda *_: None)):
        wait_until(lambda: len(started) == 2, 10, "both run")

    assert [child.poll() for child in started] == [-signal.SIGTERM] * 2
