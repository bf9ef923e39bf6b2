"""A signal stops a process whatever its main thread does at that moment; the end of its terminal is such a signal."""

import os
import pty
import signal
import socket
import subprocess
import sys

import pytest

import harness
from celeriac.processes import running, spawn

WAITING = """
import os, signal, sys
from celeriac.bootstrap.process import until_signalled
stopping = until_signalled()
with stopping._cond:  # as within `stopping.wait(0.2)`, where it begins and ends to wait
    os.kill(os.getpid(), int(sys.argv[1]))
    sum(range(100_000))
print(stopping.wait(float(sys.argv[2])))
"""

LOGGING = """
import structlog, sys
from celeriac.bootstrap.process import configure_logging, until_signalled
configure_logging("test")
stopping = until_signalled()
structlog.get_logger().info("ready")
stopping.wait(30)
structlog.get_logger().info("ending")
open(sys.argv[1], "w").write("ended")
"""


def waits(signum, *before, within="10"):
    argv = [*before, sys.executable, "-c", WAITING, str(int(signum)), within]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout, done.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_may_come_while_the_events_own_lock_is_held(signum):
    assert waits(signum) == ("True\n", "")


def test_the_end_of_a_terminal_is_ignored_where_it_is_to_be():
    ignoring = ("/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh")  # as `nohup` does
    assert waits(signal.SIGHUP, *ignoring, within="0.5") == ("False\n", "")


def test_a_terminal_that_is_gone_ends_a_process_in_order_though_its_log_goes_nowhere(tmp_path):
    screen, terminal = pty.openpty()
    # A process takes a terminal for its own by `setsid` and opening it; the kernel tells it when the other side goes.
    script = 'exec 0<>"$1" 1>&0 2>&0; shift; exec "$@"'
    argv = ["/bin/sh", "-c", script, "sh", os.ttyname(terminal), sys.executable, "-c", LOGGING, str(tmp_path / "ended")]
    with running(spawn(argv, name="on a terminal"), grace=5) as child:
        said = b""
        while b"ready" not in said:
            said += os.read(screen, 4096)
        os.close(terminal)
        os.close(screen)
        harness.wait_until(lambda: child.poll() is not None, 10, "it ends")
        assert (child.poll(), (tmp_path / "ended").read_text()) == (0, "ended")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_the_console_alone_ends_in_order_too(tmp_path, free_port, signum):
    port, store = free_port(), tmp_path / "store"
    (tmp_path / "celeriac.toml").write_text(
        f'store = "{store}"\n[[cluster]]\nname = "demo"\nbroker = "redis://127.0.0.1:1/0"\n[console]\nport = {port}\n'
    )
    celeriac = [sys.executable, "-m", "celeriac"]
    subprocess.run([*celeriac, "migrate", "--config", tmp_path / "celeriac.toml"], check=True, timeout=60)
    argv = [*celeriac, "serve", "--only", "console", "--config", str(tmp_path / "celeriac.toml")]
    with running(spawn(argv, name="the console"), grace=5) as child:
        harness.wait_until(lambda: answers(port), 30, "it answers")
        os.kill(child.pid, signum)
        harness.wait_until(lambda: child.poll() is not None, 10, "it ends")
        assert child.poll() == 0


def answers(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
