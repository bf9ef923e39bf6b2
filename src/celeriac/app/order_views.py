"""What people see of their own words: orders that concern incidents, and pauses."""

from dataclasses import dataclass
from datetime import datetime

from celeriac.core.incident import Deed, WordState


@dataclass(frozen=True, slots=True)
class OrderView:
    """What a person wants to be done with an incident, and how far that is."""

    id: str
    cluster: str
    incident: str
    kind: Deed
    state: WordState
    asked_at: datetime
    actor: str
    reason: str
    note: str | None


@dataclass(frozen=True, slots=True)
class PauseView:
    """A pause that a person has ordered; without a cluster it is for all."""

    id: str
    cluster: str | None
    reason: str
    actor: str
    at: datetime
    until: datetime
