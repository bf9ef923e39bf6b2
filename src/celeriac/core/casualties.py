"""The tasks that were in flight when a worker's life ended, and what becomes of each, as far as it can be known.

In flight is what that life received or started and of which it said nothing later. What becomes of it follows from later
events, from what the broker still holds, and from what Celery does with a message: it is acknowledged when its task starts,
or when it ends (`acks_late`), and what is not acknowledged comes back (docs/explanation/lost-tasks.md).
"""

from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.ids import opaque
from celeriac.core.model import Incarnation
from celeriac.core.tasks import RECEIVED, STARTED, Task

UNDER_WAY = frozenset({RECEIVED, STARTED})
NAMED_AT_MOST = 1000
SETTLED_S = 3.0
"""The observer stores within about a second; so long after a life's last word all of it is stored."""

LOOKS_APART_S = 5.0
GRACE_S = 60.0
"""For so long a life's late events may still come."""

OFTEN_S, RARELY_S = 60.0, 600.0
OFTEN_FOR_S = 600.0
READ_S = 5.0
"""A worker that freezes leaves its read open: Redis may hand it one message within Kombu's 1 s, a heartbeat after its last word."""


class Fate(StrEnum):
    """What becomes of a task that was in flight, the gravest first."""

    LOST = "lost"
    UNSURE = "unsure"
    AWAITED = "awaited"
    UNACKED = "in unacked"
    QUEUED = "in a queue"
    REDELIVERED = "redelivered"
    FINISHED = "finished after all"


SETTLED = frozenset({Fate.REDELIVERED, Fate.FINISHED})


class Whereabouts(Struct, frozen=True):
    """Where the broker holds messages, by task id; `unknown` says why what it does not show may be there all the same."""

    unacked: frozenset[str] = frozenset()
    queued: dict[str, str] = {}
    unknown: str | None = None


class Casualty(Struct, frozen=True):
    """One task in flight; `state` is what the ended life had said last of it, at `at` by that worker's clock."""

    uuid: str
    state: str
    at: float
    name: str | None = None
    queue: str | None = None
    fate: Fate = Fate.AWAITED
    why: str = "not looked for yet"
    absent: int = 0
    """At how many looks on end nobody had it."""


class Casualties(Struct, frozen=True):
    """One ended life of a worker and its tasks in flight; `more` counts those that are not named.

    `heard_at` is when it was last heard and `ended_at` when its end was known, both by the observer's clock; `doubts` say
    why the list may not be whole.
    """

    id: str
    cluster: str
    incident: str
    node: str
    pid: int
    born_at: float
    heard_at: float
    ended_at: float
    tasks: tuple[Casualty, ...] = ()
    more: int = 0
    doubts: tuple[str, ...] = ()
    looked_at: float | None = None
    closed: bool = False
    read_open: tuple[str, ...] = ()
    """The queues that it was reading when it froze; none where it did not."""
    missing: str | None = None
    """A task that was sent to these just then, and that the last look found nowhere."""

    @property
    def life(self) -> tuple[str, int]:
        return (self.node, self.pid)

    def due(self, now: float) -> bool:
        """Tell whether it is time to look again: often at first, rarely later, and no more once it is closed."""
        if self.closed:
            return False
        if self.looked_at is None:
            return now - self.heard_at >= SETTLED_S
        age = now - self.ended_at
        every = LOOKS_APART_S if age < GRACE_S else OFTEN_S if age < OFTEN_FOR_S else RARELY_S
        return now - self.looked_at >= every


def casualties(
    incident: str, cluster: str, life: Incarnation, now: float, read_open: tuple[str, ...] = ()
) -> Casualties:
    """Return what is to be found out of a life that has ended; `read_open` are the queues that it read when it froze."""
    return Casualties(
        id=opaque(incident, life.node, str(life.pid), f"{life.first_seen_at:.3f}"),
        cluster=cluster,
        incident=incident,
        node=life.node,
        pid=life.pid,
        born_at=life.first_seen_at,
        heard_at=life.last_seen_at,
        ended_at=now,
        read_open=read_open,
    )


def left(task: Task, life: tuple[str, int]) -> Casualty | None:
    """Return the task as that life left it, if it was in flight there."""
    queue = task.queue
    if (task.worker, task.pid) == life and task.state in UNDER_WAY:
        return Casualty(task.uuid, task.state, task.state_at, task.name, queue)
    former = task.former
    if former is not None and (former.worker, former.pid) == life and former.state in UNDER_WAY:
        return Casualty(task.uuid, former.state, former.at, task.name, queue)
    return None


def named(record: Casualties, found: Iterable[Task], number: int) -> Casualties:
    """Take up what history shows of the ended life, `number` tasks in all: more may come while its last events are stored."""
    known = {one.uuid for one in record.tasks}
    fresh = [one for task in found if task.uuid not in known and (one := left(task, record.life))]
    tasks = (*record.tasks, *fresh)[:NAMED_AT_MOST]
    return replace(record, tasks=tasks, more=max(record.more, number - len(tasks), 0))


def counts(records: Iterable[Casualties]) -> dict[str, int]:
    """Return how many tasks there are of each fate, the gravest first, and how many are not named."""
    records = list(records)
    number = Counter(one.fate for record in records for one in record.tasks)
    found = {fate.value: number[fate] for fate in Fate if number[fate]}
    if more := sum(record.more for record in records):
        found["not named"] = more
    return found


def summary(record: Casualties) -> str:
    """Return the record in one sentence, for the incident's story."""
    number = len(record.tasks) + record.more
    if not number:
        text = f"no task was in flight on {record.node}"
    else:
        parts = ", ".join(f"{count} {fate}" for fate, count in counts([record]).items())
        text = f"{number} {'task was' if number == 1 else 'tasks were'} in flight on {record.node}: {parts}"
    return "; ".join((text, *record.doubts))


def settled(record: Casualties) -> bool:
    """Tell whether the record is worth a line in the incident's story: nothing of it is awaited any more."""
    return record.looked_at is not None and not any(one.fate is Fate.AWAITED for one in record.tasks)


def ids(records: Collection[Casualties]) -> frozenset[str]:
    """Return the ids of the tasks that are still to be found."""
    return frozenset(one.uuid for record in records for one in record.tasks if one.fate not in SETTLED)
