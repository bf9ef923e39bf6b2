"""Folding events into the live state of one cluster: worker incarnations and tasks, with what changed since last asked."""

from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice

import msgspec

from celeriac.core import hearing, tasks
from celeriac.core.events import Event
from celeriac.core.model import Incarnation
from celeriac.core.tasks import FINAL, PENDING, STARTED, STATES, Task, apply

ECHO = "celeriac-echo"

Key = tuple[str, int]
Heard = dict[Key, Incarnation]


class ClusterState:
    """Incarnations and tasks of one cluster; bounded by `max_tasks` and `max_workers`.

    `tasks` are the unfinished ones whose row was taken by `changes()`. Finished tasks leave memory then: the store is the
    history, and it merges a late event by the same rule (`tasks.merge`).
    """

    def __init__(self, *, max_tasks: int = 200_000, max_workers: int = 10_000) -> None:
        self.max_tasks, self.max_workers = max_tasks, max_workers
        self.incarnations: Heard = {}
        self.tasks: dict[str, Task] = {}
        self.unknown_types = 0
        self.task_events = 0
        self.sent_events = 0
        self.missed = 0
        self.dropped = 0
        self.closed = False
        """Whether further tasks find no room, however few there are."""
        self._changed_tasks: dict[str, Task] = {}
        self._passed_over: dict[str, Task] = {}
        self._changed_workers: Heard = {}

    @property
    def changed(self) -> int:
        """Return how many task rows wait to be taken."""
        return len(self._changed_tasks) + len(self._passed_over)

    def restore(self, incarnations: Iterable[Incarnation], now: float) -> None:
        """Take up what an earlier observer had stored."""
        for one in incarnations:
            one.last_seen_at = min(one.last_seen_at, now)  # an earlier observer's clock may have been ahead
            self.incarnations[one.node, one.pid] = one

    def fold(self, events: Iterable[Event], received_at: float) -> list[Event]:
        """Fold events as they came, and return our own echoes among them; `received_at` is our own clock."""
        heard: Heard = {}
        echoes: list[Event] = []
        changed, passed_over, task_events, sent_events = self._changed_tasks, self._passed_over, 0, 0
        one: Incarnation | None = None
        for event in events:
            state = STATES.get(event.type)
            if state is None:
                self._fold_other(event, heard, echoes, received_at)
                one = None  # it may have begun another life
                continue
            uuid = event.uuid or ""
            task = changed.get(uuid) or passed_over.get(uuid)
            if task is not None:
                apply(task, event, state)
            else:
                self._change(uuid, event, state)
            task_events += 1
            if state is PENDING:  # a producer is no worker
                sent_events += 1
                continue
            if one is None or event.pid != one.pid or event.hostname != one.node:  # a message is of one worker
                one = self._worker(event, heard, received_at)
            if state is STARTED:
                one.started += 1
                one.last_start_at = received_at
        for key, one in heard.items():
            self._worked(key, one, received_at)
        self.task_events += task_events
        self.sent_events += sent_events
        return echoes

    def due(self) -> tuple[list[Task], list[Incarnation]]:
        """Return what `changes` does, but for tasks under way that changed since the last call: these come with the next.

        Most tasks end within a moment, and a row that is stored once costs a fraction of one that is stored and changed.
        """
        under_way = {uuid: task for uuid, task in self._changed_tasks.items() if task.state not in FINAL}
        done = [task for task in self._changed_tasks.values() if task.state in FINAL]
        return self._take(done, under_way)

    def changes(self) -> tuple[list[Task], list[Incarnation]]:
        """Return the rows that changed since the last call, and let finished tasks go.

        The tasks are the live ones: store or copy them before the next event is folded.
        """
        return self._take(self._changed_tasks.values(), {})

    def _take(self, changed: Iterable[Task], under_way: dict[str, Task]) -> tuple[list[Task], list[Incarnation]]:
        taken = [*self._passed_over.values(), *changed]
        workers = [msgspec.structs.replace(one) for one in self._changed_workers.values()]
        for task in taken:
            if task.state not in FINAL:
                self.tasks[task.uuid] = task
        if len(self.tasks) > self.max_tasks:
            self._make_room()
        self._changed_tasks, self._passed_over = {}, under_way
        self._changed_workers = {}
        return taken, workers

    def _change(self, uuid: str, event: Event, state: str) -> None:
        """Change the row of a task that has not changed since the last call of `changes`, if there is room."""
        if self.closed or self.changed >= self.max_tasks:
            self.dropped += 1  # nobody has taken the changes for long: the store is away
            return
        task = self.tasks.pop(uuid, None)
        if task is None:
            task = tasks.begun(uuid, event, state)
        else:
            apply(task, event, state)
        self._changed_tasks[uuid] = task

    def _fold_other(self, event: Event, heard: Heard, echoes: list[Event], received_at: float) -> None:
        if event.type == ECHO:
            echoes.append(event)
            return
        if not event.type.startswith("worker-"):
            self.unknown_types += 1  # also a task's own `send_event`, which carries the pid of a pool's child
            return
        key = (event.hostname, event.pid)
        if key in heard:
            self._worked(key, heard.pop(key), received_at)
        self._hear(key, event, received_at)

    def _make_room(self) -> None:
        """Forget the oldest unfinished tasks: they live on in the store."""
        over = len(self.tasks) - self.max_tasks
        for uuid in list(islice(self.tasks, over + self.max_tasks // 100)):
            del self.tasks[uuid]

    def _worker(self, event: Event, heard: Heard, received_at: float) -> Incarnation:
        key = (event.hostname, event.pid)
        one = heard.get(key)
        if one is None:
            one = heard[key] = self._speaker(key, received_at)
        return one

    def _speaker(self, key: Key, received_at: float) -> Incarnation:
        return self.incarnations.get(key) or self._born(key, received_at)

    def _born(self, key: Key, received_at: float) -> Incarnation:
        if key not in self.incarnations and len(self.incarnations) >= self.max_workers:
            self._forget_silent()
        one = self.incarnations[key] = Incarnation(*key, received_at, received_at)
        return one

    def _hear(self, key: Key, event: Event, received_at: float) -> None:
        one = self._speaker(key, received_at)
        if _born_again(one, event):
            one = self._born(key, received_at)
        _spoke(one, received_at)
        self.missed += _live(one, event, received_at)
        self._changed_workers[key] = one

    def _worked(self, key: Key, one: Incarnation, received_at: float) -> None:
        _spoke(one, received_at)
        one.last_task_at = max(one.last_task_at or received_at, received_at)
        self._changed_workers[key] = one

    def _forget_silent(self) -> None:
        lives = self.incarnations
        for key in nsmallest(self.max_workers // 100 + 1, lives, key=lambda key: lives[key].last_seen_at):
            del lives[key]
            self._changed_workers.pop(key, None)


def _born_again(one: Incarnation, event: Event) -> bool:
    """Tell whether the same node name and pid are another life: its counter fell, or it came online with nothing done.

    A `worker-online` with a counter that went on is a reconnect: Celery sends it again after each broker outage.
    """
    if event.processed is None:
        return False
    clock, at = one.sent
    if (
        event.clock < clock
    ):  # a process's own clock never falls: made later, it is another's; made earlier, it comes late
        return event.timestamp > at
    fell = one.processed is not None and event.processed < one.processed
    anew = event.type == "worker-online" and event.processed == 0 and one.beats > 0
    return (fell or anew) and _made(event) > one.sent


def _spoke(one: Incarnation, received_at: float) -> None:
    one.last_seen_at = max(one.last_seen_at, received_at)
    one.first_seen_at = min(one.first_seen_at, received_at)


def _live(one: Incarnation, event: Event, received_at: float) -> int:
    """Take up one `worker-*` event; return how many tasks it shows to be lost to us."""
    if event.type == "worker-offline":
        one.goodbye = max(one.goodbye or (0, 0.0), _made(event))
        one.offline_at = max(one.offline_at or received_at, received_at)
        return 0
    newest = _made(event) >= one.sent
    one.sent = max(one.sent, _made(event))
    if event.type == "worker-online":
        one.hello = max(one.hello or (0, 0.0), _made(event))
    one.software = one.software or _software(event)
    if event.active is None:
        return 0  # asked by a monitor's broadcast, a worker sends one beat that says nothing of its work: no habit
    if newest:
        one.freq, one.active = event.freq or one.freq, event.active
        if one.processed is not None and (event.processed or 0) > one.processed:
            one.last_start_at = max(one.last_start_at or received_at, received_at)
        one.processed = event.processed if event.processed is not None else one.processed
    if event.type != "worker-heartbeat":
        return 0
    since_last_s = received_at - (one.last_heartbeat_at or received_at)
    one.beats += 1
    one.last_heartbeat_at = max(one.last_heartbeat_at or received_at, received_at)
    return hearing.count(one, event.processed or 0, since_last_s) if newest else 0


def _made(event: Event) -> tuple[int, float]:
    """Return when an event was made: by the logical clock of its process, which never steps back, then by the wall's."""
    return (event.clock, event.timestamp)


def _software(event: Event) -> str | None:
    return f"{event.sw_ident} {event.sw_ver}" if event.sw_ident and event.sw_ver else None
