"""The clock that the processes of one Celeriac share, whatever the wall clock says when each of them starts."""

import subprocess
import sys
import time

import pytest

from celeriac.bootstrap.process import ANCHOR, boot_seconds, share_clock, steady_clock

HOUR = 3600.0
CHILD = """
import sys, time
wall, ahead = time.time, float(sys.argv[1])
time.time = lambda: wall() + ahead
from celeriac.bootstrap.process import boot_seconds, steady_clock
print(repr(steady_clock()() - boot_seconds()))
"""


@pytest.fixture(autouse=True)
def no_anchor_stays(monkeypatch):
    """What `share_clock` leaves in the environment goes with the test."""
    monkeypatch.setenv(ANCHOR, "")


def began(*, ahead=0.0):
    """Start a process whose wall clock is ahead by so much, and return the moment that its clock counts from."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(ahead)], capture_output=True, check=True, timeout=30)
    return float(done.stdout)


def test_processes_that_were_started_after_sharing_have_one_clock():
    """The wall clock was set an hour forward between their starts: their clocks agree all the same, and with it before."""
    share_clock()
    one, two = began(), began(ahead=HOUR)

    assert one == pytest.approx(two, abs=0.05, rel=0)
    assert one == pytest.approx(time.time() - boot_seconds(), abs=0.05, rel=0)


def test_without_sharing_each_process_goes_by_the_wall_clock():
    """A role that is started alone takes the wall clock of its start."""
    assert began(ahead=HOUR) - began() == pytest.approx(HOUR, abs=0.05, rel=0)


def test_the_anchor_is_what_counts(monkeypatch):
    """With an anchor an hour off the clock is an hour off, here and in a child."""
    monkeypatch.setenv(ANCHOR, repr(time.time() - boot_seconds() - HOUR))

    assert steady_clock()() == pytest.approx(time.time() - HOUR, abs=0.05, rel=0)
    assert began() == pytest.approx(time.time() - boot_seconds() - HOUR, abs=0.05, rel=0)


def test_a_clock_does_not_jump_with_the_wall_clock(monkeypatch):
    """Once made, it moves on with the machine's own clock only."""
    clock = steady_clock()
    before = clock()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + HOUR)

    assert 0 <= clock() - before < 1
