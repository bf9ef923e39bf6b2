"""Tasks that come as Celery beat's do, and whether one of them is missed.

Beat sends no worker events, so all that tells of it is what it sends: tasks of one name and the same arguments, which no other
task has called, evenly spaced. A note says when such a task no longer comes. It is never a verdict, and false notes
are worse than none: whatever else may explain the silence keeps it unsaid.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from msgspec import Struct

from celeriac.core.blindness import blindness
from celeriac.core.finding import Finding
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation, Verdict
from celeriac.core.readings import Known
from celeriac.core.rollup import MINUTE
from celeriac.core.snapshot import Seen, Stream
from celeriac.core.tasks import Task

SHORTEST_S, LONGEST_S = 4.5, 3700.0
"""Intervals that are looked for: from five seconds to an hour."""

GAPS_LEAST, GAPS_MOST = 8, 32
SPAN_LEAST_S = 120.0
"""A program that sends a task each few seconds in a loop is often done by then."""

EVEN_SHARE, EVEN_S = 0.1, 0.6
"""A gap is even if it is this near to the median of all. Of those between chance arrivals seven in a hundred are, so
eight such gaps come by chance once in a hundred million times."""

ODD_FROM, ODD_EVERY = 12, 6
"""One late run makes two odd gaps: from twelve gaps on, one in six may be odd."""

MINUTES = 16
"""How many of a name's newest minutes `may_be_even` is asked about."""

MISSED_TIMES, MISSED_S = 3.0, 60.0
_GONE = frozenset({Verdict.STOPPED, Verdict.CRASHED})
"""Workers that take no task: what they would have taken waits in the queue."""


class Rhythm(Struct, frozen=True):
    """A task that comes evenly: how often, when it came last, and where to; `pause_s` is its longest pause before.

    Times are by the clocks of those that sent and received it; `queues` are known where `task-sent` events name them.
    """

    name: str
    every_s: float
    last_at: float
    workers: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    pause_s: float = 0.0

    @property
    def patience_s(self) -> float:
        """How long it may be away before it is missed, in seconds."""
        return max(MISSED_TIMES * self.every_s, MISSED_S, self.pause_s)

    def late(self, now: float) -> bool:
        """Tell whether it has been away for longer than that."""
        return now - self.last_at > self.patience_s


def may_be_even(minutes: Mapping[int, int]) -> bool:
    """Tell whether the tasks of a name, by minute of receipt (seconds since the epoch), may be evenly spaced.

    This is a sieve: it lets pass whatever is, and spares reading the tasks of most names that are not.
    """
    marks = sorted(at for at, number in minutes.items() if number > 0)
    if sum(minutes[at] for at in marks) <= GAPS_LEAST:
        return False
    gaps = [after - before for before, after in pairwise(marks)]
    inner = [minutes[at] for at in marks[1:-1]]  # the first minute and the last are cut
    return _few_odd(gaps, max(MINUTE, 0.2 * _median(gaps))) and _few_odd(inner, max(1, 0.25 * _median(inner)))


def may_be_late(minutes: Mapping[int, int], now: float) -> bool:
    """Tell whether such a name may be late, if it is evenly spaced."""
    usual = (max(minutes) - min(minutes)) / max(1, sum(minutes.values()) - 1)
    return now - max(minutes) - MINUTE >= max(MISSED_S, (MISSED_TIMES - 0.5) * usual)


def rhythm(name: str, tasks: Sequence[Task]) -> Rhythm | None:
    """Return the rhythm of the tasks of one name, if they have one: of those without a parent and with the same arguments."""
    roots = [one for one in tasks if not one.parent_id and one.root_id in (None, one.uuid)]
    if not roots:
        return None
    ((what, _),) = Counter((one.args, one.kwargs) for one in roots).most_common(1)
    own = sorted((one for one in roots if (one.args, one.kwargs) == what), key=lambda one: one.first_at)
    own = own[-GAPS_MOST - 1 :]
    gaps = [after.first_at - before.first_at for before, after in pairwise(own)]
    every = _median(gaps)
    if not (SHORTEST_S <= every <= LONGEST_S and _even(gaps, every)):
        return None
    return Rhythm(
        name,
        every,
        last_at=max(max(one.first_at, one.sent_at or 0.0, one.received_at or 0.0) for one in tasks),
        workers=frozenset(one.worker for one in own if one.worker),
        queues=frozenset(one.queue for one in own if one.queue),
    )


def longest_pause(marks: Iterable[int], step_s: int) -> float:
    """Return how long it was away at most between two of these steps, by their beginnings; 0 if each follows on the last."""
    gap = max((after - before for before, after in pairwise(sorted(marks))), default=0)
    return float(gap + step_s) if gap > step_s else 0.0


def stopped(late: Iterable[Rhythm], others: Collection[Rhythm]) -> tuple[Rhythm, ...]:
    """Return those that are late while no other comes any more: where one does, beat runs and has another schedule now."""
    return tuple(
        one for one in late if not any(other.last_at > one.last_at + 1.5 * one.every_s + EVEN_S for other in others)
    )


def takers(one: Rhythm, seen: Seen, findings: Iterable[Finding]) -> tuple[Finding, ...] | None:
    """Return the workers that would take it, all well; None if that is not sure: a worker may hold it, or it may wait."""
    queues = one.queues or _queues_of(one.workers, seen)
    there = [finding for finding in findings if _life(finding) and finding.verdict not in _GONE]
    by_worker = [(finding, _queues(finding, seen)) for finding in there]
    if not queues or any(not theirs for _, theirs in by_worker):
        return None
    found = tuple(finding for finding, theirs in by_worker if theirs & queues)
    consumed = frozenset[str]().union(*(theirs for _, theirs in by_worker))
    empty = all(name in seen.waiting and not seen.waiting[name].depth for name in queues)
    return found if empty and queues <= consumed and all(map(_vouches, found)) else None


def note(one: Rhythm, seen: Seen, by: Iterable[Finding], doubted_at: float, limits: Limits) -> str | None:
    """Return that a task is missed, if it is for sure; `by` are its takers, and at `doubted_at` they were last in doubt.

    As everywhere, silence counts anew from the end of a gap in what we hear, and from when somebody could take the task.
    """
    if not isinstance(seen.stream, Known) or blindness(seen, limits) is not None:
        return None
    stream, lives = seen.stream.value, [life for life in map(_life, by) if life]
    skew = _skew([*lives, *(life for life in seen.incarnations if life.node in one.workers)])
    if not lives or stream.flowing_since is None or skew is None:
        return None
    born = min(life.first_seen_at for life in lives)
    since = max(one.last_at + skew, stream.flowing_since, stream.lost_at or 0.0, born, doubted_at)
    return _text(one, stream) if stream.observed_at - since > one.patience_s else None


def _text(one: Rhythm, stream: Stream) -> str:
    last, now = datetime.fromtimestamp(one.last_at, UTC), datetime.fromtimestamp(stream.observed_at, UTC)
    day = "" if last.date() == now.date() else f"{last:%Y-%m-%d} "
    return f"no {one.name} since {day}{last:%H:%M:%S} UTC: it used to come every {_span(one.every_s)} (beat may have stopped)"


def _span(seconds: float) -> str:
    minutes = round(seconds / MINUTE)
    if abs(seconds - minutes * MINUTE) > 0.02 * seconds:
        return f"{seconds:.0f} s"
    return {1: "minute", 60: "hour"}.get(minutes, f"{minutes} min")


def _even(gaps: Sequence[float], every: float) -> bool:
    odd = sum(abs(gap - every) > max(EVEN_SHARE * every, EVEN_S) for gap in gaps)
    allowed = len(gaps) // ODD_EVERY if len(gaps) >= ODD_FROM else 0
    return len(gaps) >= GAPS_LEAST and sum(gaps) >= SPAN_LEAST_S and odd <= allowed


def _few_odd(numbers: Sequence[int], off: float) -> bool:
    middle = _median(numbers)
    return sum(abs(one - middle) > off for one in numbers) <= max(2, len(numbers) // ODD_EVERY)


def _median(numbers: Sequence[float]) -> float:
    return sorted(numbers)[len(numbers) // 2] if numbers else 0.0


def _queues_of(nodes: Collection[str], seen: Seen) -> frozenset[str]:
    pools = [seen.pools[life.key] for life in seen.incarnations if life.node in nodes and life.key in seen.pools]
    return frozenset(queue for pool in pools for queue in pool.queues)


def _queues(finding: Finding, seen: Seen) -> frozenset[str]:
    life = _life(finding)
    pool = seen.pools.get(life.key) if life else None
    return frozenset(pool.queues) if pool else frozenset()


def _life(finding: Finding) -> Incarnation | None:
    return finding.site.incarnation if finding.site else None


def _vouches(finding: Finding) -> bool:
    """Tell whether a worker surely tells of what it takes; whether it takes any the empty queue tells."""
    life = _life(finding)
    sure = finding.verdict is Verdict.HEALTHY and not finding.suspect
    return sure and life is not None and not life.mute


def _skew(lives: Iterable[Incarnation]) -> float | None:
    """Return by how much the clocks of these workers are off at most, by their last heartbeats; None if that is not known."""
    if any(life.last_heartbeat_at is None for life in lives):
        return None
    return max((abs(life.behind_s) for life in lives), default=None)
