"""Finding workers that say nothing by themselves: every minute everybody is asked to answer, once.

A worker without heartbeats and without gossip sends no `worker-*` event at all (docs/explanation/the-cycle.md); one with
heartbeats that does not hear us is found here before work waits for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from celeriac.app.asking import Asked
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation, Pool
from celeriac.core.readings import Known, Reading
from celeriac.core.snapshot import Seen, speaks
from celeriac.ports import Control

EVERY_S = 60.0
FORGET_S = 3600.0
AT_ONCE = 50


class Discovery:
    """Asks one cluster's workers for a sign, and keeps those that no event tells of."""

    def __init__(self, control: Control, ask: Callable[[Callable[[], Any]], Asked[Any]], limits: Limits) -> None:
        self._control, self._ask, self._limits = control, ask, limits
        self._found: dict[str, Incarnation] = {}
        self._due_at: float | None = None
        self._asked: tuple[Asked[frozenset[str]], float] | None = None
        self._strangers: Asked[dict[str, Pool]] | None = None
        self.answered: dict[str, float] = {}
        """When each node last answered."""
        self.missed: frozenset[str] = frozenset()
        """The nodes that had answered before, speak, and gave no answer this time."""

    def forget(self) -> None:
        """Take up no answer that is under way; when each node answered last stays true."""
        self._asked = self._strangers = self._due_at = None
        self.missed = frozenset()

    def joined(self, seen: Seen) -> Seen:
        """Return the look with those workers that only their answers tell of."""
        heard = {one.node for one in seen.incarnations}
        self._found = {
            node: replace(one, last_seen_at=self.answered.get(node, one.last_seen_at))
            for node, one in self._found.items()
            if node not in heard and seen.at - self.answered.get(node, one.last_seen_at) < FORGET_S
        }
        return replace(seen, incarnations=(*seen.incarnations, *self._found.values()), answered=dict(self.answered))

    def go_on(self, seen: Seen) -> None:
        """Ask when it is due, or take up what was answered; waits for nobody."""
        if not isinstance(seen.stream, Known):
            return
        if self._due_at is None:
            self._due_at = seen.at + EVERY_S / 6  # a new keeper has other things to ask first
        if self._asked is None and seen.at >= self._due_at:
            self._asked, self._due_at = (self._ask(self._control.discover), seen.at), seen.at + EVERY_S
        elif self._asked is not None and self._asked[0].done(within=0.0):
            asked, at = self._asked
            self._asked = None
            self._take(asked.answer(), at, seen)
        if self._strangers is not None and self._strangers.done(within=0.0):
            self._meet(self._strangers.answer(), seen.at)
            self._strangers = None

    def heard(self, pongs: Mapping[str, Reading[bool]]) -> None:
        """Take up the answers to pings of other looks."""
        answered = {node: one.at for node, one in pongs.items() if isinstance(one, Known) and one.value}
        self.answered |= answered
        self.missed -= answered.keys()

    def _take(self, answer: Reading[frozenset[str]], at: float, seen: Seen) -> None:
        if not isinstance(answer, Known) or not isinstance(seen.stream, Known):
            return
        stream = seen.stream.value
        self.answered |= dict.fromkeys(answer.value, at)
        self.answered = {node: when for node, when in self.answered.items() if at - when < FORGET_S}
        known = {one.node for one in seen.incarnations}
        speaking = {
            one.node
            for one in seen.incarnations
            if not one.offline and one.key in seen.pools and speaks(one, stream, self._limits)
        }
        self.missed = frozenset(speaking - answer.value)
        strangers = sorted(answer.value - known)[:AT_ONCE]
        if strangers:
            self._strangers = self._ask(lambda: self._control.pools(strangers))

    def _meet(self, answer: Reading[dict[str, Pool]], at: float) -> None:
        """Take up those that told their pid, which their events would have told."""
        for key in answer.value if isinstance(answer, Known) else ():
            node, _, pid = key.rpartition("#")
            self._found[node] = Incarnation(node, int(pid), at, at)
