"""One actor at work: what it may do, and the audit trail of what it does and of what it was denied.

The one place that says no: pages, API, command line and stream all ask `Queries` and `Commands`, and these ask here.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from celeriac.core.access import Actor, Means, Right
from celeriac.core.errors import DeniedError
from celeriac.ports import Audit, AuditEntry, Outcome

AGAIN_S = 60.0
"""The same denial of the same actor is one row within this time: a program that asks on and on must not fill the trail."""

MOST_DENIALS = 10_000

UNKNOWN = "somebody unknown"
"""What the trail calls who has not shown who they are."""

STRANGERS_ROWS = 60
"""So many rows within a minute are of askers that nobody knows, for each way of signing on: from ever new addresses they
could fill the trail. Each way has its own, so that one cannot be used to hide another."""


class Register:
    """The audit trail of all actors; `clock` is in seconds since the epoch."""

    def __init__(self, audit: Audit, clock: Callable[[], float]) -> None:
        self._audit, self._clock = audit, clock
        self._denied: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._strangers: dict[Means, _Minute] = {}
        self._lock = threading.Lock()

    def acting(self, actor: Actor) -> "Acting":
        """Return one actor at work."""
        return Acting(actor, self)

    def note(self, actor: Actor, entry: AuditEntry) -> None:
        """Keep what an actor did, with who it is and where it comes from."""
        self._tell_left_out()
        self._keep(actor, entry)

    def seldom(self, actor: Actor, entry: AuditEntry, *, known: bool = False, alike: str | None = None) -> None:
        """Keep what may come again and again: the same of the same actor once a minute.

        Who has no role is a stranger unless it is `known` who they are. `alike` names what is the same where target and
        text are of the asker's own choice.
        """
        same = (entry.target, entry.cluster or "", entry.detail) if alike is None else (alike,)
        if self._first_lately((actor.subject, actor.address, actor.token, entry.action, *same)):
            if known or actor.grants:
                self.note(actor, entry)
            else:
                self.stranger(actor, entry)

    def stranger(self, actor: Actor, entry: AuditEntry) -> None:
        """Keep what somebody did of whom nothing is known; of too many within a minute only their number is kept."""
        self._tell_left_out()
        now = self._clock()
        with self._lock:
            minute = self._strangers.setdefault(actor.means, _Minute(now))
            minute.rows += 1
            if minute.rows > STRANGERS_ROWS:
                return
        self._keep(actor, entry)

    def _first_lately(self, key: tuple[str, ...]) -> bool:
        now = self._clock()
        with self._lock:
            at = self._denied.get(key)
            if at is not None and now - at < AGAIN_S:
                return False
            self._denied[key] = now
            self._denied.move_to_end(key)
            if len(self._denied) > MOST_DENIALS:
                self._denied.popitem(last=False)
            return True

    def _tell_left_out(self) -> None:
        """Keep how many rows of strangers were left out of the minutes that have ended."""
        now = self._clock()
        with self._lock:
            over = [(means, one) for means, one in self._strangers.items() if not 0 <= now - one.since < AGAIN_S]
            for means, _ in over:
                del self._strangers[means]
        for means, one in over:
            if one.rows > STRANGERS_ROWS:
                text = f"and {one.rows - STRANGERS_ROWS:,} more were left out, as they came within one minute"
                entry = AuditEntry(0.0, "", "sign on", "console", text, outcome=Outcome.DENIED)
                self._keep(Actor(UNKNOWN, means=means), entry)

    def _keep(self, actor: Actor, entry: AuditEntry) -> None:
        self._audit.note(_signed(entry, actor, str(actor.role or ""), self._clock()))


@dataclass
class _Minute:
    """How many rows strangers would have had since a moment."""

    since: float
    rows: int = 0


class Acting:
    """One actor at work."""

    def __init__(self, actor: Actor, register: Register) -> None:
        self.actor, self._register = actor, register

    def may(self, right: Right, cluster: str | None = None, app: str | None = None) -> bool:
        """Tell whether the actor has a right over an app, all of a cluster, or everything."""
        return self.actor.may(right, cluster, app)

    def need(self, right: Right, what: str, cluster: str | None = None, app: str | None = None) -> None:
        """Raise DeniedError, which is kept, unless the actor has a right; `what` ends the sentence "may not ..."."""
        if self.may(right, cluster, app):
            return
        where = f"app {app} of cluster {cluster}" if app else f"cluster {cluster}" if cluster else "all clusters"
        held = "; ".join(one.text for one in self.actor.grants) or "no role"
        text = f"{self.actor.called} may not {what}: that takes the right to {right} in {where}, and there is {held}."
        raise self.denied(what, app or cluster or "all clusters", text, cluster)

    def denied(
        self, what: str, target: str, text: str, cluster: str | None = None, *, alike: str | None = None
    ) -> DeniedError:
        """Return the error that tells the actor no; the denial is kept, of those with the same `alike` one a minute."""
        self.deny(what, target, text, cluster, alike=alike)
        return DeniedError(text)

    def deny(self, what: str, target: str, text: str, cluster: str | None = None, *, alike: str | None = None) -> None:
        """Keep that the actor was denied something."""
        entry = AuditEntry(0.0, "", what, target, text, cluster, Outcome.DENIED)
        self._register.seldom(self.actor, entry, known=True, alike=alike)

    def note(self, entry: AuditEntry) -> None:
        """Keep what the actor orders or does; actor and time are filled in here."""
        self._register.note(self.actor, entry)


def done(action: str, target: str, detail: str = "") -> AuditEntry:
    """Return what took effect with the order itself, as the trail has it."""
    return AuditEntry(0.0, "", action, target, detail)


def did(action: str, target: str, detail: str = "", cluster: str | None = None) -> AuditEntry:
    """Return an order as the trail has it, to be signed by whoever gives it."""
    return AuditEntry(0.0, "", action, target, detail, cluster, Outcome.ORDERED)


def _signed(entry: AuditEntry, actor: Actor, role: str, now: float) -> AuditEntry:
    return replace(
        entry, at=now, actor=actor.signed, role=role, address=actor.address, token=actor.token or str(actor.means)
    )
