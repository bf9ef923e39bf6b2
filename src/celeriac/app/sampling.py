"""Samples of the queues: the broker is asked every few seconds, in a thread of its own, so that a slow one delays no event.

The thread only asks; the observer's own thread hands over each flush's rows and takes the samples with it, so that depth
and what workers did meanwhile come together in one place.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from celeriac.app.lookout import Lookout
from celeriac.core.errors import PortError
from celeriac.core.flow import Count, Flow, shares
from celeriac.core.model import Incarnation, Pool
from celeriac.core.queues import Age, Head, QueueSample, QueueState, Rates, age, rates, sample
from celeriac.core.readings import Unknown
from celeriac.core.tasks import Task
from celeriac.ports import Broker, Tasks
from celeriac.processes import backoff

SAMPLE_EVERY_S = 5.0
LONGEST_PAUSE_S = 60.0
MOST_QUEUES = 500
"""What the broker lists beyond that is left out; the queues that workers consume come first."""

STORED_WITHIN_S = 10.0
"""How long it may take until the `task-sent` of a message at the head is in the store."""

FRESH_LOOKS = 3

MUTE_BEATS = 3
"""So many heartbeats after its last word a worker without task events no longer counts."""


class Look(Struct, frozen=True):
    """What the broker said at a time; ages are by queue, `consuming` is the queues of each node."""

    at: float
    states: list[QueueState]
    ages: dict[str, Age]
    consuming: dict[str, frozenset[str]]


class Sampler:
    """Samples one cluster's queues: `run` asks in a thread, `take` is called with each flush.

    `tasks` are the stored ones, where messages tell no time; `pools` returns what the keeper knows of the workers, by
    `Incarnation.key`. Of several looks between two flushes the last one counts.
    """

    def __init__(
        self,
        cluster: str,
        broker: Broker,
        clock: Callable[[], float],
        *,
        tasks: Tasks | None = None,
        pools: Callable[[], Mapping[str, Pool]] = dict,
        every_s: float = SAMPLE_EVERY_S,
    ) -> None:
        self._broker, self._clock, self._every_s = broker, clock, every_s
        self._tasks, self._pools = tasks, pools
        # Of the thread that asks
        self._heads: dict[str, Head] = {}
        self._consuming: dict[str, frozenset[str]] = {}
        self._lookout = Lookout(cluster, "the queues cannot be sampled")
        # Handed from one to the other
        self._looks: deque[Look] = deque(maxlen=1)
        self._named: frozenset[str] = frozenset()
        # Of the observer's thread
        self._flow = Flow()
        self._mute: dict[str, float] = {}
        self._before: tuple[float, dict[str, tuple[QueueState, int]]] | None = None
        self._depths: tuple[float, dict[str, int]] = (0.0, {})

    def depths(self) -> dict[str, int]:
        """Return how many messages wait in each queue, as of a look that is not older than a few; for any thread."""
        at, depths = self._depths
        return depths if self._clock() - at <= FRESH_LOOKS * self._every_s else {}

    def run(self, stopping: threading.Event) -> None:
        """Look again and again until told to stop; less often while the broker does not answer."""
        failures = 0
        while not stopping.is_set():
            failures = 0 if self._lookout.took(self.look) else failures + 1
            pause = backoff(failures, first=2 * self._every_s, cap=LONGEST_PAUSE_S) if failures else self._every_s
            stopping.wait(pause)

    def take(
        self, tasks: Iterable[Task], lives: Iterable[Incarnation], flowing_since: float | None
    ) -> list[QueueSample]:
        """Count the rows of one flush, and return the samples of the last look, if there was one since.

        Rows and lives are those of `ClusterState.changes`, before the next event is folded; `flowing_since` is the
        stream's: what was done while events may be missing is not told.
        """
        self._flow.take(tasks)
        for one in lives:
            self._mute[one.node] = one.last_seen_at + MUTE_BEATS * one.freq if one.mute else 0.0
        if not self._looks:
            return []
        look = self._looks.popleft()
        self._mute = {node: until for node, until in self._mute.items() if until > look.at}
        done = shares({state.name for state in look.states}, self._flow.drain(look.at), look.consuming, self._mute)
        self._named = self._flow.names
        flows = {state.name: self._rates(state, look.at, done[state.name], flowing_since) for state in look.states}
        self._before = (look.at, {state.name: (state, _short(flows[state.name])) for state in look.states})
        return [sample(state, look.at, flows[state.name], look.ages[state.name]) for state in look.states]

    def look(self) -> None:
        """Ask the broker once, and keep what it says for the next flush."""
        self._learn()
        named = set(islice(dict.fromkeys([*self._worked_on(), *self._named]), MOST_QUEUES))
        found = sorted(self._broker.queues(named), key=lambda state: (state.name not in named, state.name))
        at, states = self._clock(), found[:MOST_QUEUES]
        self._heads = {state.name: head for state in states if (head := self._head(state, at))}
        ages = {state.name: age(state, at, self._heads.get(state.name)) for state in states}
        self._depths = (at, {state.name: state.depth for state in states if "ready" not in state.unknown})
        self._looks.append(Look(at, states, ages, self._consuming))

    def _learn(self) -> None:
        """Take up which queues the workers consume; while the store is away the last answer serves."""
        try:
            pools = self._pools()
        except PortError:
            return
        found: dict[str, frozenset[str]] = {}
        for key, pool in pools.items():
            node = key.rpartition("#")[0]
            if pool.queues:
                found[node] = found.get(node, frozenset()) | frozenset(pool.queues)
        self._consuming = found

    def _worked_on(self) -> list[str]:
        return sorted(frozenset[str]().union(*self._consuming.values()))

    def _head(self, state: QueueState, at: float) -> Head | None:
        if state.oldest_task is None or state.oldest_sent_at is not None:
            return None
        head = self._heads.get(state.name)
        if head is None or head.task != state.oldest_task:
            head = Head(state.oldest_task, at)
        if head.sent_at is None and at - head.since <= STORED_WITHIN_S:
            head = replace(head, sent_at=self._sent_at(head.task))
        return head

    def _sent_at(self, uuid: str) -> float | None:
        try:
            task = self._tasks.task(uuid) if self._tasks else None
        except PortError:
            return None
        return task.sent_at if task else None

    def _rates(
        self, state: QueueState, at: float, count: Count | Unknown, flowing_since: float | None
    ) -> Rates | Unknown:
        before_at, before = self._before or (at, {})
        if state.name not in before or before_at >= at:
            return Unknown("two looks are needed")
        if flowing_since is None or flowing_since > before_at:
            return Unknown("our own hearing had a gap, so events may be missing")
        if isinstance(count, Unknown):
            return count
        earlier, short = before[state.name]
        if why := state.unknown.get("ready") or earlier.unknown.get("ready"):
            return Unknown(why)
        return rates(earlier, state, at - before_at, count, short)


def _short(flow: Rates | Unknown) -> int:
    return flow.short if isinstance(flow, Rates) else 0
