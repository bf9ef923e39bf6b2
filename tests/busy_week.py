"""A week of an app's work, as an observer would have stored it: loads by the minute, and the tasks around its peak."""

import random
from uuid import UUID

from celeriac.core.occupancy import Load
from celeriac.core.rollup import MINUTE
from celeriac.core.tasks import Task

APP = "orders-worker"
NODES = ("worker@g0", "worker@g1", "worker@g2")
WEEK_S = 7 * 86400.0
LOOKS = 12


def load(at: float, busy: float, **fields) -> Load:
    """Return one minute of three instances with four slots each; `busy` is the mean of its looks."""
    slots = fields.pop("slots", 12)
    given = {"instances": 3, "waiting": 0, "nodes": NODES, "queues": ("orders",), **fields}
    return Load(APP, "worker", at // MINUTE * MINUTE, LOOKS, round(busy * LOOKS), slots * LOOKS, round(busy), **given)


def week(now: float, peak_at: float, *, busy: float = 11, gap: tuple[float, float] = (0.0, 0.0)) -> list[Load]:
    """Return seven days with little to do, but for a quarter of an hour around the peak; nothing was seen in the gap."""
    minutes = range(int(now - WEEK_S) // 60 * 60 + 60, int(now), 60)
    return [
        load(at, _busy(at, peak_at, busy), waiting=5 if at == peak_at // 60 * 60 else 0)
        for at in minutes
        if not gap[0] <= at < gap[1]
    ]


def _busy(at: float, peak_at: float, busy: float) -> float:
    if at == peak_at // 60 * 60:
        return busy
    return busy - 1 if abs(at - peak_at) < 480 else 2


def tasks(
    since: float, until: float, *, per_s: float, mean_s: float, slots: int = 12, seed: int = 3, sent: bool = True
):
    """Return tasks that came by chance and ran first come, first served, as their events tell."""
    chance, at, found = random.Random(seed), since, []
    free = [since] * slots
    while (at := at + chance.expovariate(per_s)) < until:
        slot = min(range(slots), key=free.__getitem__)
        begins = max(at, free[slot])
        ends = free[slot] = begins + chance.expovariate(1 / mean_s)
        found.append(
            Task(
                uuid=str(UUID(int=chance.getrandbits(128), version=4)),
                state="SUCCESS",
                name="orders.price",
                worker=NODES[slot % len(NODES)],
                queue="orders" if sent else None,
                first_at=at if sent else begins - 0.01,
                sent_at=at if sent else None,
                received_at=begins - 0.01,
                started_at=begins,
                finished_at=ends,
                runtime=ends - begins,
                state_at=ends,
                pid=7,
            )
        )
    return found
