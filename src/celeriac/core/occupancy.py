"""How many slots of an app are busy, by looks at its workers: what one minute holds, and what a week of minutes tells.

A look takes each online worker's own word, the `active` of its newest heartbeat, so all are seen within two seconds of each
other. Run times of tasks would tell the same later and worse: a task counts only once it has ended, one that dies with its
worker never does, and those of a week are too many to be read. A minute of an app is one row, whatever it ran.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.finding import Finding
from celeriac.core.memory import Board
from celeriac.core.model import Pool, Status, Verdict
from celeriac.core.rollup import HOUR, MINUTE

LOOK_EVERY_S = 5.0

FULL_WITHIN_S = 900.0
"""A minute in which an instance was restarted shows fewer slots than it has; so many seconds are looked back for a better one."""

GAP_S = 300.0
"""A longer gap between two minutes parts what was seen before from what was seen after."""

MOST_NODES = 500
"""Of one minute; the names of more are not kept."""


class Load(Struct, frozen=True):
    """One minute of one process of an app, as the sum of so many looks; `at` is its beginning in seconds since the epoch.

    `busy` and `slots` are sums over the looks, `most` is the most busy slots of any. `waiting` is the most messages that
    waited in its queues (None: nobody could tell), `unsure` how many workers' slots or tasks were not known. `shared` tells
    that workers elsewhere take from its queues too.
    """

    app: str
    process: str
    at: float
    looks: int
    busy: int
    slots: int
    most: int
    instances: int
    waiting: int | None = None
    unsure: int = 0
    nodes: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    shared: bool = False

    @property
    def mean_busy(self) -> float:
        return self.busy / self.looks

    @property
    def mean_slots(self) -> float:
        return self.slots / self.looks


class Hour(Struct, frozen=True):
    """One hour of an app's process; `minutes` is how many of its minutes were seen, and what none has seen is None."""

    at: float
    minutes: int = 0
    busy: float | None = None
    most: float | None = None
    slots: float | None = None
    waiting: int | None = None


def looked(board: Board, depths: Mapping[str, int], at: float) -> list[Load]:
    """Return one look at each process of an app of which a worker is online; what is not heard now gives none."""
    if board.blind:
        return []
    by_process: dict[tuple[str, str], list[Finding]] = {}
    for one in board.findings:
        if one.place.app and one.place.process and one.status is Status.ONLINE and one.site and one.site.incarnation:
            by_process.setdefault((one.place.app, one.place.process), []).append(one)
    takers = _takers(board)
    return [
        _look(app, process, found, board.pools, (depths, takers), at) for (app, process), found in by_process.items()
    ]


def _takers(board: Board) -> dict[str, set[tuple[str | None, ...]]]:
    """Return who takes from each queue, by process of an app or by bare node."""
    takers: dict[str, set[tuple[str | None, ...]]] = {}
    for one in board.findings:
        pool = _pool(one, board.pools)
        if pool and one.status is Status.ONLINE:
            for queue in pool.queues:
                takers.setdefault(queue, set()).add((one.place.app, one.place.process, _bare(one)))
    return takers


def _bare(one: Finding) -> str | None:
    return None if one.place.app else one.node


def _pool(one: Finding, pools: Mapping[str, Pool]) -> Pool | None:
    return pools.get(one.site.incarnation.key) if one.site and one.site.incarnation else None


def _look(
    app: str,
    process: str,
    found: Sequence[Finding],
    pools: Mapping[str, Pool],
    waits: tuple[Mapping[str, int], Mapping[str, Collection[object]]],
    at: float,
) -> Load:
    depths, takers = waits
    busy, slots, unsure = 0, 0, 0
    queues: set[str] = set()
    for one in found:
        pool = _pool(one, pools)
        runs, has = _working(one, pool)
        busy += runs
        slots += has or runs
        unsure += has is None
        queues.update(pool.queues if pool else ())
    known = [depths[name] for name in queues if name in depths]
    return Load(
        app=app,
        process=process,
        at=at // MINUTE * MINUTE,
        looks=1,
        busy=busy,
        slots=slots,
        most=busy,
        instances=len({(one.place.platform, one.place.index) for one in found}),
        waiting=sum(known) if known else None,
        unsure=unsure,
        nodes=tuple(sorted(one.node for one in found if one.node))[:MOST_NODES],
        queues=tuple(sorted(queues)),
        shared=any(len(takers.get(name, ())) > 1 for name in queues),
    )


def _working(one: Finding, pool: Pool | None) -> tuple[int, int | None]:
    """Return how many slots of a worker are busy, and how many it has (None is not known).

    A worker that is silent while it works runs at least one task: a solo pool sends no heartbeat meanwhile, and the one
    before it says that nothing runs. One that drains takes nothing more, so it has only the slots that are busy.
    """
    active = (one.site.incarnation.active or 0) if one.site and one.site.incarnation else 0
    if one.verdict is Verdict.BUSY:
        active = max(1, active)
    slots = pool.concurrency if pool else None
    if slots is None:
        return active, None
    busy = min(active, slots)
    return (busy, busy) if one.verdict is Verdict.DRAINING else (busy, slots)


def added(held: Load | None, new: Load) -> Load:
    """Return a minute with one more look at it; a look at another minute begins that one."""
    if held is None or held.at != new.at:
        return new
    return replace(
        new,
        looks=held.looks + new.looks,
        busy=held.busy + new.busy,
        slots=held.slots + new.slots,
        most=max(held.most, new.most),
        instances=max(held.instances, new.instances),
        waiting=_most(held.waiting, new.waiting),
        unsure=max(held.unsure, new.unsure),
        nodes=tuple(sorted({*held.nodes, *new.nodes}))[:MOST_NODES],
        queues=tuple(sorted({*held.queues, *new.queues})),
        shared=held.shared or new.shared,
    )


def peak(loads: Iterable[Load]) -> Load | None:
    """Return the minute with the most busy slots; of several, the one with the most waiting messages, then the latest."""
    return max(loads, key=lambda one: (one.mean_busy, one.waiting or 0, one.at), default=None)


def fullest(loads: Sequence[Load]) -> Load | None:
    """Return the newest minute that shows how many slots an instance has: of the last ones that with the most, all of them known."""
    known = [one for one in loads if one.at > loads[-1].at - FULL_WITHIN_S and one.instances and not one.unsure]
    return max(known, key=lambda one: (one.mean_slots / one.instances, one.at), default=None)


def stretch(loads: Sequence[Load], at: float) -> tuple[float, float]:
    """Return from when to when the app was seen without a gap, around a minute that was seen.

    The first minute was seen from somewhere in it on: for as long as its looks lasted, where others follow.
    """
    since = until = at // MINUTE * MINUTE
    for one in reversed(loads):
        if since - GAP_S <= one.at < since:
            since = one.at
    for one in loads:
        if until < one.at <= until + GAP_S:
            until = one.at
    first = next((one.looks for one in loads if one.at == since), 0)
    before = max(0.0, MINUTE - first * LOOK_EVERY_S) if since < until else 0.0
    return since + before, until + MINUTE


def hours(loads: Iterable[Load], since: float, until: float) -> list[Hour]:
    """Return every hour of a range, also those of which nothing was seen."""
    by_hour: dict[float, list[Load]] = {}
    for one in loads:
        by_hour.setdefault(one.at // HOUR * HOUR, []).append(one)
    first = int(since // HOUR) * HOUR
    return [_hour(float(at), by_hour.get(at, [])) for at in range(first, int(until) + 1, HOUR)]


def _hour(at: float, loads: Sequence[Load]) -> Hour:
    if not loads:
        return Hour(at)
    looks = sum(one.looks for one in loads)
    waiting = [one.waiting for one in loads if one.waiting is not None]
    return Hour(
        at,
        len(loads),
        busy=sum(one.busy for one in loads) / looks,
        most=max(one.mean_busy for one in loads),
        slots=sum(one.slots for one in loads) / looks,
        waiting=max(waiting, default=None),
    )


def _most(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)
