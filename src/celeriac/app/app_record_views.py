"""What a platform tells of an app, as people see it; all text is redacted."""

from dataclasses import dataclass
from datetime import datetime

from celeriac.core.log_lines import Level


@dataclass(frozen=True, slots=True)
class LogLineView:
    """One line of a log: `source` and `stream` are the platform's words, `level` is how grave it is by its own words."""

    at: datetime
    source: str
    process: str | None
    index: int | None
    stream: str
    level: Level | None
    text: str


@dataclass(frozen=True, slots=True)
class AppEventView:
    """One thing that was done to an app or that befell it; `actor` is who did it, where that is known."""

    id: str
    at: datetime
    kind: str
    actor: str | None
    text: str


@dataclass(frozen=True, slots=True)
class VariableView:
    """One variable of an app's environment; `value` is nothing where it may be a secret."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """The variables that an app is started with; `hidden` says why some have no value, where some have none."""

    items: list[VariableView]
    hidden: str | None
    next: str | None = None
