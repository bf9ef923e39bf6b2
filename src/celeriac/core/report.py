"""What the keeper would have restarted by itself in `auto`, and what became of it without: from stored incidents alone."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from celeriac.core.incident import Ending, HeldReason, Incident, Step


class Outcome(StrEnum):
    """What happened next to a worker that would have been restarted."""

    RECOVERED = "recovered alone"
    CRASHED = "crashed later"
    RESTARTED = "restarted by somebody"
    ILL = "still ill"
    GONE = "gone"
    CLOSED = "closed by a person"


FALSE = frozenset({Outcome.RECOVERED})
"""A restart would have been for nothing: the same process came back by itself."""

RIGHT = frozenset({Outcome.CRASHED, Outcome.RESTARTED, Outcome.ILL})
"""It did not come back without a restart, its own or somebody's."""

ENDINGS = {
    Ending.RECOVERED: Outcome.RECOVERED,
    Ending.REPLACED: Outcome.RESTARTED,
    Ending.PROVEN: Outcome.RESTARTED,
    Ending.GONE: Outcome.GONE,
    Ending.CLOSED: Outcome.CLOSED,
}


class Decision(Struct, frozen=True):
    """One restart that would have been made at `at`; `ill_s` is how long the worker was ill from then on."""

    incident: Incident
    at: float
    outcome: Outcome
    ill_s: float


class Report(Struct, frozen=True):
    """The decisions, oldest first, and how many incidents would have been held in `auto` too, by reason."""

    decisions: tuple[Decision, ...]
    held: dict[str, int]

    def count(self, outcomes: Iterable[Outcome]) -> int:
        """Return how many decisions had one of these outcomes."""
        wanted = frozenset(outcomes)
        return sum(one.outcome in wanted for one in self.decisions)

    @property
    def saved_s(self) -> float:
        """How long workers were ill for want of a restart that would have been right, in seconds."""
        return sum(one.ill_s for one in self.decisions if one.outcome in RIGHT)


def report(incidents: Iterable[Incident], now: float) -> Report:
    """Sum up these incidents."""
    decisions, held = [], dict[str, int]()
    for incident in incidents:
        if incident.would_at is not None:
            decisions.append(_decision(incident, incident.would_at, now))
        elif incident.would_hold is not None:
            held[_name(incident.would_hold)] = held.get(_name(incident.would_hold), 0) + 1
    return Report(tuple(sorted(decisions, key=lambda one: one.at)), held)


def _decision(incident: Incident, at: float, now: float) -> Decision:
    turn = _turn(incident, at)
    end = turn.at if turn else (incident.resolved_at or now)
    return Decision(incident, at, _outcome(incident, turn), max(0.0, _well_since(incident, end) - at))


def _turn(incident: Incident, at: float) -> Step | None:
    """Return the first thing that ended the life of the process that would have been restarted."""
    return next((step for step in incident.steps if step.kind in {"crashed", "intended"} and step.at >= at), None)


def _outcome(incident: Incident, turn: Step | None) -> Outcome:
    if turn is not None:
        return Outcome.CRASHED if turn.kind == "crashed" else Outcome.RESTARTED
    return ENDINGS[incident.ending] if incident.ending else Outcome.ILL


def _well_since(incident: Incident, end: float) -> float:
    """A worker that is well again was so for a while before its incident ended."""
    return min(end, incident.healthy_since) if incident.healthy_since is not None else end


def _name(reason: HeldReason) -> str:
    """Where `auto` would ask, a person's approval is the reason."""
    return "approval" if reason is HeldReason.MODE else reason.value
