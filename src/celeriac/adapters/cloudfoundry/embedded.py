"""The short word on instances that comes with a list of processes, and whether it tells of anything new.

`since` tells how long ago an instance's state changed, or when, by version. As an age it is known to a second and to the time
that the answer took, so that two ages are the same start if their spans meet; what is younger than `YOUNG_S` never counts as known.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

EPOCH = 1e9
YOUNG_S = 20.0
KNOWN = frozenset({"RUNNING", "CRASHED"})
"""States of which the long word (stats) tells nothing more as long as they last."""


class Start(Struct, frozen=True):
    """One index's state, and the span in which it began; `age_s` is about how long it has lasted."""

    state: str
    first: float
    last: float
    age_s: float


class Short(Struct, frozen=True):
    """The short word on one process."""

    version: str
    wanted: int
    starts: Mapping[int, Start]

    @property
    def settled(self) -> bool:
        """Tell whether it may stand for the long word, once that has been read."""
        return len(self.starts) == self.wanted and all(
            one.state in KNOWN and one.age_s >= YOUNG_S for one in self.starts.values()
        )

    def same(self, other: "Short") -> bool:
        """Tell whether nothing has changed between the two."""
        if (self.version, self.wanted, self.starts.keys()) != (other.version, other.wanted, other.starts.keys()):
            return False
        return all(_same(one, other.starts[index]) for index, one in self.starts.items())


def short(process: Mapping[str, Any], asked: float, answered: float, wall: float) -> Short | None:
    """Return what a listed process embeds, asked and answered by a steady clock; None if it embeds nothing."""
    given = process.get("process_instances")
    if given is None:
        return None
    starts = {one["index"]: _start(one["state"], float(one["since"] or 0), asked, answered, wall) for one in given}
    return Short(process.get("version") or "", process["instances"], starts)


def _start(state: str, since: float, asked: float, answered: float, wall: float) -> Start:
    if since > EPOCH:
        return Start(state, since, since, wall - since)
    return Start(state, asked - since - 1, answered - since, since)


def _same(one: Start, other: Start) -> bool:
    """Compare two starts; of an index that is not there nothing tells since when."""
    met = one.first <= other.last and other.first <= one.last
    return one.state == other.state and (met or one.state == "DOWN")
