"""What workers did by queue, counted from the rows that the observer stores anyway: nothing is done for each event.

Only `task-sent` names a task's queue (`task_send_sent_event`). Where no task says its own, what a worker did counts for the
one queue that it consumes; where it consumes several, nobody can tell, and the setting that would is named.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from heapq import nlargest, nsmallest
from itertools import islice

from msgspec import Struct

from celeriac.core.readings import Unknown
from celeriac.core.tasks import FINAL, Task

Count = tuple[int, int]
"""Tasks that workers received, and that they finished; one that ended without a word of its receipt counts for both."""

SENT_SETTING = "task_send_sent_event = True where tasks are sent"
EVENTS_SETTING = "worker_send_task_events = True in the workers' settings, or start them with celery worker -E"

NOTHING: Count = (0, 0)
FORGET_S = 3600.0
"""A queue that no task was sent to for so long is no longer asked for."""

_RECEIVED, _FINISHED = 1, 2
_KINDS = 4

_Tally = defaultdict[str, list[int]]
"""How many rows brought each combination of the two."""


class Counted(Struct, frozen=True):
    """What was counted in a span: by queue, and by worker where the queue is not known."""

    queues: dict[str, Count] = {}
    workers: dict[str, Count] = {}


class Flow:
    """Counts, from the rows of each flush, what they tell that earlier ones did not; bounded in queues and tasks.

    A task's `task-sent` may come a moment after its worker's events: a row without a queue waits one more flush for it,
    once any task has named its own.
    A row holds the latest of its task, so two runs within one flush count once.
    """

    def __init__(self, *, most_queues: int = 500, most_workers: int = 10_000, most_tasks: int = 200_000) -> None:
        self._most_queues, self._most_workers, self._most_tasks = most_queues, most_workers, most_tasks
        self._sent_to: dict[str, float] = {}
        self._queues, self._workers = _tally(), _tally()
        self._counted_to: dict[str, float] = {}
        self._waiting: dict[str, tuple[str, int]] = {}

    @property
    def names(self) -> frozenset[str]:
        """Return the queues that tasks were sent to lately."""
        return frozenset(self._sent_to)

    def take(self, tasks: Iterable[Task]) -> None:
        """Count the rows of one flush."""
        queues, waited, waiting = self._queues, self._waiting, {}
        named = bool(self._sent_to or queues)
        for task in tasks:
            news = self._news(task)
            queue = task.queue
            if queue is None:
                if news and named:
                    waiting[task.uuid] = (task.worker or "", news)
                elif news:
                    self._workers[task.worker or ""][news] += 1
                continue
            queues[queue][news] += 1
            if waited and task.uuid in waited:
                queues[queue][waited.pop(task.uuid)[1]] += 1
        for worker, news in waited.values():
            self._workers[worker][news] += 1
        self._waiting = waiting
        self._bound()

    def drain(self, now: float) -> Counted:
        """Return what was counted since the last call."""
        counted = Counted(_counts(self._queues), _counts(self._workers))
        self._sent_to.update(dict.fromkeys(self._queues, now))
        recent = {name: at for name, at in self._sent_to.items() if now - at <= FORGET_S}
        self._sent_to = dict(nlargest(self._most_queues, recent.items(), key=lambda item: item[1]))
        self._queues, self._workers = _tally(), _tally()
        return counted

    def _news(self, task: Task) -> int:
        """Return which of the two this row tells anew."""
        end = task.finished_at if task.state in FINAL else None
        if end is None:
            before = self._counted_to.get(task.uuid, 0.0)
            self._counted_to[task.uuid] = task.state_at
        else:
            before = self._counted_to.pop(task.uuid, 0.0)
        received = task.received_at or end or 0.0
        return _RECEIVED * (received > before) + _FINISHED * ((end or 0.0) > before)

    def _bound(self) -> None:
        """Let the oldest unfinished tasks go, and of too many queues or workers those with the least to do."""
        for uuid in list(islice(self._counted_to, max(0, len(self._counted_to) - self._most_tasks))):
            del self._counted_to[uuid]
        for tally, most in ((self._queues, self._most_queues), (self._workers, self._most_workers)):
            for name in nsmallest(len(tally) - most, tally, key=lambda name: sum(tally[name][1:])):
                del tally[name]


def shares(
    names: Collection[str], counted: Counted, consuming: Mapping[str, Collection[str]], mute: Collection[str]
) -> dict[str, Count | Unknown]:
    """Return what was done from each queue; `consuming` is by node name, `mute` are nodes without task events."""
    found: dict[str, Count | Unknown] = {name: counted.queues.get(name, NOTHING) for name in names}
    for node, count in counted.workers.items():
        queues = consuming.get(node, ())
        if len(queues) == 1:
            for name in found.keys() & queues:
                found[name] = _sum(found[name], count)
        else:
            what = "works on several queues" if queues else "works on queues that are not known"
            why = f"{node} {what} and its tasks do not name theirs: set {SENT_SETTING}"
            found.update(dict.fromkeys(found.keys() & queues if queues else found, Unknown(why)))
    for node in mute:
        why = f"{node} sends no task events: set {EVENTS_SETTING}"
        found.update(dict.fromkeys(found.keys() & consuming.get(node, found), Unknown(why)))
    return found


def _tally() -> _Tally:
    return defaultdict(lambda: [0] * _KINDS)


def _counts(tally: _Tally) -> dict[str, Count]:
    return {name: (_having(_RECEIVED, numbers), _having(_FINISHED, numbers)) for name, numbers in tally.items()}


def _having(one: int, numbers: list[int]) -> int:
    return sum(number for kind, number in enumerate(numbers) if kind & one)


def _sum(share: Count | Unknown, more: Count) -> Count | Unknown:
    if isinstance(share, Unknown):
        return share
    return (share[0] + more[0], share[1] + more[1])
