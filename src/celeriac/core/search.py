"""What people look for among tasks, and what they find: filters, pages, counts."""

from msgspec import Struct

from celeriac.core.tasks import Task


class Cursor(Struct, frozen=True, order=True):
    """A task's place in the list of all: its first time in microseconds, then its key."""

    first_at: int
    key: str


class TaskFilter(Struct, frozen=True):
    """Which tasks to list, newest first. All conditions must hold; of several values of one, any.

    Texts are substrings, whatever the case of ASCII letters; `anywhere` is searched for in all four. With `newer` the
    page is the one before the cursor, else the one after it. A look ends after `within_s` seconds.
    """

    limit: int = 50
    states: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    runtime_least: float | None = None
    runtime_most: float | None = None
    root_id: str | None = None
    args: str | None = None
    kwargs: str | None = None
    result: str | None = None
    exception: str | None = None
    anywhere: str | None = None
    cursor: Cursor | None = None
    newer: bool = False
    within_s: float = 2.0


class TaskRow(Struct, frozen=True):
    """A stored task and its place in the list."""

    cursor: Cursor
    task: Task


class Found(Struct, frozen=True):
    """Tasks, newest first. Where time ran out, `searched_to` says up to which task all were looked at."""

    rows: list[TaskRow]
    searched_to: Cursor | None = None


class Facets(Struct, frozen=True):
    """How many of the matching tasks have which value; `complete` is False where time ran out."""

    states: dict[str, int]
    names: dict[str, int]
    workers: dict[str, int]
    queues: dict[str, int]
    complete: bool = True


class Histogram(Struct, frozen=True):
    """How many of the matching tasks came in each step, by state; keys are the beginnings of steps, in seconds."""

    step_s: int
    counts: dict[int, dict[str, int]]
    complete: bool = True
