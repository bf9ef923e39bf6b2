"""A task's row, and how one event changes it; neither order nor repeats of events change the result.

Each group of fields keeps the time that its value is from and yields only to a newer one, so the rows that the store
merges (`adapters.sql`) and the rows in memory follow the same rule.
"""

from msgspec import Struct

from celeriac.core.events import Event

PENDING = "PENDING"
STATES = {
    "task-sent": PENDING,
    "task-received": "RECEIVED",
    "task-started": "STARTED",
    "task-succeeded": "SUCCESS",
    "task-failed": "FAILURE",
    "task-retried": "RETRY",
    "task-rejected": "REJECTED",
    "task-revoked": "REVOKED",
    "task-cancelled": "CANCELLED",
}
FINAL = frozenset({"SUCCESS", "FAILURE", "REJECTED", "REVOKED", "CANCELLED"})
# Ends win over beginnings when one clock tick covers both.
RANK = {state: rank for rank, state in enumerate(STATES.values())} | {"SUCCESS": 99}


class Task(Struct, gc=False):
    """What is known of one task; times are by the sender's clock (seconds since the epoch)."""

    uuid: str
    state: str = PENDING
    state_at: float = 0.0
    name: str | None = None
    args: str | None = None
    kwargs: str | None = None
    root_id: str | None = None
    parent_id: str | None = None
    retries: int | None = None
    eta: str | None = None
    expires: str | None = None
    described_at: float = 0.0
    queue: str | None = None
    worker: str | None = None
    worker_at: float = 0.0
    sent_at: float | None = None
    received_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    result: str | None = None
    runtime: float | None = None
    exception: str | None = None
    traceback: str | None = None
    failed_at: float = 0.0

    @property
    def finished(self) -> bool:
        return self.state in FINAL


def apply(task: Task, event: Event) -> None:
    """Fold one task event into its row; an event type that is not in `STATES` changes nothing."""
    state = STATES.get(event.type)
    if state is None:
        return
    at = event.timestamp
    _move(task, state, event)
    if state in {PENDING, "RECEIVED"}:
        _describe(task, event)
    if state == PENDING:
        if task.sent_at is None or at >= task.sent_at:
            task.sent_at, task.queue = at, event.queue
        return
    if (at, event.hostname) > (task.worker_at, task.worker or ""):
        task.worker, task.worker_at = event.hostname, at
    _time(task, state, at)
    if event.exception is not None and at >= task.failed_at:
        task.exception, task.traceback, task.failed_at = event.exception, event.traceback, at


def _time(task: Task, state: str, at: float) -> None:
    if state == "RECEIVED":
        task.received_at = _latest(task.received_at, at)
    elif state == "STARTED":
        task.started_at = _latest(task.started_at, at)
    elif state in FINAL:
        task.finished_at = _latest(task.finished_at, at)


def _move(task: Task, state: str, event: Event) -> None:
    """Take the newer state, and with it its result: a task that runs twice shows the end of its later run."""
    # A producer's clock is not the worker's: that a task was sent never outweighs what a worker said.
    key = (0.0 if state == PENDING else event.timestamp, RANK[state])
    held = (0.0 if task.state == PENDING else task.state_at, RANK[task.state])
    if key > held:
        task.state, task.state_at = state, key[0]
        task.result, task.runtime = event.result, event.runtime


def _describe(task: Task, event: Event) -> None:
    if event.timestamp < task.described_at:
        return
    task.described_at = event.timestamp
    task.name, task.args, task.kwargs = event.name, event.args, event.kwargs
    task.root_id, task.parent_id = event.root_id, event.parent_id
    task.retries, task.eta, task.expires = event.retries, event.eta, event.expires


def _latest(held: float | None, at: float) -> float:
    return at if held is None or at > held else held
