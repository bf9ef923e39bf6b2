"""What is read: each configured cluster with what is stored of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from celeriac.app.task_views import LeftOutView
from celeriac.core.errors import MissingError, PortError, UnreachableError
from celeriac.core.snapshot import Stream
from celeriac.ports import Charts, History, Tasks

T = TypeVar("T")

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
    enable_task_events: str = "once"

    def heard(self) -> tuple[Stream | None, str | None]:
        """Return how well the observer hears, and why that cannot be read, where it cannot."""
        try:
            return self.history.stream(), None
        except UnreachableError as error:
            return None, str(error)


def unknown(what: str, left_out: Sequence[LeftOutView]) -> PortError:
    """Return the error for what none has that could be asked."""
    if left_out:
        return UnreachableError(f"No {what} is known, and {left_out[0].cluster} cannot be read: {left_out[0].why}")
    return MissingError(f"No {what} is known.")


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

    def asked(
        self, cluster: str | None, ask: Callable[[Source], T]
    ) -> tuple[list[tuple[Source, T]], list[LeftOutView]]:
        """Return what one or all say, and which are left out, as their histories cannot be read.

        Raises UnreachableError if none can be read.
        """
        answers: list[tuple[Source, T]] = []
        left_out: list[LeftOutView] = []
        for one in self.chosen(cluster):
            try:
                answers.append((one, ask(one)))
            except UnreachableError as error:
                left_out.append(LeftOutView(one.name, str(error)))
        if left_out and not answers:
            raise UnreachableError(left_out[0].why)
        return answers, left_out

    def within(self, sees: Callable[[str], bool]) -> "Sources":
        """Return those clusters alone that somebody may see; of the others they learn nothing, not even that they are."""
        return Sources(one for one in self._by_name.values() if sees(one.name))

    def __contains__(self, cluster: str | None) -> bool:
        return cluster in self._by_name
