"""What becomes of each task that was in flight, by one look after the other: the rules, the surest first."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.casualties import (
    GRACE_S,
    NAMED_AT_MOST,
    READ_S,
    SETTLED,
    SETTLED_S,
    Casualties,
    Casualty,
    Fate,
    Whereabouts,
)
from celeriac.core.model import Incarnation
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import FINAL, PENDING, RETRY, STARTED, Task

SURE_LOOKS = 2
"""A message on its way from `unacked` into its queue is in neither for a moment, so one look is no proof."""

WATCHED_S = 600.0
"""After so long what is not known is called unsure."""

RETURNS_S = 7_920.0
"""For so long it is watched what comes back: the visibility timeout is 1 h by default, and its sweep takes its time."""


TAKEN_ALONG = (
    "sent when the worker had just frozen; neither the queues, unacked nor any worker have it: "
    "Redis gave it to the frozen worker's open read"
)

TAKEN_UNHEARD = "it was there to be taken, and is gone: it ran unheard, or was thrown away"


class Sight(Struct, frozen=True):
    """What one look shows: the tasks' rows by id, where messages are, how the observer hears, and who lives.

    `drained` tells that the cluster's queues were seen empty since the end; it is asked of a broker that shows no messages.
    `ended` holds the tasks whose result is stored, and `unasked` says why the result backend could not be asked.
    """

    at: float
    rows: Mapping[str, Task]
    where: Whereabouts
    stream: Stream | None
    lives: Mapping[tuple[str, int], Incarnation]
    drained: bool = False
    ended: frozenset[str] = frozenset()
    unasked: str | None = None


def looked(record: Casualties, sight: Sight, sent: Iterable[Task] = ()) -> Casualties:
    """Judge each task by one more look; closes when nothing more is to be learned.

    `sent` are tasks of which only their sending was heard: to the queues that the worker was reading, when it froze.
    """
    judge = _Judge(record, sight)
    record = _with_swallowed(record, judge.missing(sent))
    tasks = tuple(judge.fate(one) for one in record.tasks)
    age = sight.at - record.ended_at
    over = age >= (RETURNS_S if any(one.fate in {Fate.UNACKED, Fate.QUEUED} for one in tasks) else WATCHED_S)
    settled = age >= GRACE_S and all(one.fate in SETTLED or one.fate is Fate.LOST for one in tasks)
    return replace(record, tasks=tasks, doubts=judge.doubts(), looked_at=sight.at, closed=settled or over)


def _with_swallowed(record: Casualties, missing: Task | None) -> Casualties:
    """Name the one message that a frozen worker's open read took along, once two looks find it nowhere."""
    if missing is None or missing.uuid != record.missing:
        return replace(record, missing=None if missing is None else missing.uuid)
    one = Casualty(
        missing.uuid,
        missing.state,
        missing.sent_at or missing.first_at,
        missing.name,
        missing.queue,
        Fate.LOST,
        TAKEN_ALONG,
        absent=SURE_LOOKS,
    )
    known = any(each.uuid == one.uuid for each in record.tasks)
    return record if known or len(record.tasks) >= NAMED_AT_MOST else replace(record, tasks=(*record.tasks, one))


class _Judge:
    """The rules for one task, the surest first."""

    def __init__(self, record: Casualties, sight: Sight) -> None:
        self._record, self._sight = record, sight
        self._own = sight.lives.get(record.life)
        lives = sight.lives.values()
        self._speaks_again = self._own is not None and self._own.last_seen_at > record.ended_at + SETTLED_S
        self._mute = sorted(
            {one.node for one in lives if _unheard(one, record) and one.last_seen_at >= record.heard_at}
        )

    def fate(self, one: Casualty) -> Casualty:
        task, where = self._sight.rows.get(one.uuid), self._sight.where
        if task is not None and (told := self._by_events(task)):
            return replace(one, fate=told[0], why=told[1], name=task.name or one.name, queue=task.queue, absent=0)
        if one.uuid in self._sight.ended:
            return replace(one, fate=Fate.FINISHED, why=self._stored(one), absent=0)
        if one.fate is Fate.FINISHED:
            return one  # once it had ended it is not asked for any more
        if one.uuid in where.unacked:
            begun = "acknowledged at its end" if one.state == STARTED else "not begun"
            why = f"{begun}: comes back after the visibility timeout (1 h unless set otherwise), and then runs"
            return replace(one, fate=Fate.UNACKED, why=why, absent=0)
        if one.uuid in where.queued:
            return replace(one, fate=Fate.QUEUED, why=f"waits in {where.queued[one.uuid]}", absent=0)
        return self._nowhere(one, task)

    def missing(self, sent: Iterable[Task]) -> Task | None:
        """Return the task that is nowhere, if it is the only one: an open read takes no more than one message."""
        record, where = self._record, self._sight.where
        if where.unknown is not None or self._not_yet():
            return None
        nowhere = [
            task
            for task in sent
            if (now := self._sight.rows.get(task.uuid)) is not None
            and now.state == PENDING
            and now.queue in record.read_open
            and record.heard_at - 1.0 <= (now.sent_at or 0.0) <= record.heard_at + READ_S
            and now.uuid not in where.unacked
            and now.uuid not in where.queued
        ]
        if len(nowhere) != 1:
            return None
        (one,) = nowhere
        return None if self._doubt(Casualty(one.uuid, one.state, one.first_at), one) else one

    def _by_events(self, task: Task) -> tuple[Fate, str] | None:
        """Return what later events of the task tell, if there are any."""
        if task.worker is None:
            return None
        speaker = (task.worker, task.pid)
        if speaker == self._record.life:
            if task.state in FINAL:
                return Fate.FINISHED, f"{task.state}: the event of its end came late"
            if task.state == RETRY:
                return Fate.FINISHED, "RETRY: it had ended, and is to run again"
            return None
        other = self._sight.lives.get((task.worker or "", task.pid or 0))
        if other is not None and other.last_seen_at < self._record.heard_at:
            return None  # an earlier holder, dead too, whose clock is ahead
        return Fate.REDELIVERED, f"{task.state} at {task.worker}"

    def _stored(self, one: Casualty) -> str:
        if one.uuid in self._sight.where.unacked:
            return "its result is stored; its message is not acknowledged, so it comes back and runs again"
        return "its result is stored, though its end was not heard"

    def _nowhere(self, one: Casualty, task: Task | None) -> Casualty:
        """Neither an event nor the broker shows it: gone, not to be seen, or not to be told."""
        if doubt := self._doubt(one, task):
            return replace(one, fate=Fate.UNSURE, why=doubt, absent=0)
        if one.fate in {Fate.UNACKED, Fate.QUEUED} or one.why == TAKEN_UNHEARD:
            return replace(one, fate=Fate.UNSURE, why=TAKEN_UNHEARD, absent=0)
        absent = one.absent + 1
        if wait := self._not_yet():
            over = self._sight.at - self._record.ended_at >= WATCHED_S
            return replace(one, fate=Fate.UNSURE if over else Fate.AWAITED, why=wait, absent=0)
        unknown = self._sight.where.unknown
        if unknown is None or (one.state == STARTED and self._sight.drained):
            if absent < SURE_LOOKS:
                return replace(one, fate=Fate.AWAITED, why="nobody has it now; it is looked for again", absent=absent)
            return replace(one, fate=Fate.LOST, why=_lost(one, seen=unknown is None), absent=absent)
        if self._sight.at - self._record.ended_at >= WATCHED_S:
            return replace(one, fate=Fate.UNSURE, why=f"not received again so far; {unknown}", absent=absent)
        return replace(one, fate=Fate.AWAITED, why=f"not received again yet; {unknown}", absent=absent)

    def _doubt(self, one: Casualty, task: Task | None) -> str | None:
        """Return why that nobody shows it means nothing."""
        stream = self._sight.stream
        if self._speaks_again:
            return "the worker has spoken again: it may run it still"
        if task is None:
            return "the history has forgotten it"
        if self._mute:
            return f"{self._mute[0]} has not sent events of all its tasks: it may have it"
        if stream is not None and stream.lost_at is not None and stream.lost_at >= one.at - 1.0:
            return "events were lost since: it may have ended, or run elsewhere, unheard"
        return None

    def _not_yet(self) -> str | None:
        """Return why what was not heard may still be on its way to us."""
        stream = self._sight.stream
        if stream is None:
            return "the observer's word is missing"
        if stream.echo_at is None or stream.echo_at < self._record.heard_at + SETTLED_S:
            return "our own echo has not come back since"
        return None

    def doubts(self) -> tuple[str, ...]:
        """Return why other tasks may have been in flight too."""
        stream, record, own = self._sight.stream, self._record, self._own
        found = []
        if stream is None:
            found.append("the observer's word is missing")
        elif stream.lost_at is not None and stream.lost_at >= record.born_at:
            found.append("events were lost within its life: not every task in flight may be known")
        if self._sight.unasked is not None:
            found.append(f"whether they have ended is not known: {self._sight.unasked}")
        if own is not None and own.mute:
            found.append("its task events are off: what it ran is not known")
        if own is not None and own.missed:
            found.append(f"{own.missed} tasks that it began were never heard of")
        return tuple(found)


def _unheard(one: Incarnation, record: Casualties) -> bool:
    """Tell whether it ran tasks that no event told of: its task events are off, or were when it was born since the death."""
    born_since = one.hello is not None and one.first_seen_at >= record.heard_at
    return one.mute or (born_since and (one.processed or 0) > one.started)


def _lost(one: Casualty, *, seen: bool) -> str:
    if one.state == PENDING:
        return TAKEN_ALONG
    where = "neither the queues nor unacked hold it" if seen else "the queues are empty, and nobody received it again"
    if one.state == STARTED:
        return f"started there and acknowledged at its start; {where}"
    return f"received there and acknowledged, so it had begun, and that event died with the worker; {where}"
