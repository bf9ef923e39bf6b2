"""Incidents and remedies: one worker's story, what can be done for it, and the closed lists of their states."""

from enum import StrEnum

from msgspec import Struct

from celeriac.core.model import Place, Verdict
from celeriac.core.readings import Evidence
from celeriac.core.repair import Repair

KEEPER = "keeper"
"""The actor of what the keeper decides by itself."""


class RemedyKind(StrEnum):
    """What can be done for a worker, weakest first."""

    NONE = "none"
    ALERT = "alert"
    LIVE_REPAIR = "live_repair"
    RECYCLE = "recycle"
    RESTART_INSTANCE = "restart_instance"
    RESTART_APP = "restart_app"
    SCALE = "scale"
    """No remedy for an illness: a person's order, which takes the same way."""


class Strategy(StrEnum):
    """How all instances of an app are restarted: one at a time by the keeper, or all by the platform in one order."""

    ROLLING = "rolling"
    ALL_AT_ONCE = "all_at_once"


class Recycling(StrEnum):
    """The last order that a recycled worker was given; none before it has said what it consumes.

    `idle` is no order: it consumes and runs nothing any more, and waits for the platform to stop its instance.
    """

    DRAIN = "drain"
    IDLE = "idle"
    SHUTDOWN = "shutdown"
    GIVE_BACK = "give_back"


class RemedyState(StrEnum):
    """How far a remedy is; only `intended` may or may not have reached the platform."""

    REQUESTED = "requested"
    INTENDED = "intended"
    ACTED = "acted"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    LAPSED = "lapsed"
    REFUSED = "refused"


class IncidentState(StrEnum):
    """Where an incident stands; `held` always has a reason."""

    OPEN = "open"
    HELD = "held"
    REMEDYING = "remedying"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    CLOSED = "closed"


class HeldReason(StrEnum):
    """Why a remedy waits."""

    MODE = "mode"
    BUDGET = "budget"
    COOLDOWN = "cooldown"
    QUORUM = "quorum"
    BROKER_OUTAGE = "broker_outage"
    STALE = "stale"
    PAUSED = "paused"
    UNMAPPED = "unmapped"
    HELD_BY_USER = "held_by_user"
    DEPLOY = "deploy"
    MAINTENANCE = "maintenance"
    MIN_HEALTHY = "min_healthy"
    BREAKER = "breaker"


class Ending(StrEnum):
    """How an incident came to its end."""

    PROVEN = "proven"
    """A restart, ours or the platform's own, was proven to have worked."""

    RECOVERED = "recovered"
    """The same process was well again by itself."""

    REPLACED = "replaced"
    """Another process is well in its place, which the keeper did not start."""

    GONE = "gone"
    """There is nothing left to heal at this place."""

    CLOSED = "closed"
    """A person closed it."""


_FOR_PEOPLE = frozenset({HeldReason.MODE, HeldReason.HELD_BY_USER, HeldReason.UNMAPPED, HeldReason.PAUSED})
"""Other reasons pass by themselves."""

OVER = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})


class Step(Struct, frozen=True):
    """One line of an incident's story."""

    at: float
    kind: str
    text: str


class Deed(StrEnum):
    """What a person can do with an incident, beside approving its remedy."""

    HOLD = "hold"
    RELEASE = "release"
    CLOSE = "close"


class WordState(StrEnum):
    """How far a person's word is."""

    REQUESTED = "requested"
    DONE = "done"
    LAPSED = "lapsed"


class Word(Struct, frozen=True):
    """What a person wants to be done with one incident; the keeper takes it up with its next look."""

    id: str
    cluster: str
    incident: str
    deed: Deed
    actor: str
    asked_at: float
    why: str = ""
    state: WordState = WordState.REQUESTED
    ended_at: float | None = None
    note: str | None = None


class Scale(Struct, frozen=True):
    """From how many instances of a process to how many; `drain` has those that go end their tasks before."""

    process: str
    before: int
    wanted: int
    drain: bool = True


class Remedy(Struct, frozen=True):
    """One intended or requested act on one place, bound to the instance and incarnation that it was decided for."""

    id: str
    cluster: str
    place: Place
    kind: RemedyKind
    state: RemedyState
    asked_at: float
    actor: str
    incident: str | None = None
    guid: str | None = None
    node: str | None = None
    pid: int | None = None
    acted_at: float | None = None
    attempts: int = 0
    ended_at: float | None = None
    note: str | None = None
    verdict: Verdict | None = None
    """What an approval was given for."""

    repair: Repair | None = None
    """What a live repair does."""

    step: Recycling | None = None
    queues: tuple[str, ...] = ()
    """How far a recycling is, and the queues that the worker consumed before it."""

    left: tuple[Place, ...] = ()
    turn: str | None = None
    """Of an order for an app: the instances that are not proven or drained yet, and the remedy of the first of them.

    Where all are restarted at once, `turn` is the order itself as soon as the platform has taken it.
    """

    strategy: Strategy = Strategy.ROLLING
    scale: Scale | None = None
    guids: dict[str, str] = {}
    """Of a restart all at once: the guid that ran at each place when it was ordered, by the place's id."""

    part_of: str | None = None
    """The order for an app that this is a turn of; a worker that is drained for it is not told to end."""

    @property
    def by_person(self) -> bool:
        """Tell an order from what the keeper decides; no person and no program is called `KEEPER` (`core.naming`)."""
        return self.actor != KEEPER


class Incident(Struct, frozen=True):
    """One worker's story from the first proof to the last; `members` are the places of one that is of many workers.

    `would_at` is when it would have been restarted for the first time if the mode had been `auto`; until then `would_hold`
    is what would have held it there too (`mode`: a person would have been asked). `convicted_at` is since when this very
    process has been found hung.
    """

    id: str
    cluster: str
    place: Place
    verdict: Verdict
    state: IncidentState
    opened_at: float
    updated_at: float
    evidence: tuple[Evidence, ...] = ()
    steps: tuple[Step, ...] = ()
    held_reason: HeldReason | None = None
    resolved_at: float | None = None
    remedy: RemedyKind = RemedyKind.NONE
    remedy_id: str | None = None
    repair: Repair | None = None
    crashes: tuple[str, ...] = ()
    guid: str | None = None
    node: str | None = None
    pid: int | None = None
    deadline_at: float | None = None
    healthy_since: float | None = None
    convicted_at: float | None = None
    pongs: int = 0
    held_by: str | None = None
    held_why: str | None = None
    critical: bool = False
    members: tuple[Place, ...] = ()
    would_at: float | None = None
    would_hold: HeldReason | None = None
    ending: Ending | None = None

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def awaits_person(self) -> bool:
        """Tell whether nothing happens before a person decides."""
        return self.state is IncidentState.ESCALATED or (
            self.state is IncidentState.HELD and self.held_reason in _FOR_PEOPLE
        )

    @property
    def under_proof(self) -> bool:
        """Tell whether its worker is to prove that it is well, or to say what it still has while it is recycled."""
        recycled = self.state is IncidentState.REMEDYING and self.remedy is RemedyKind.RECYCLE
        return recycled or self.state is IncidentState.VERIFYING
