"""More ports, of the same kind as `celeriac.ports`: what is kept beside incidents, whom it is asked of, and when
tasks of each name came.

Every method may raise a `PortError` (`core.errors`) and nothing else, and returns within its adapter's own time limit.
"""

from collections.abc import Collection
from typing import Protocol

from celeriac.core.casualties import Casualties, Whereabouts
from celeriac.core.exhibits import Kept, Line
from celeriac.core.model import Instance
from celeriac.core.occupancy import Load
from celeriac.core.offline import Moment
from celeriac.core.rollup import Count
from celeriac.core.search import Found, TaskFilter
from celeriac.core.tasks import Task


class Messages(Protocol):
    """What the broker shows of single messages."""

    def holding(self, tasks: Collection[str], queues: Collection[str]) -> Whereabouts:
        """Return where the messages of these tasks are: in these queues or any other, or taken and not acknowledged."""


class TasksOfLives(Protocol):
    """One cluster's stored tasks, by the life of a worker that had them."""

    def find(self, which: TaskFilter) -> Found:
        """Return a page of tasks, newest first."""

    def named(self, uuids: Collection[str]) -> list[Task]:
        """Return those of these tasks that are stored."""

    def left_by(self, node: str, pid: int, limit: int) -> tuple[list[Task], int]:
        """Return the tasks that this life had under way when it spoke of them last, so many at most, and their number."""


class Results(Protocol):
    """What is kept of tasks that have ended, by whoever ran them."""

    def ended(self, tasks: Collection[str]) -> frozenset[str]:
        """Return those of these tasks whose result or failure is stored; some of them where they are very many."""


class Arrivals(Protocol):
    """When tasks of each name came, by roll-ups."""

    def lately(self, since: float, minutes: int) -> dict[str, dict[int, int]]:
        """Return how many tasks were received in each name's newest minutes, for the names of what came since then."""

    def counts(self, since: float, until: float, step_s: int, name: str | None = None) -> dict[int, Count]:
        """Return tasks by state (`core.rollup`) in each step, by its beginning in seconds; `step_s` is whole minutes."""


class Loads(Protocol):
    """How busy one cluster's apps were, and with what."""

    def loads(self, app: str, since: float, until: float) -> list[Load]:
        """Return the minutes of an app's processes, oldest first."""

    def work(self, nodes: Collection[str], since: float, until: float, limit: int) -> tuple[list[Task], bool]:
        """Return the tasks first heard of in a window that went to these nodes, earliest first, and whether these are all."""


class Casebook(Protocol):
    """The tasks that died with workers, by the incident that tells it."""

    def put(self, records: Collection[Casualties]) -> None:
        """Store these records; each is durable when the call returns."""

    def casualties(self, incident: str) -> list[Casualties]:
        """Return the ended lives that belong to one incident, the oldest end first."""

    def watched(self, cluster: str) -> list[Casualties]:
        """Return the records of one cluster that are not closed yet."""


class Exhibits(Protocol):
    """What is kept of an incident's worker and of the decision on it."""

    def keep(self, kept: Kept) -> None:
        """Store the exhibits of an incident, in place of earlier ones of the same sources."""

    def kept(self, incident: str) -> Kept | None:
        """Return what was kept of an incident's worker before it was killed, or after it had crashed."""

    def keep_moment(self, incident: str, moment: Moment) -> None:
        """Store the moment in which an incident was opened or acted on, in place of an earlier one."""

    def moment(self, incident: str) -> Moment | None:
        """Return the last such moment."""


class SelfReport(Protocol):
    """What a worker says of itself, as lines for people; raises MissingError where it does not answer."""

    def tasks(self, node: str) -> tuple[Line, ...]:
        """Return the tasks that it runs, has reserved, and keeps for later: ids and names, without what they carry."""

    def stats(self, node: str) -> tuple[Line, ...]:
        """Return its counters."""


class PlatformRecords(Protocol):
    """What a platform remembers of an instance, whether it lives or not."""

    def logs(self, instance: Instance, limit: int) -> tuple[Line, ...]:
        """Return the newest lines that it wrote, and that the platform wrote of it, oldest first."""

    def events(self, instance: Instance, since: float) -> tuple[Line, ...]:
        """Return what befell its app since then, oldest first."""
