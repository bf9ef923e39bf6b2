"""What people and programs see of a checkup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from celeriac.app.views import sure_moment
from celeriac.core.checkup import Line, State, counted


@dataclass(frozen=True, slots=True)
class CheckView:
    """One check: `cost` is what follows while it stays so, `fix` the setting or command that mends it."""

    id: str
    subject: str
    state: State
    text: str
    cost: str | None
    fix: str | None


@dataclass(frozen=True, slots=True)
class CheckupView:
    """All checks, by subject, and how many are in each state."""

    checked_at: datetime
    counts: dict[State, int]
    items: list[CheckView]

    @property
    def subjects(self) -> dict[str, list[CheckView]]:
        """Return the checks of each subject, in their order."""
        found: dict[str, list[CheckView]] = {}
        for one in self.items:
            found.setdefault(one.subject, []).append(one)
        return found


def checkup_view(lines: Sequence[Line], now: float) -> CheckupView:
    """Return a checkup as people see it."""
    items = [CheckView(one.id, one.subject, one.state, one.text, one.cost, one.fix) for one in lines]
    return CheckupView(sure_moment(now), counted(lines), items)
