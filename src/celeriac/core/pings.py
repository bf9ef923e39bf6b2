"""What several pings in a row add up to: a single lost answer is no silence."""

from msgspec import Struct

from celeriac.core.readings import Known, Reading, Unknown

MISSES = 3
MISSED_S = 4.0
"""So many pings in a row, over so many seconds, go unanswered before a worker counts as not answering."""


class Whom(Struct, frozen=True):
    """The nodes of a closer look: under suspicion, in doubt, under proof, well ones that vouch for the way, unknown ones."""

    suspects: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    proving: frozenset[str] = frozenset()
    witnesses: frozenset[str] = frozenset()
    newcomers: frozenset[str] = frozenset()

    @property
    def pinged(self) -> frozenset[str]:
        return self.suspects | self.doubted | self.proving | self.witnesses

    @property
    def inspected(self) -> frozenset[str]:
        return self.doubted | self.proving

    @property
    def anybody(self) -> bool:
        return bool(self.pinged | self.newcomers)


class PingTally:
    """Counts unanswered pings over several looks."""

    def __init__(self) -> None:
        self._missed: dict[str, tuple[int, float]] = {}

    def judge(self, answered: Reading[frozenset[str]], whom: Whom, now: float) -> dict[str, Reading[bool]]:
        """Return who answered; "no answer" takes several pings in a row, and well workers that do answer beside it."""
        if isinstance(answered, Known) and whom.witnesses and not answered.value:
            answered = Unknown("no worker answers our pings, not even those that are well", answered.at)
        if isinstance(answered, Unknown):
            self._missed.clear()
            return dict.fromkeys(whom.pinged, answered)
        before, self._missed = self._missed, {}
        return {node: self._pong(node, node in answered.value, before.get(node), now) for node in whom.pinged}

    def _pong(self, node: str, answered: bool, missed: tuple[int, float] | None, now: float) -> Reading[bool]:
        if answered:
            return Known(True, now)
        times, since = missed or (0, now)
        self._missed[node] = (times + 1, since)
        if times + 1 < MISSES or now - since < MISSED_S:
            return Unknown(f"no answer yet, asked {times + 1} times", now)
        return Known(False, now)
