"""What is read: each configured cluster with what is stored of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from celeriac.core.errors import MissingError
from celeriac.ports import Charts, History, Tasks

STALE_S = 30.0
"""A keeper that has said nothing for so long is not at work, and what it said last does not count."""


@dataclass(frozen=True, slots=True)
class Source:
    """One cluster. `broker` is its kind; the last two are settings that bear on what can be seen."""

    name: str
    broker: str
    history: History
    tasks: Tasks
    charts: Charts
    result_backend: bool = False
    enable_task_events: str = "once"


class Sources:
    """All clusters, in the order of the settings."""

    def __init__(self, each: Iterable[Source]) -> None:
        self._by_name = {one.name: one for one in each}

    def chosen(self, cluster: str | None = None) -> list[Source]:
        """Return one cluster's source, or all; raises MissingError with the names that there are."""
        if cluster is None:
            return list(self._by_name.values())
        if cluster not in self._by_name:
            raise MissingError(f"No cluster {cluster!r} is configured; there are: {', '.join(self._by_name)}.")
        return [self._by_name[cluster]]

    def __contains__(self, cluster: str) -> bool:
        return cluster in self._by_name
