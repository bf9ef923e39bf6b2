"""Tasks that hold a slot for far longer than any run of their name has: a child that hangs while its main process beats.

That a task is long is no fault. It is stuck when it has run for several times the longest finished run of its name, of which
there must be enough to tell; and only the worker's own word that it runs it counts, as an event may have been lost.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from celeriac.core.limits import Limits
from celeriac.core.tasks import Task


class Runs(Struct, frozen=True):
    """How many runs of one name have ended well lately, and the longest of them in seconds (None if there are none)."""

    number: int = 0
    longest_s: float | None = None


class Running(Struct, frozen=True):
    """The tasks that a worker says to run now, by id, when it began its last one, and how far its clock is behind ours.

    `last_start_at` is when its counter rose, by our clock; `behind_s` is below zero where its clock is ahead.
    """

    tasks: frozenset[str] = frozenset()
    last_start_at: float | None = None
    behind_s: float = 0.0


class Stuck(Struct, frozen=True):
    """A task that holds a slot, since when it is seen to run, in seconds, and how long its kind takes."""

    id: str
    name: str
    for_s: float
    runs: Runs

    @property
    def text(self) -> str:
        """Return it in words."""
        return (
            f"{self.name}[{self.id}] has run for {self.for_s / 60:.0f} min; "
            f"the longest of {self.runs.number} finished runs took {self.runs.longest_s or 0:.1f} s"
        )


def stuck(
    begun: Iterable[Task], running: Mapping[str, Running], runs: Mapping[str, Runs], now: float, limits: Limits
) -> dict[str, tuple[Stuck, ...]]:
    """Return the stuck tasks of each node; `running` is by node, `runs` is by task name."""
    found: dict[str, list[Stuck]] = {}
    for task in begun:
        name, node, known = task.name or "", task.worker or "", runs.get(task.name or "", Runs())
        at = running.get(node, Running())
        since = _since(task, at)
        if since is None or task.uuid not in at.tasks:
            continue
        for_s = now - since
        if known.longest_s is None or known.number < limits.stuck_runs:
            continue
        if for_s >= max(limits.stuck_s, limits.stuck_times * known.longest_s):
            found.setdefault(node, []).append(Stuck(task.uuid, name, for_s, known))
    return {node: _longest_first(tasks) for node, tasks in found.items()}


def _since(task: Task, running: Running) -> float | None:
    """Return since when it has run at least, by our clock: what runs now began no later than the worker's last task did.

    A task's times are its worker's.
    """
    if task.started_at is not None:
        return task.started_at + running.behind_s
    if task.received_at is None or running.last_start_at is None:
        return None
    return max(task.received_at + running.behind_s, running.last_start_at)


def _longest_first(tasks: Sequence[Stuck]) -> tuple[Stuck, ...]:
    return tuple(sorted(tasks, key=lambda one: -one.for_s))
