"""The hands that break things: one function a mode; each returns whom it made ill."""

import os
import signal
import time
from collections.abc import Callable

from celeriac.client import Worker
from celeriac.demo.breaks import strike
from faults.processes import children
from faults.proxy import Connection
from faults.setups import STUCK_S
from faults.stage import Stage
from faults.watch import StageError, Watch

Injection = Callable[[Stage, Watch], frozenset[str]]
FIRST = "orders/0"
LONG_S = 75.0
FOR_EVER_S = 3600.0
OUTAGE_S = 15.0
USUAL_RUNS = 30
BEAT_EVERY_S, BEAT_FOR_S = 6.0, 150.0


def _first(watch: Watch) -> Worker:
    return watch.workers[FIRST]


def _take(stage: Stage, watch: Watch, task: str, *args: float) -> str:
    """Send a task, and return the worker that has taken it."""
    sent = stage.app.send_task(task, args)
    path = stage.folder / f"took-{sent.id}"
    watch.until(lambda: path.exists() and path.read_text(), 30, f"a worker takes {task}")
    return f"orders/{path.read_text()}"


def _flood(stage: Stage, seconds: float) -> None:
    """Send so many tasks of a second that two workers have enough to do for a while."""
    slots = 1 if stage.row.pool == "solo" else stage.setup.concurrency
    for _ in range(int(2 * slots * seconds)):
        stage.app.send_task("sample.slow", (1.0,), ignore_result=True)


def kill(_: Stage, watch: Watch) -> frozenset[str]:
    """F1."""
    strike(_first(watch), signal.SIGKILL)
    return frozenset({FIRST})


def kill_child(stage: Stage, watch: Watch) -> frozenset[str]:
    """F2: three in a row, of whichever worker takes the task."""
    return frozenset(_take(stage, watch, "sample.die") for _ in range(3))


def freeze(_: Stage, watch: Watch) -> frozenset[str]:
    """F3."""
    strike(_first(watch), signal.SIGSTOP)
    return frozenset({FIRST})


def block(stage: Stage, watch: Watch) -> frozenset[str]:
    """F4."""
    stage.app.control.broadcast("block", {"seconds": FOR_EVER_S}, destination=[_first(watch).node])
    return frozenset({FIRST})


def deafen(stage: Stage, watch: Watch) -> frozenset[str]:
    """F5: the one connection that waits for messages is half-open; heartbeats go over another."""
    proxy = stage.proxy
    if proxy is None:
        raise AssertionError(stage.row.id)

    def waits(connection: Connection) -> bool:
        return b"BRPOP" in connection.last_sent

    watch.until(lambda: proxy.silence(waits), 20, "worker 0 waits for messages")
    _flood(stage, 110)
    return frozenset({FIRST})


def cancel(stage: Stage, watch: Watch) -> frozenset[str]:
    """F6."""
    stage.app.control.cancel_consumer("celery", destination=[_first(watch).node])
    _flood(stage, 110)
    return frozenset({FIRST})


def stick(stage: Stage, watch: Watch) -> frozenset[str]:
    """F7: the one slot has a task that never ends; a prefork child is frozen in it. Others of its name took a second."""
    for _ in range(USUAL_RUNS):
        stage.app.send_task("sample.slow", (1.0,), ignore_result=True)
    time.sleep(USUAL_RUNS)
    name = _take(stage, watch, "sample.slow", FOR_EVER_S)
    if stage.row.pool == "prefork":
        pid = watch.workers[name].pid
        below = children(pid) if pid else []
        if not below:
            message = f"{name} has no pool children"
            raise StageError(message)
        for child in below:
            os.kill(child, signal.SIGSTOP)
    return frozenset({name})


def work_long(stage: Stage, watch: Watch) -> frozenset[str]:
    """F8."""
    return frozenset({_take(stage, watch, "sample.slow", LONG_S)})


def let_nothing_run(stage: Stage, watch: Watch) -> frozenset[str]:
    """F9."""
    return frozenset({_take(stage, watch, "sample.rude", LONG_S)})


def shut_down(stage: Stage, watch: Watch) -> frozenset[str]:
    """F10: SIGTERM while a task of a minute runs."""
    name = _take(stage, watch, "sample.slow", 60.0)
    strike(watch.workers[name], signal.SIGTERM)
    return frozenset({name})


def stop_broker(stage: Stage, watch: Watch) -> frozenset[str]:
    """F11."""
    if stage.broker is None:
        raise AssertionError(stage.row.id)
    stage.traffic.rest()
    time.sleep(2)
    stage.broker.stop()
    time.sleep(OUTAGE_S)
    stage.broker.start()
    time.sleep(10)
    stage.traffic.rest(resting=False)
    return frozenset(watch.workers)


def partition(stage: Stage, watch: Watch) -> frozenset[str]:
    """F12."""
    if stage.proxy is None:
        raise AssertionError(stage.row.id)
    watch.until(stage.proxy.silence, 5, "worker 0 is connected through the proxy")
    return frozenset({FIRST})


def redeliver(stage: Stage, watch: Watch) -> frozenset[str]:
    """F13: a task of 25 s, which comes again after 8 s."""
    return frozenset({_take(stage, watch, "sample.late", 25.0)})


def nothing(_: Stage, __: Watch) -> frozenset[str]:
    """F14, F15, F17: it has been there since the start."""
    return frozenset({FIRST})


def cut_ears(stage: Stage, watch: Watch) -> frozenset[str]:
    """F16: five times in 25 s, while 400 tasks run."""
    if stage.ear is None:
        raise AssertionError(stage.row.id)
    for _ in range(5):
        for number in range(80):
            stage.app.send_task("sample.quick", (number,), ignore_result=True)
        stage.ear.cut()
        time.sleep(5)
    return frozenset(watch.workers)


def acknowledge_late(stage: Stage, watch: Watch) -> frozenset[str]:
    """F18: a task of 45 s, of which RabbitMQ wants to hear within 10 s; it goes from one worker that it ends to the next."""
    _take(stage, watch, "sample.late", 45.0)
    return frozenset(watch.workers)


def stop_beat(stage: Stage, _: Watch) -> frozenset[str]:
    """F19: after a while in which it has sent a task every few seconds; no worker is ill."""
    child = stage.start_beat(BEAT_EVERY_S)
    time.sleep(BEAT_FOR_S)
    if child.poll() is not None:
        message = f"beat has ended by itself: {(stage.folder / 'beat.log').read_text(errors='replace')[-500:]}"
        raise StageError(message)
    ticks = len(stage.client.tasks(name="sample.tick", limit=100).items)
    if ticks < BEAT_FOR_S / BEAT_EVERY_S / 2:
        message = f"only {ticks} of beat's tasks came"
        raise StageError(message)
    child.kill()
    return frozenset()


def scale(stage: Stage, _: Watch) -> frozenset[str]:
    """F20."""
    stage.order("orders", "processes/worker/actions/scale", {"instances": 2})
    time.sleep(40)
    stage.order("orders", "processes/worker/actions/scale", {"instances": 3})
    return frozenset({"orders/2"})


def release(stage: Stage, _: Watch) -> frozenset[str]:
    """F21."""
    (stage.folder / "broken-release").touch()
    stage.order("orders", "actions/restart")
    return frozenset({"orders/0", "orders/1"})


INJECTIONS: dict[str, Injection] = {
    "F1": kill,
    "F2": kill_child,
    "F3": freeze,
    "F4": block,
    "F5": deafen,
    "F6": cancel,
    "F7": stick,
    "F8": work_long,
    "F9": let_nothing_run,
    "F10": shut_down,
    "F11": stop_broker,
    "F12": partition,
    "F13": redeliver,
    "F14": nothing,
    "F15": nothing,
    "F16": cut_ears,
    "F17": nothing,
    "F18": acknowledge_late,
    "F19": stop_beat,
    "F20": scale,
    "F21": release,
}

WATCHED_S = {
    "F7": STUCK_S + 100,
    "F2": 25.0,
    "F8": 100.0,
    "F9": 100.0,
    "F10": 95.0,
    "F11": 75.0,
    "F13": 50.0,
    "F16": 50.0,
    "F18": 100.0,
    "F19": 200.0,
    "F20": 35.0,
}
"""How long is looked on, from the fault's end, where nothing is to be done; elsewhere 45 s: longer than silence takes to convict."""
