"""A task's row, how one event changes it, and how two rows of one task become one.

Neither order nor repetition nor slicing of the events changes the result: each group of fields keeps, in the times of
the row itself, when its value is from, and yields only to a newer one. Of two values from one moment the same one wins
everywhere.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from msgspec import Struct

from celeriac.core.events import Event

PENDING = "PENDING"
RECEIVED = "RECEIVED"
STARTED = "STARTED"
RETRY = "RETRY"
SUCCESS = "SUCCESS"
REVOKED = "REVOKED"
STATES = {
    "task-sent": PENDING,
    "task-received": RECEIVED,
    "task-started": STARTED,
    "task-succeeded": SUCCESS,
    "task-failed": "FAILURE",
    "task-retried": RETRY,
    "task-rejected": "REJECTED",
    "task-revoked": REVOKED,
    "task-cancelled": "CANCELLED",
}
FINAL = frozenset({SUCCESS, "FAILURE", "REJECTED", REVOKED, "CANCELLED"})
# Ends win over beginnings when one clock tick covers both, and success over all; one digit each, for `_wins`.
RANK = {state: rank for rank, state in enumerate(STATES.values())} | {SUCCESS: 9}
NEVER = float("inf")


class Former(Struct, frozen=True, gc=False, array_like=True):
    """A task's state by the newest event of one life of a worker, and when that was made."""

    at: float
    state: str
    worker: str
    pid: int


class Task(Struct, gc=False, array_like=True):
    """What is known of one task; times are by the sender's clock (seconds since the epoch), the latest of each kind.

    They are whole microseconds, as the store keeps them, so that a row means the same in memory and in the store.
    `first_at` is the earliest time of all. State, worker, result and run time are as of the newest event of a worker,
    and stand for the latest run of a task that runs twice; exception and traceback are those of the latest failure,
    also when a later run succeeds. `pid` tells which life of the worker it was.
    """

    uuid: str
    state: str = PENDING
    name: str | None = None
    worker: str | None = None
    queue: str | None = None
    first_at: float = NEVER
    sent_at: float | None = None
    received_at: float | None = None
    started_at: float | None = None
    retried_at: float | None = None
    finished_at: float | None = None
    failed_at: float | None = None
    runtime: float | None = None
    retries: int | None = None
    args: str | None = None
    kwargs: str | None = None
    result: str | None = None
    exception: str | None = None
    traceback: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    eta: str | None = None
    expires: str | None = None
    state_at: float = 0.0
    """When the newest event of a worker was made; 0 while only its producer has spoken."""

    pid: int | None = None
    former: "Former | None" = None
    """What the life of a worker said last of it that spoke before the one of `worker` and `pid`, if there was one."""

    @property
    def finished(self) -> bool:
        return self.state in FINAL


def begun(uuid: str, event: Event, state: str) -> Task:
    """Return the row of a task of which nothing else was heard yet.

    Most are heard of when they are received: what `apply` then makes of an empty row is made here at once.
    """
    if state is not RECEIVED:
        task = Task(uuid)
        apply(task, event, state)
        return task
    at = int(event.timestamp * 1e6 + 0.5) / 1e6
    parent_id = event.parent_id if event.parent_id and event.parent_id != uuid else None
    return Task(  # in the order of the fields: by name it would take three times as long
        uuid, state, event.name, event.hostname, None, at, None, at, None, None, None, None,
        event.runtime, event.retries, event.args, event.kwargs, event.result, None, None,
        event.root_id, parent_id, event.eta, event.expires, at, event.pid,
    )  # fmt: skip


def apply(task: Task, event: Event, state: str) -> None:
    """Fold one task event into its row; `state` is what `STATES` says of the event's type."""
    at = int(event.timestamp * 1e6 + 0.5) / 1e6
    if at < task.first_at:  # noqa: PLR1730 (min() costs three times as much, for each event)
        task.first_at = at
    if state is PENDING:  # a producer's clock is not the worker's: it never moves the state
        _sent(task, event, at)
        return
    newest = at > task.state_at or (at == task.state_at and _outranks(task, state, event))
    if event.pid != task.pid or event.hostname != task.worker:
        task.former = _former(task, Former(at, state, event.hostname, event.pid), newest=newest)
    if newest:
        task.state = state
        task.state_at = at
        task.result = event.result
        task.runtime = event.runtime
        task.worker = event.hostname
        task.pid = event.pid
    if state is STARTED:
        if at > (task.started_at or 0.0):
            task.started_at = at
    elif state is RECEIVED:
        _received(task, event, at)
    else:
        _ended(task, event, state, at)


def _sent(task: Task, event: Event, at: float) -> None:
    sent = task.sent_at or 0.0
    if at >= sent:
        if at > (task.received_at or 0.0) and (at != sent or _wins(_told(event), _told(task))):
            _describe(task, event)
        if at != sent or _wins(event.queue, task.queue):
            task.queue = event.queue
        task.sent_at = at
    if event.parent_id is not None:
        _adopt(task, event.parent_id)


def _received(task: Task, event: Event, at: float) -> None:
    received = task.received_at or 0.0
    if at >= received:
        if at >= (task.sent_at or 0.0) and (at != received or _wins(_told(event), _told(task))):
            _describe(task, event)
        task.received_at = at
    if event.parent_id is not None:
        _adopt(task, event.parent_id)


def _ended(task: Task, event: Event, state: str, at: float) -> None:
    if state is RETRY:
        task.retried_at = max(task.retried_at or 0.0, at)
    elif at > (task.finished_at or 0.0):
        task.finished_at = at
    exception = _revoked_as(event) if state is REVOKED else event.exception
    if exception is None or at < (task.failed_at or 0.0):
        return
    if at != task.failed_at or _wins((exception, event.traceback), _failed(task)):
        task.exception, task.traceback, task.failed_at = exception, event.traceback, at


def _revoked_as(event: Event) -> str | None:
    """Say why a task was revoked in the words that Celery stores in its result backend; the event has flags only."""
    if event.expired:
        return "TaskRevokedError('expired')"
    return "TaskRevokedError('terminated')" if event.terminated else None


def _outranks(task: Task, state: str, event: Event) -> bool:
    return _wins((RANK[state], event.hostname, event.pid, event.result, event.runtime), _said(task))


def _former(task: Task, spoke: Former, *, newest: bool) -> Former | None:
    """Return the former life's word once another life than the row's has spoken, lately or late."""
    if not newest:
        return _latest_of(spoke, task.former)
    return _latest_of(_current(task), task.former, but=(spoke.worker, spoke.pid))


def _current(task: Task) -> Former | None:
    """Return the word of the life that the row's state is of; None while only its producer has spoken."""
    if task.worker is None or task.pid is None:
        return None
    return Former(task.state_at, task.state, task.worker, task.pid)


def _latest_of(*words: Former | None, but: tuple[str | None, int | None] = (None, None)) -> Former | None:
    """Return the newest of these words that is of another life than this one."""
    others = [one for one in words if one is not None and (one.worker, one.pid) != but]
    return max(others, key=_order, default=None)


def _order(one: Former) -> tuple[float, str]:
    """Order words as `apply` and `merge` order rows: of one moment, the one that always wins."""
    return (one.at, repr((RANK[one.state], one.worker, one.pid)))


def _describe(task: Task, event: Event) -> None:
    task.name, task.args, task.kwargs = event.name, event.args, event.kwargs
    task.root_id, task.retries = event.root_id, event.retries
    task.eta, task.expires = event.eta, event.expires


def _adopt(task: Task, parent_id: str) -> None:
    """Keep the parent: a retried task is sent by itself, and its later events name it as its own parent."""
    if parent_id != task.uuid and parent_id > (task.parent_id or ""):
        task.parent_id = parent_id


def merge(held: Task, new: Task) -> Task:
    """Return the row that both rows' events give together."""
    said = _newer(held, new, _said_at, _said)
    described = _newer(held, new, _described_at, _told)
    sent = _newer(held, new, _sent_at, _queued)
    failed = _newer(held, new, _failed_at, _failed)
    return Task(
        uuid=held.uuid,
        state=said.state,
        name=described.name,
        worker=said.worker,
        queue=sent.queue,
        first_at=min(held.first_at, new.first_at),
        sent_at=sent.sent_at,
        received_at=_later(held.received_at, new.received_at),
        started_at=_later(held.started_at, new.started_at),
        retried_at=_later(held.retried_at, new.retried_at),
        finished_at=_later(held.finished_at, new.finished_at),
        failed_at=failed.failed_at,
        runtime=said.runtime,
        retries=described.retries,
        args=described.args,
        kwargs=described.kwargs,
        result=said.result,
        exception=failed.exception,
        traceback=failed.traceback,
        root_id=described.root_id,
        parent_id=max(held.parent_id or "", new.parent_id or "") or None,
        eta=described.eta,
        expires=described.expires,
        state_at=said.state_at,
        pid=said.pid,
        former=_latest_of(_current(held), _current(new), held.former, new.former, but=(said.worker, said.pid)),
    )


_said_at = attrgetter("state_at")
_told = attrgetter("name", "args", "kwargs", "root_id", "retries", "eta", "expires")
_queued = attrgetter("queue")
_failed = attrgetter("exception", "traceback")


def _said(task: Task) -> tuple[int, str | None, int | None, str | None, float | None]:
    return (RANK[task.state], task.worker, task.pid, task.result, task.runtime)


def _described_at(task: Task) -> tuple[float, bool]:
    sent, received = task.sent_at or 0.0, task.received_at or 0.0
    return (max(sent, received), received >= sent)


def _sent_at(task: Task) -> float:
    return task.sent_at or 0.0


def _failed_at(task: Task) -> float:
    return task.failed_at or 0.0


def _newer(held: Task, new: Task, at: Callable[[Task], Any], values: Callable[[Task], object]) -> Task:
    """Return the row whose group of fields is from a later moment; of one moment, the one that always wins."""
    held_at, new_at = at(held), at(new)
    if held_at != new_at:
        return new if new_at > held_at else held
    return new if _wins(values(new), values(held)) else held


def _wins(new: object, held: object) -> bool:
    """Choose between two values from one moment, whichever came first."""
    return new != held and repr(new) > repr(held)


def _later(held: float | None, new: float | None) -> float | None:
    return new if held is None else held if new is None else max(held, new)
