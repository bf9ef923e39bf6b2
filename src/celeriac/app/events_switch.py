"""Task events of workers that send none: the keeper asks each such worker once in its life to send them, and audits it.

No verdict depends on it. The asking has a thread of its own, so that a cycle only hands over what it saw.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from celeriac.core.coverage import to_enable
from celeriac.core.errors import PortError
from celeriac.core.model import Incarnation
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen
from celeriac.ports import Audit, AuditEntry, AuditFilter, Control
from celeriac.processes import backoff

ACTOR = "celeriac"
ACTION = "enable_events"
NO_ANSWER = "no answer"
AT_ONCE = 50
TRIES = 3
"""So many times a worker is asked whom the question itself may not have reached."""

HOUR_S = 3600.0
AN_HOUR = 3
"""So many times an hour at most a node name and pid is asked, whatever its lives: two processes may share them."""

RETRY_S = 60.0
LONGEST_RETRY_S = 600.0

log = structlog.get_logger()

Life = tuple[str, float]
"""An incarnation's key and first time: another life may have the same node name and pid."""


class EventsSwitch:
    """Turns on the task events of one cluster's workers; only a keeper that holds the lease may call `consider`."""

    def __init__(self, cluster: str, control: Control, audit: Audit, clock: Callable[[], float]) -> None:
        self._cluster, self._control, self._audit, self._clock = cluster, control, audit, clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"events-{cluster}")
        self._asking: Future[None] | None = None
        self._settled: set[Life] = set()
        self._asked: defaultdict[str, list[float]] = defaultdict(list)
        self._missed: Counter[Life] = Counter()
        self._failures = 0
        self._due_at = 0.0

    def consider(self, seen: Seen) -> None:
        """Ask those that seem to send no task events, in a thread; returns at once."""
        if not isinstance(seen.stream, Known) or self._clock() < self._due_at or not self._idle():
            return
        self._forget(seen.incarnations)
        silent = to_enable(seen.incarnations, seen.stream.value.observed_at)
        due = [one for one in silent if _life(one) not in self._settled and len(self._asked[one.key]) < AN_HOUR]
        if due:
            self._asking = self._pool.submit(self._ask_or_say_why, due[:AT_ONCE])

    def close(self) -> None:
        """Let the thread go; a question under way ends with its time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _idle(self) -> bool:
        return self._asking is None or self._asking.done()

    def _forget(self, there: Iterable[Incarnation]) -> None:
        lives = set(map(_life, there))
        self._settled &= lives
        for gone in self._missed.keys() - lives:
            del self._missed[gone]
        lately = {key: [at for at in times if self._clock() - at < HOUR_S] for key, times in self._asked.items()}
        self._asked = defaultdict(list, {key: times for key, times in lately.items() if times})

    def _ask_or_say_why(self, due: list[Incarnation]) -> None:
        try:
            self._ask([one for one in due if not self._asked_before(one)])
        except PortError as error:
            self._pause()
            log.warning("task events are not turned on", cluster=self._cluster, why=str(error))
        except Exception:
            self._pause()
            log.exception("task events are not turned on: a defect", cluster=self._cluster)
        else:
            self._failures = 0

    def _pause(self) -> None:
        self._failures += 1
        self._due_at = self._clock() + backoff(self._failures, first=RETRY_S, cap=LONGEST_RETRY_S)

    def _asked_before(self, one: Incarnation) -> bool:
        """Tell whether a keeper before us has asked this life of the worker."""
        mine = AuditFilter(1, self._cluster, action=ACTION, target=one.key, since=one.first_seen_at)
        found = self._audit.entries(mine)
        if found:
            self._settled.add(_life(one))
        return bool(found)

    def _ask(self, due: list[Incarnation]) -> None:
        try:
            answers = self._control.enable_events({one.node for one in due})
        except PortError as error:
            self._missed.update(map(_life, due))
            last = [one for one in due if self._missed[_life(one)] >= TRIES]
            self._settle(last, {one.node: f"could not be asked: {error}" for one in last})
            raise
        self._settle(due, answers)

    def _settle(self, asked: list[Incarnation], answers: dict[str, str]) -> None:
        self._settled.update(map(_life, asked))  # first: what cannot be stored must not be said again
        for one in asked:
            self._asked[one.key].append(self._clock())
            outcome = answers.get(one.node, NO_ANSWER)
            log.info("asked for task events", cluster=self._cluster, worker=one.key, outcome=outcome)
            self._audit.note(AuditEntry(self._clock(), ACTOR, ACTION, one.key, outcome, self._cluster))


def _life(one: Incarnation) -> Life:
    return (one.key, one.first_seen_at)
