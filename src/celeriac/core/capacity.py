"""How many instances of an app a wait objective needs, from what was measured at its busiest; advice only.

Where the measurements do not carry an answer there is none, and `Advice.unknown` says why.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, isfinite

from msgspec import Struct

from celeriac.core.occupancy import Load
from celeriac.core.queueing import MOST_SLOTS, Work, mean_wait, slots_for, wait_within
from celeriac.core.tasks import FINAL, RETRY, Task
from celeriac.core.waits import due_at, waited

SHARE = 0.95
WAIT_S = 30.0
"""The objective, unless another is wanted: so large a share of the tasks begins within so many seconds."""

WINDOWS_S = (900.0, 3600.0, 4 * 3600.0)
"""What is looked at around the peak: the first that holds `ENOUGH` tasks, else the last, if it holds `LEAST`."""

ENOUGH = 200
LEAST = 50
_TOLD = 0.9
"""So large a share of the tasks must say when they were sent: else arrivals and waits are not known."""

_EXPLAINED = 0.7
"""So much of the busy slots must be explained by the tasks whose events were heard."""

SENT_SETTING = "set task_send_sent_event = True where tasks are sent"


class Measured(Struct, frozen=True):
    """What the tasks of a window tell; times in seconds, None where they do not.

    `came` are those that were due in it, `began` and `ended` those that did; `told` is the share that says when it was sent.
    `explained` is how many slots their run times keep busy.
    """

    since: float
    until: float
    came: int
    began: int
    ended: int
    told: float
    explained: float
    slot_s: float | None = None
    slot_scv: float | None = None
    arrival_scv: float | None = None
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    complete: bool = True

    @property
    def work(self) -> Work | None:
        """Return what the formulas need; None where it is not known."""
        if self.slot_s is None or self.slot_scv is None or self.arrival_scv is None:
            return None
        return Work(self.came / (self.until - self.since), self.slot_s, self.arrival_scv, self.slot_scv)


class Expected(Struct, frozen=True):
    """What so many instances would make of the load of the peak; waits are None where they would grow without end."""

    instances: int
    slots: int
    utilisation: float
    mean_wait_s: float | None
    p95_wait_s: float | None


class Scene(Struct, frozen=True):
    """What advice rests on: the busiest minute, the load of the window around it, and what there is now.

    `busy` are the slots that were busy on average over the window; `full` is the minute that shows the slots of an instance.
    """

    peak: Load
    now: Load
    busy: float
    measured: Measured
    full: Load | None


class Advice(Struct, frozen=True):
    """`needed` keeps the objective at the peak, `spare` still keeps it with one instance lost; None where `unknown` says why."""

    needed: int | None = None
    spare: int | None = None
    unknown: str | None = None
    doubts: tuple[str, ...] = ()
    table: tuple[Expected, ...] = ()


def measure(tasks: Sequence[Task], since: float, until: float, *, complete: bool = True) -> Measured:
    """Return what tasks tell of a window; those that came before it or ran beyond it count for what they did in it."""
    came = sorted(at for task in tasks if (at := due_at(task)) is not None and since <= at < until)
    began = [task for task in tasks if since <= (task.started_at or 0.0) < until]
    spans = [span for task in tasks if (span := _span(task)) is not None and since <= span[1] < until]
    times = [end - start for start, end in spans]
    told = sum(task.sent_at is not None for task in began) / len(began) if began else 0.0
    waits = sorted(wait for task in began if (wait := waited(task)) is not None) if told >= _TOLD else []
    return Measured(
        since=since,
        until=until,
        came=len(came),
        began=len(began),
        ended=len(times),
        told=told,
        explained=_explained(tasks, since, until),
        slot_s=sum(times) / len(times) if times else None,
        slot_scv=_scv(times),
        arrival_scv=_scv([later - earlier for earlier, later in pairwise(came)]),
        wait_p50_s=_quantile(waits, 0.5),
        wait_p95_s=_quantile(waits, SHARE),
        complete=complete,
    )


def advise(scene: Scene, wait_s: float = WAIT_S) -> Advice:
    """Return how many instances the peak needs for a wait of `wait_s` seconds at most, for `SHARE` of the tasks."""
    doubts = _doubts(scene)
    per_instance = slots_per_instance(scene.full)
    work = scene.measured.work
    why = _untold(scene) or (None if per_instance else "it is not known how many slots an instance has")
    if why or work is None or per_instance is None:
        return Advice(unknown=why or "the times of its tasks are not known", doubts=doubts)
    slots = slots_for(work, wait_s, SHARE, step=per_instance, least=ceil(scene.peak.mean_busy))
    if slots is None:
        return Advice(unknown=f"no number of slots up to {MOST_SLOTS:,} keeps that wait", doubts=doubts)
    needed = _as_seen(slots // per_instance, scene, per_instance, wait_s)
    return Advice(
        needed, needed + 1, doubts=doubts, table=_table(work, per_instance, scene.now.instances, (needed, needed + 1))
    )


def slots_per_instance(load: Load | None) -> int | None:
    """Return the slots of one instance; the mean, rounded down, where they differ."""
    if load is None or not load.instances or load.unsure:
        return None
    return max(1, int(load.mean_slots / load.instances + 1e-9)) if load.slots else None


def _as_seen(needed: int, scene: Scene, per_instance: int, wait_s: float) -> int:
    """Let what was seen at the peak outweigh the formula: these instances were enough, or they were not."""
    had, seen = scene.peak.mean_slots / per_instance, scene.measured.wait_p95_s
    if seen is None or not scene.measured.complete:
        return needed
    if seen > wait_s:
        return max(needed, int(had) + 1)
    least = ceil(scene.peak.mean_busy / per_instance)
    return max(least, min(needed, ceil(had)))


def _table(work: Work, per_instance: int, now: int, more: tuple[int, ...]) -> tuple[Expected, ...]:
    numbers = sorted({number for number in (now - 1, now, now + 1, now + 2, *more) if number > 0})
    return tuple(_expected(work, number, number * per_instance) for number in numbers)


def _expected(work: Work, instances: int, slots: int) -> Expected:
    mean, most = mean_wait(work, slots), wait_within(work, slots, SHARE)
    return Expected(
        instances, slots, work.offered / slots, mean if isfinite(mean) else None, most if isfinite(most) else None
    )


def _untold(scene: Scene) -> str | None:
    """Return why the measurements do not carry a number, the gravest reason first."""
    one, hours = scene.measured, (scene.measured.until - scene.measured.since) / 3600
    if scene.peak.shared or scene.now.shared:
        return "its queues are also worked on by workers elsewhere, so what it alone would have to do cannot be told"
    if min(one.began, one.ended) < LEAST:
        return f"only {min(one.began, one.ended)} tasks ran to their end in the {hours:.3g} h around its peak"
    if one.told < _TOLD:
        return f"{1 - one.told:.0%} of its tasks do not say when they were sent, so waits are not known: {SENT_SETTING}"
    if one.explained < _EXPLAINED * scene.busy:
        return (
            f"its heartbeats show {scene.busy:.1f} busy slots around its peak, and the tasks that were heard explain "
            f"{one.explained:.1f}: task events are missing"
        )
    return None


def _doubts(scene: Scene) -> tuple[str, ...]:
    """Return what makes the figures less sure than they look."""
    peak, full, found = scene.peak, scene.full, []
    if peak.unsure:
        found.append(f"the slots of {peak.unsure} workers were not known at the peak")
    if full and full.instances and full.slots % (full.looks * full.instances):
        found.append("its instances do not all have the same number of slots: the mean is taken")
    if peak.mean_busy >= 0.99 * peak.mean_slots and peak.waiting:
        found.append(
            f"all slots were busy and {peak.waiting} messages waited: the work may have been more than was seen"
        )
    if not scene.measured.complete:
        found.append("around the peak there are more tasks than are read: the first of them were taken")
    return tuple(found)


def _span(task: Task) -> tuple[float, float] | None:
    """Return from when to when a task last held a slot; None while that is not known."""
    end = task.finished_at if task.state in FINAL else task.retried_at if task.state == RETRY else None
    if task.started_at is None or end is None or end < task.started_at:
        return None
    return task.started_at, end


def _explained(tasks: Sequence[Task], since: float, until: float) -> float:
    """Return how many slots the tasks kept busy on average; one that has begun and not ended still runs."""
    busy = 0.0
    for task in tasks:
        if task.started_at is None:
            continue
        span = _span(task)
        end = span[1] if span else until if task.state not in FINAL and task.state != RETRY else task.started_at
        busy += max(0.0, min(until, end) - max(since, task.started_at))
    return busy / (until - since)


def _scv(values: Sequence[float]) -> float | None:
    """Return the squared coefficient of variation; None of fewer than two values."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    if mean <= 0:
        return None
    return sum((one - mean) ** 2 for one in values) / (len(values) - 1) / mean**2


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
