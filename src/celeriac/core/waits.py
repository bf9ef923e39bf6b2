"""When a task was due, and how long it has waited for its beginning."""

from datetime import datetime

from celeriac.core.tasks import Task


def waited(task: Task) -> float | None:
    """Return the seconds from when a task was due until it began; None while that is not known.

    Where the task was received anew or retried since it began, its beginning is that of an earlier run.
    """
    began = task.started_at
    if began is None or began < (task.received_at or 0.0) or began < (task.retried_at or 0.0):
        return None
    due = due_at(task)
    return max(0.0, began - due) if due is not None else None


def due_at(task: Task) -> float | None:
    """Return when a task was sent (received, where nobody says), or its ETA where that is later; None if neither is known."""
    due = task.sent_at or task.received_at
    if task.eta is not None:
        due = max(filter(None, (due, _moment(task.eta))), default=None)
    return due


def _moment(text: str) -> float | None:
    """Return an event's `eta` in seconds since the epoch; None when it is unreadable or without a zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.timestamp() if at.utcoffset() is not None else None
