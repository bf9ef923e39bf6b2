"""What the keeper is about to do: a journalled intent with all that is needed to carry it out."""

from msgspec import Struct

from celeriac.core.incident import Incident, Remedy
from celeriac.core.model import Instance


class Victim(Struct, frozen=True):
    """One of the instances that the restart of a whole app stops, with the process in it as far as it is known."""

    name: str
    instance: Instance | None
    node: str | None
    pid: int | None


class Act(Struct, frozen=True):
    """One remedy to make: the journalled intent, its incident, and the index as it was convicted.

    `instance` is None for a repair and for what is done to a whole app; `victims` are those that such an order stops.
    """

    incident: Incident
    remedy: Remedy
    instance: Instance | None
    patience_s: float
    victims: tuple[Victim, ...] = ()
