"""Tasks that upkeep seals, moves and drops, and what a history has of them."""

from adapters.stored import DAY, NOW
from celeriac.core.retention import Retention
from celeriac.core.search import TaskFilter
from celeriac.core.tasks import Task

LATER_INDEXES = 4
INDEXES = 4 + LATER_INDEXES
OLD = Retention(age_s=10 * DAY, by_state={"FAILURE": 20 * DAY, "REVOKED": 5 * DAY})


def task(number, state="SUCCESS", at=NOW, **more):
    fields = {"name": "mail", "first_at": at, "finished_at": at, "state_at": at}
    return Task(f"{number:04}", state, **{**fields, **more})


def tasks(start, end, state="SUCCESS", at=NOW):
    return [task(number, state, at) for number in range(start, end)]


def ids(history, **which):
    return sorted(row.task.uuid for row in history.tasks.find(TaskFilter(limit=100_000, **which)).rows)


def named(start, end):
    return [f"{number:04}" for number in range(start, end)]
