"""A cluster, its platform and a journal in a few lines, in which days pass at once and every restart is counted."""

from dataclasses import dataclass, field

from celeriac.core import story
from celeriac.core.act import Act
from celeriac.core.blindness import blindness
from celeriac.core.decide import decide
from celeriac.core.desk import Past, Plan
from celeriac.core.diagnose import diagnose
from celeriac.core.incident import IncidentState, Remedy, RemedyKind, RemedyState
from celeriac.core.limits import Policy
from celeriac.core.model import Clients, Consumer, Inspection, InstanceState, Mode
from celeriac.core.readings import Known
from celeriac.core.snapshot import Lived, Seen
from core import builders
from core.builders import LIMITS, NOW, guid, place

STARTS_IN = 10.0
"""Seconds from an order to the next life of an instance."""


@dataclass
class Machine:
    """One index: its life, since when it is frozen, and when it runs (again)."""

    life: int = 1
    up_at: float = NOW - 3600
    frozen_since: float | None = None


@dataclass(frozen=True)
class Restart:
    """One restart that took effect."""

    at: float
    index: int
    remedy: Remedy
    guid: str
    silent_s: float


@dataclass
class World:
    """A cluster of so many workers; `cycle` lets the keeper look, decide and act once."""

    size: int = 3
    now: float = NOW
    machines: dict[int, Machine] = field(default_factory=dict)
    deaf_since: float | None = None
    heard_since: float = NOW - 3600
    paused: str | None = None
    mode: Mode = Mode.AUTO
    past: Past = builders.NOTHING
    crashes: list = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    orders: int = 0

    def __post_init__(self):
        self.machines = {index: Machine() for index in range(self.size)}

    # What happens to it

    def freeze(self, index):
        if self.machines[index].frozen_since is None:
            self.machines[index].frozen_since = self.now

    def thaw(self, index):
        self.machines[index].frozen_since = None

    def crash(self, index):
        one = self.machines[index]
        if self.now >= one.up_at:
            self.crashes.append(builders.crash(index, life=one.life, ago=0, now=self.now))
            self._next_life(one)

    def deafen(self, _):
        self.deaf_since = self.deaf_since or self.now

    def hear(self, _):
        if self.deaf_since is not None:
            self.deaf_since, self.heard_since = None, self.now

    def pause(self, _):
        self.paused = "ana is looking"

    def resume(self, _):
        self.paused = None

    def switch(self, _):
        self.mode = Mode.APPROVE if self.mode is Mode.AUTO else Mode.AUTO

    def order(self, index):
        """A person approves the incident of this place, or orders a restart of its own."""
        one = next((one for one in self.past.incidents if one.place == place(index) and not one.over), None)
        self.orders += 1
        asked = Remedy(
            id=f"order-{self.orders}",
            cluster=builders.CLUSTER,
            place=place(index),
            kind=RemedyKind.RESTART_INSTANCE,
            state=RemedyState.REQUESTED,
            asked_at=self.now,
            actor="ana",
            incident=one.id if one else None,
            guid=one.guid if one else guid(index, self.machines[index].life),
        )
        self.past = Past(self.past.incidents, (*self.past.remedies, asked))

    def approve_app(self, _):
        """A person approves the restart of the app, where it is proposed."""
        for one in self.past.incidents:
            if one.place.of_app and one.state is IncidentState.HELD:
                self.orders += 1
                asked = Remedy(
                    id=f"order-{self.orders}",
                    cluster=builders.CLUSTER,
                    place=one.place,
                    kind=RemedyKind.RESTART_APP,
                    state=RemedyState.REQUESTED,
                    asked_at=self.now,
                    actor="ana",
                    incident=one.id,
                )
                self.past = Past(self.past.incidents, (*self.past.remedies, asked))

    def _next_life(self, one: Machine):
        one.life, one.up_at, one.frozen_since = one.life + 1, self.now + STARTS_IN, None

    # What the keeper does

    def look(self) -> Seen:
        lives = [self._worker(index, one) for index, one in self.machines.items() if self.now >= one.up_at]
        alive = {one.node for one in lives if self.now - one.last_seen_at < 1}
        flowing = None if self.deaf_since is not None else self.now - self.heard_since
        look = builders.seen(
            *lives,
            now=self.now,
            heard=builders.stream(now=self.now, flowing=flowing),
            instances=[self._instance(index, one) for index, one in self.machines.items()],
            crashes=self.crashes,
            lived=tuple(
                Lived(guid(index, life), place(index), self.now - 10 * (one.life - life))
                for index, one in self.machines.items()
                for life in range(1, one.life + 1)
            ),
        )
        return builders.but(
            look,
            pings={one.node: Known(one.node in alive, self.now) for one in lives},
            inspected={one.node: Known(Inspection(("celery",)), self.now) for one in lives if one.node in alive},
            clients=Known(
                Clients(
                    {one.node: Consumer(4, one.node in alive, 0.0 if one.node in alive else 60.0) for one in lives}
                ),
                self.now,
            ),
        )

    def _worker(self, index, one: Machine):
        silent = self.now - max(one.frozen_since, one.up_at) if one.frozen_since is not None else 0.5
        age = self.now - one.up_at
        return builders.worker(
            index, life=one.life, silent=silent, born=age, beats=int((age - silent) // 2) + 1, now=self.now
        )

    def _instance(self, index, one: Machine):
        if self.now < one.up_at:
            return builders.instance(index, life=one.life, state=InstanceState.STARTING, guid=None, uptime=1.0)
        return builders.instance(index, life=one.life, uptime=self.now - one.up_at)

    def policy(self) -> Policy:
        return Policy(mode=self.mode, paused=self.paused)

    def cycle(self, answer="done") -> tuple[Seen, Plan]:
        look = self.look()
        plan = decide(diagnose(look, LIMITS), look, self.past, self.policy(), LIMITS)
        self.past = builders.after(self.past, plan)
        for act in plan.acts:
            self._act(act, answer)
        return look, plan

    def _act(self, act: Act, answer: str):
        """Ask the platform: it may do it or not, and we may learn of it or not."""
        one = self.machines[act.instance.index]
        if answer in {"done", "done, unclear", "done, then killed"}:
            silent = self.now - one.frozen_since if one.frozen_since is not None else 0.0
            self.restarts.append(Restart(self.now, act.instance.index, act.remedy, act.remedy.guid, silent))
            self._next_life(one)
        told = {
            "done": lambda: story.acted(act, self.now),
            "refused": lambda: story.failed(act, self.now, "403"),
            "changed": lambda: story.lapsed(act, self.now, "not touched"),
            "done, unclear": lambda: story.unclear(act, self.now, "no answer"),
            "not done, unclear": lambda: story.unclear(act, self.now, "no answer"),
        }.get(answer)
        if told is not None:
            self.past = builders.after(self.past, Plan((told().incident,), (told().remedy,)))

    # What the laws ask

    def blind(self, look: Seen) -> bool:
        return blindness(look, LIMITS) is not None

    def incident_at(self, index):
        """Return the open incident of a place; the journal never holds two of them."""
        found = [one for one in self.past.incidents if one.place == place(index) and not one.over]
        assert len(found) <= 1, found
        return found[0] if found else None

    def running(self) -> list[Remedy]:
        return [one for one in self.past.remedies if one.state in {RemedyState.INTENDED, RemedyState.ACTED}]


UNDER_WAY = {IncidentState.REMEDYING, IncidentState.VERIFYING, IncidentState.ESCALATED}
