"""What the demo breaks, and how seldom: a plan within its own budgets, and the hands that carry it out."""

import os
import random
import signal
from pathlib import Path

from msgspec import Struct

from celeriac.client import Worker
from celeriac.demo import shop

KILL_EVERY_S = 300.0
FREEZE_EVERY_S = 900.0
SAME_WORKER_EVERY_S = 600.0


class Break(Struct, frozen=True):
    """One thing to break: `kind` is child, burst, long, kill or freeze."""

    kind: str
    at: float
    worker: str | None = None


def choose(workers: list[Worker], past: list[Break], now: float, rng: random.Random) -> Break:
    """Return the next thing to break; workers themselves are killed or frozen within their budgets only."""
    well = [one for one in workers if one.verdict == "healthy" and not one.suspect and one.pid and one.instance]
    rested = [one for one in well if not _lately(past, now, SAME_WORKER_EVERY_S, worker=one.id)]
    if rested and len(well) == len(workers):
        if not _lately(past, now, FREEZE_EVERY_S, kind="freeze") and _lately(past, now, FREEZE_EVERY_S, kind="kill"):
            return Break("freeze", now, rng.choice(rested).id)
        if not _lately(past, now, KILL_EVERY_S, kind="kill") and not _lately(past, now, KILL_EVERY_S, kind="freeze"):
            return Break("kill", now, rng.choice(rested).id)
    return Break(rng.choice(("child", "burst", "long")), now)


def _lately(
    past: list[Break], now: float, within: float, *, kind: str | None = None, worker: str | None = None
) -> bool:
    return any(
        now - one.at < within and (kind is None or one.kind == kind) and (worker is None or one.worker == worker)
        for one in past
    )


def carry_out(what: Break, workers: list[Worker]) -> str:
    """Break it, and return a sentence that says what was done and what to expect."""
    if what.kind == "child":
        shop.die.delay()
        return "killed a pool child (Celery replaces it; its worker stays well)"
    if what.kind == "burst":
        for number in range(30):
            shop.fail.delay(number)
        return "sent a burst of 30 failing tasks (bad tasks, well workers: nothing to restart)"
    if what.kind == "long":
        shop.render.delay(45.0)
        return "sent a task that takes 45 s (busy, not hung: nothing to restart)"
    worker = next(one for one in workers if one.id == what.worker)
    if what.kind == "kill":
        strike(worker, signal.SIGKILL)
        return f"killed the main process of {worker.name} (Cloud Foundry restarts it; Celeriac asks for proof)"
    strike(worker, signal.SIGSTOP)
    return f"froze the main process of {worker.name} (Cloud Foundry sees nothing; Celeriac must find it)"


def strike(worker: Worker, signum: signal.Signals) -> None:
    """Send a signal to a worker's main process, after making sure that the process is this worker's."""
    if worker.pid is None or worker.instance is None or not worker.instance.guid:
        message = f"{worker.name} has no process that could be signalled"
        raise RuntimeError(message)
    environ = Path(f"/proc/{worker.pid}/environ")
    if environ.exists() and f"CF_INSTANCE_GUID={worker.instance.guid}".encode() not in environ.read_bytes():
        message = f"process {worker.pid} is not {worker.name}"
        raise RuntimeError(message)
    os.kill(worker.pid, signum)
