"""What people see of the report: what the keeper would have restarted, and what became of it."""

from dataclasses import dataclass
from datetime import datetime

from celeriac.core.model import Mode, Verdict
from celeriac.core.report import Outcome


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One restart that the keeper would have made by itself in `auto`, and what happened next instead.

    `false` tells that it would have been for nothing. `ill_s` is how long the worker was ill from then on.
    """

    incident: str
    cluster: str
    worker: str
    worker_name: str
    verdict: Verdict
    at: datetime
    outcome: Outcome
    false: bool
    ill_s: float
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """All decisions of a time, oldest first, and their totals; `held` counts what `auto` would have held too, by reason.

    `right` are those whose worker did not come back without a restart, `false` those whose worker recovered alone, and
    `open_ended` those of which nothing can be learned. `saved_s` is how long workers were ill for want of a right one.
    `complete` is False where there were more incidents than are counted.
    """

    since: datetime
    until: datetime
    modes: dict[str, Mode]
    incidents: int
    complete: bool
    would_have_restarted: int
    right: int
    false: int
    open_ended: int
    saved_s: float
    outcomes: dict[str, int]
    held: dict[str, int]
    decisions: list[DecisionView]
