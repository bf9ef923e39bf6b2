"""The plan, and the plan in the making: what the journal holds of a cluster, and what a cycle changes in it."""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.act import Act
from celeriac.core.finding import Finding
from celeriac.core.incident import Ending, Incident, Remedy, RemedyState, Word
from celeriac.core.ledger import Ledger
from celeriac.core.story import told


class Past(Struct, frozen=True):
    """What the journal holds of a cluster: incidents open or lately over, remedies under way or lately made, people's words."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    words: tuple[Word, ...] = ()


class Plan(Struct, frozen=True):
    """What changes in the journal, and the restarts to make."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    acts: tuple[Act, ...] = ()
    words: tuple[Word, ...] = ()


class Desk:
    """The plan in the making: the open incident of each place, and what has changed."""

    def __init__(self, findings: tuple[Finding, ...], past: Past) -> None:
        self.findings = {one.place: one for one in findings}
        self.incidents = {
            one.place: one for one in sorted(past.incidents, key=lambda one: one.opened_at) if not one.over
        }
        self.remedies = {one.id: one for one in past.remedies}
        self.ledger = Ledger(past.remedies)
        self.over: list[Incident] = []
        self.acts: list[Act] = []
        self.words: list[Word] = []
        self.closed = {one.place: one for one in past.incidents if one.ending is Ending.CLOSED}
        self._before = (dict(self.incidents), dict(self.remedies))

    @property
    def full(self) -> bool:
        """Tell whether this look has its act: the next one deserves a look of its own, as this one grows old."""
        return bool(self.acts)

    def act(self, act: Act | None) -> None:
        if act is not None:
            self.acts.append(act)
            self.ledger.add(act.remedy)
            self.incidents[act.incident.place] = act.incident
            self.remedies[act.remedy.id] = act.remedy

    def put(self, incident: Incident, remedy: Remedy | None = None) -> None:
        if incident.over:
            self.over.append(incident)
            if incident.ending is Ending.CLOSED:
                self.closed[incident.place] = incident
            del self.incidents[incident.place]
        else:
            self.incidents[incident.place] = incident
        if remedy is not None:
            self.remedies[remedy.id] = remedy
            self.ledger.add(remedy)

    def refuse(self, order: Remedy, why: str, now: float, *, paused: bool) -> None:
        """Let a person's order lapse, and tell so where they look for it."""
        state = RemedyState.REFUSED if paused else RemedyState.LAPSED
        self.remedies[order.id] = replace(order, state=state, ended_at=now, note=why)
        incident = self.incidents.get(order.place)
        if incident is not None:
            self.put(told(incident, now, "lapsed", f"the order of {order.actor} lapsed: {why}"))

    def plan(self) -> Plan:
        incidents, remedies = self._before
        return Plan(
            (*self.over, *(one for place, one in self.incidents.items() if incidents.get(place) != one)),
            tuple(one for key, one in self.remedies.items() if remedies.get(key) != one),
            tuple(self.acts),
            tuple(self.words),
        )
