"""What a checkup says: one line for each check, with what it costs and what mends it."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """How one check came out; what cannot be told is a warning."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(Struct, frozen=True):
    """One check of one subject; `cost` says what follows while it stays so, `fix` is the setting or command that mends it."""

    id: str
    subject: str
    state: State
    text: str
    cost: str | None = None
    fix: str | None = None


class Subject(Struct, frozen=True):
    """What a check is about: a cluster, a platform, the store, or Celeriac itself; makes the lines about it."""

    kind: str
    name: str = ""

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind

    def ok(self, check: str, text: str) -> Line:
        """Return that all is as it must be."""
        return self._line(check, State.OK, text)

    def warn(self, check: str, text: str, cost: str, fix: str | None = None) -> Line:
        """Return that Celeriac works, with less than it could have."""
        return self._line(check, State.WARN, text, cost, fix)

    def fail(self, check: str, text: str, cost: str, fix: str | None = None) -> Line:
        """Return that a part of Celeriac's work cannot be done."""
        return self._line(check, State.FAIL, text, cost, fix)

    def untold(self, check: str, what: str, why: str, fix: str | None = None) -> Line:
        """Return that this check could not be made."""
        cost = "if something is wrong here, it shows only when it is needed"
        return self._line(check, State.WARN, f"cannot tell {what}: {why}", cost, fix)

    def _line(self, check: str, state: State, text: str, cost: str | None = None, fix: str | None = None) -> Line:
        parts = (self.kind, self.name, check) if self.name else (self.kind, check)
        return Line("/".join(parts), self.title, state, text, cost, fix)


def counted(lines: Iterable[Line]) -> dict[State, int]:
    """Return how many lines are in each state, also in those that none is in."""
    found = [one.state for one in lines]
    return {state: found.count(state) for state in State}


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return names as a list for people; of very many, some."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def number(count: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def span(seconds: float) -> str:
    """Return a span of time in the unit that fits it."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
