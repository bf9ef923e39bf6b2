"""The tasks that died with a worker: found by a thread of its own, so that no cycle and no restart waits for it.

Each ended life of a worker is looked at again and again, often at first, until what became of its tasks is known.
"""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import structlog
from msgspec import Struct

from celeriac.core import casualties
from celeriac.core.casualties import NAMED_AT_MOST, Casualties, Whereabouts
from celeriac.core.deaths import ended
from celeriac.core.errors import PortError
from celeriac.core.fates import Sight, looked
from celeriac.core.incident import Incident
from celeriac.core.model import Incarnation, Verdict
from celeriac.core.readings import Known
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Seen
from celeriac.core.tasks import PENDING, Task
from celeriac.evidence_ports import Casebook, Messages, Results, TasksOfLives
from celeriac.ports import History
from celeriac.processes import backoff

RECORDS_AT_ONCE = 5
LATE_S = 300.0
"""So long after an incident is over no end of a life is looked for in it."""
KNOWN_AT_MOST = 10_000
UNSEEN = "a broker of this kind does not show its messages"
SENT_AT_MOST = 50
"""More than one that is nowhere is told of nobody, so a few are enough to look at."""
RETRY_S = 5.0
LONGEST_RETRY_S = 60.0

log = structlog.get_logger()


class Archives(Struct, frozen=True):
    """Where a cluster's tasks are looked for; `broker` is None where it tells nothing, `results` where none are named."""

    history: History
    tasks: TasksOfLives
    broker: Messages | None
    casebook: Casebook
    results: Results | None = None


class CasualtyWatch:
    """Watches what becomes of the tasks of ended lives; only a keeper that holds the lease may call `consider`."""

    def __init__(self, cluster: str, archives: Archives, clock: Callable[[], float]) -> None:
        self._cluster, self._from, self._clock = cluster, archives, clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"casualties-{cluster}")
        self._looking: Future[None] | None = None
        self._watched: dict[str, Casualties] | None = None
        self._known: set[str] = set()
        self._told: dict[str, str] = {}
        self._news: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._failures = 0
        self._due_at = 0.0

    def consider(self, seen: Seen, incidents: Iterable[Incident]) -> None:
        """Look at what is due, in a thread; returns at once."""
        if self._clock() < self._due_at or not (self._looking is None or self._looking.done()):
            return
        current = [one for one in incidents if not one.over or self._clock() - one.updated_at < LATE_S]
        over = [(incident, one) for incident in current for one in ended(incident, seen)]
        new = [
            casualties.casualties(incident.id, self._cluster, one, self._clock(), _read_open(incident, one, seen))
            for incident, one in over
        ]
        new = [one for one in new if one.id not in self._known]
        if len(self._known) > KNOWN_AT_MOST:
            self._known.clear()  # the casebook knows them too
        if new or self._watched is None or any(one.due(self._clock()) for one in self._watched.values()):
            self._looking = self._pool.submit(self._look_or_say_why, new, seen)

    def news(self) -> list[tuple[str, str]]:
        """Return, once, what is to be told in the stories of incidents: each id with a sentence."""
        return [self._news.get() for _ in range(self._news.qsize())]

    def close(self) -> None:
        """Let the thread go; a look under way ends with the time limits of what it asks."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look_or_say_why(self, new: list[Casualties], seen: Seen) -> None:
        try:
            self._look(new, seen)
        except PortError as error:
            self._pause()
            log.warning("tasks in flight are not looked for", cluster=self._cluster, why=str(error))
        except Exception:  # a defect here is logged, and must end neither this thread nor the healing beside it
            self._pause()
            log.exception("tasks in flight are not looked for: a defect", cluster=self._cluster)
        else:
            self._failures = 0

    def _pause(self) -> None:
        self._failures += 1
        self._due_at = self._clock() + backoff(self._failures, first=RETRY_S, cap=LONGEST_RETRY_S)

    def _look(self, new: list[Casualties], seen: Seen) -> None:
        watched = self._take_up(new)
        due = [one for one in watched.values() if one.due(self._clock())][:RECORDS_AT_ONCE]
        if not due:
            return
        named = [self._name(one) for one in due]
        sent = {one.id: self._sent(one) for one in named}
        sight = self._sight(named, seen, {task.uuid for tasks in sent.values() for task in tasks})
        after = [looked(one, sight, sent[one.id]) for one in named]
        self._from.casebook.put(after)
        for one in after:
            self._tell(one)
            watched[one.id] = one
            if one.closed:
                del watched[one.id]

    def _take_up(self, new: list[Casualties]) -> dict[str, Casualties]:
        """Return what is watched, with these lives that have just ended; what an earlier keeper has found stands."""
        if self._watched is None:
            self._watched = {one.id: one for one in self._from.casebook.watched(self._cluster)}
            self._known.update(self._watched)
            for one in self._watched.values():
                if casualties.settled(one):
                    self._told[one.id] = casualties.summary(one)
        for one in new:
            if one.id not in self._known:
                there = {found.id for found in self._from.casebook.casualties(one.incident)}
                if one.id not in there:
                    self._from.casebook.put([one])
                    self._watched[one.id] = one
                self._known.add(one.id)
        return self._watched

    def _name(self, record: Casualties) -> Casualties:
        """Take up what history has of it, as long as that may grow."""
        if self._clock() - record.ended_at > casualties.GRACE_S and record.looked_at is not None:
            return record
        found, number = self._from.tasks.left_by(record.node, record.pid, NAMED_AT_MOST)
        return casualties.named(record, found, number)

    def _sent(self, record: Casualties) -> list[Task]:
        """Return the tasks of which only the sending was heard, to the queues that the worker was reading when it froze."""
        if not record.read_open:
            return []
        which = TaskFilter(
            limit=SENT_AT_MOST,
            states=(PENDING,),
            queues=record.read_open,
            since=record.heard_at - 1.0,
            until=record.heard_at + casualties.READ_S,
        )
        return [row.task for row in self._from.tasks.find(which).rows]

    def _sight(self, records: list[Casualties], seen: Seen, sent: Collection[str]) -> Sight:
        wanted = casualties.ids(records) | frozenset(sent)
        queues = {name for pool in seen.pools.values() for name in pool.queues}
        # The stream's word is read first: what it has heard of is in the rows that are read after it.
        stream = self._from.history.stream()
        where = self._where(wanted, queues)
        ended, unasked = self._ended(casualties.ids(records))
        ids = {each.uuid for one in records for each in one.tasks}.union(sent)
        rows = {one.uuid: one for one in self._from.tasks.named(ids)}
        lives = {(one.node, one.pid): one for one in self._from.history.incarnations()}
        fresh = stream if isinstance(seen.stream, Known) else None
        drained = self._drained(records, queues)
        return Sight(self._clock(), rows, where, fresh, lives, drained=drained, ended=ended, unasked=unasked)

    def _where(self, wanted: Collection[str], queues: Collection[str]) -> Whereabouts:
        if self._from.broker is None:
            return Whereabouts(unknown=UNSEEN)
        if not wanted:
            return Whereabouts()
        try:
            return self._from.broker.holding(wanted, queues)
        except PortError as error:
            return Whereabouts(unknown=str(error))

    def _ended(self, wanted: Collection[str]) -> tuple[frozenset[str], str | None]:
        """Return which of them have a result, and why the result backend could not be asked where it could not."""
        if self._from.results is None or not wanted:
            return frozenset(), None
        try:
            return self._from.results.ended(wanted), None
        except PortError as error:
            return frozenset(), str(error)

    def _drained(self, records: list[Casualties], queues: Collection[str]) -> bool:
        """Tell whether every queue was seen empty after the last of these lives had ended and what it held was given back."""
        since = max((one.ended_at for one in records), default=0.0) + casualties.LOOKS_APART_S
        samples = {one.name: one for one in self._from.history.queues()}
        fresh = [samples[name] for name in queues if name in samples and samples[name].at > since]
        return bool(queues) and len(fresh) == len(queues) and not any(one.depth for one in fresh)

    def _tell(self, record: Casualties) -> None:
        """Note a sentence for the incident's story once it is known where the tasks are, and again at the end of it."""
        told, text = self._told.pop(record.id, None), casualties.summary(record)
        if told != text and (record.closed or (told is None and casualties.settled(record))):
            self._news.put((record.incident, text))
            told = text
        if told is not None and not record.closed:
            self._told[record.id] = told


def _read_open(incident: Incident, life: Incarnation, seen: Seen) -> tuple[str, ...]:
    """Return the queues that a life was reading when it froze; a process that dies takes its open read along."""
    pool = seen.pools.get(life.key)
    return pool.queues if pool and incident.verdict is Verdict.HUNG else ()
