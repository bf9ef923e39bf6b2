"""What healthy clusters go through in a day, and Celeriac must not take for an illness; and the faults that it must heal."""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from celeriac.core.errors import PortError
from celeriac.demo.breaks import strike
from celeriac.processes import running, spawn
from faults.fleet import APPS, Fleet
from faults.processes import descendants

OWN_PAUSE_S = 20.0
HOG = "import time; end = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"


class Spoilt(Exception):  # noqa: N818 (not an error)
    """The disturbance could not be made now; another will do."""


def _one_of(fleet: Fleet, rng: random.Random, pools: tuple[str, ...], busy: set[str]) -> str:
    """Return a healthy worker of an app that has no fault open."""
    apps = [one for one in APPS if one.pool in pools and one.name not in busy]
    names = [f"{one.name}/{index}" for one in apps for index in range(one.instances)]
    well = [name for name in names if fleet.watch.healthy([name])]
    if not well:
        raise Spoilt("no healthy worker of this kind")
    return rng.choice(well)


def pause(fleet: Fleet, rng: random.Random, busy: set[str]) -> str:
    """A pause as of a garbage collector or a busy host: 3 to 8 s."""
    name, seconds = _one_of(fleet, rng, ("prefork", "solo", "threads"), busy), rng.uniform(3, 8)
    pid = fleet.worker(name).pid or 0
    strike(fleet.worker(name), signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return f"{name} stood still for {seconds:.0f} s"


def starve(_: Fleet, rng: random.Random, __: set[str]) -> str:
    """Programs that take every core for a while."""
    seconds, cores = rng.uniform(8, 15), os.cpu_count() or 1
    argv = [sys.executable, "-c", HOG.format(seconds=seconds)]
    with ExitStack() as stack:
        for hog in [stack.enter_context(running(spawn(argv, name="hog"), grace=1)) for _ in range(2 * cores)]:
            hog.wait(seconds + 60)
    return f"{2 * cores} busy programs took the {cores} cores for {seconds:.0f} s"


def deploy(fleet: Fleet, rng: random.Random, busy: set[str]) -> str:
    """A rolling restart by another person: one instance after the other."""
    apps = [one for one in APPS if one.name not in busy]
    if not apps:
        raise Spoilt("every app has a fault open")
    app = rng.choice(apps)
    for index in range(app.instances):
        fleet.order("DELETE", app.name, f"processes/worker/instances/{index}")
        time.sleep(5)
    return f"{app.name} was restarted, instance by instance"


def scale(fleet: Fleet, rng: random.Random, busy: set[str]) -> str:
    """Two more instances, and two less, a little later."""
    apps = [one for one in APPS if one.name not in busy]
    if not apps:
        raise Spoilt("every app has a fault open")
    app = rng.choice(apps)
    what = "processes/worker/actions/scale"
    fleet.order("POST", app.name, what, {"instances": app.instances + 2})
    time.sleep(15)
    fleet.order("POST", app.name, what, {"instances": app.instances})
    return f"{app.name} was scaled up by two, and down again"


def restart_broker(fleet: Fleet, rng: random.Random, busy: set[str]) -> str:
    """An outage of one broker: 4 to 10 s."""
    free = [name for name in fleet.brokers if not any(app.cluster == name and app.name in busy for app in APPS)]
    if not free:
        raise Spoilt("every cluster has a fault open")
    name, seconds = rng.choice(free), rng.uniform(4, 10)
    fleet.brokers[name].stop()
    time.sleep(seconds)
    fleet.brokers[name].start()
    return f"the broker {name} was away for {seconds:.0f} s"


def work_long(fleet: Fleet, rng: random.Random, _: set[str]) -> str:
    """A task that keeps a solo worker silent for most of a minute."""
    seconds = rng.uniform(40, 55)
    fleet.apps["redis"].send_task("sample.slow", (seconds,), queue="reports", ignore_result=True)
    return f"a solo worker works for {seconds:.0f} s"


def pause_celeriac(fleet: Fleet, _: random.Random, __: set[str]) -> str:
    """Celeriac itself stands still, as on a host that swaps."""
    pids = [fleet.serve.pid, *descendants(fleet.serve.pid)]
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(OWN_PAUSE_S)
    finally:
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return f"Celeriac stood still for {OWN_PAUSE_S:.0f} s"


Disturbance = Callable[[Fleet, random.Random, set[str]], str]
DISTURBANCES: tuple[Disturbance, ...] = (pause, starve, deploy, scale, restart_broker, work_long, pause_celeriac)
TROUBLE = (Spoilt, PortError, RuntimeError, KeyError, OSError)
"""What may come between, as a worker that is just being restarted."""


def freeze(fleet: Fleet, rng: random.Random, busy: set[str]) -> tuple[str, bool]:
    """A main process frozen for good: return whose, and whether only a restart mends it."""
    name = _one_of(fleet, rng, ("prefork",), busy)
    strike(fleet.worker(name), signal.SIGSTOP)
    return name, True


def block(fleet: Fleet, rng: random.Random, busy: set[str]) -> tuple[str, bool]:
    """A main process blocked for good."""
    name = _one_of(fleet, rng, ("prefork",), busy)
    cluster = next(app.cluster for app in APPS if app.name == name.partition("/")[0])
    fleet.apps[cluster].control.broadcast("block", {"seconds": 3600.0}, destination=[fleet.worker(name).node])
    return name, True


def kill(fleet: Fleet, rng: random.Random, busy: set[str]) -> tuple[str, bool]:
    """A main process killed: the platform restarts it."""
    name = _one_of(fleet, rng, ("prefork", "solo", "threads"), busy)
    strike(fleet.worker(name), signal.SIGKILL)
    return name, False


FAULTS = (freeze, kill, block)
