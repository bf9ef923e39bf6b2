"""A signal stops a process whatever its main thread does at that moment."""

import signal
import subprocess
import sys

import pytest

WAITING = """
import os, signal, sys
from celeriac.bootstrap.process import until_signalled
stopping = until_signalled()
with stopping._cond:  # as within `stopping.wait(0.2)`, where it begins and ends to wait
    os.kill(os.getpid(), int(sys.argv[1]))
    sum(range(100_000))
print(stopping.wait(10))
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_may_come_while_the_events_own_lock_is_held(signum):
    argv = [sys.executable, "-c", WAITING, str(int(signum))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    assert (done.stdout, done.stderr) == ("True\n", "")
