"""Which restarts were wanted, made, false and unverified: the soak's account. No clock, no input, no output."""

from collections.abc import Sequence
from dataclasses import dataclass

LATE_S = 300.0
"""How long after its fault a restart may come: budget, quorum and our own pauses can delay it."""


@dataclass(frozen=True)
class Wanted:
    """A worker that only a restart mends, since some time (seconds since the epoch)."""

    worker: str
    at: float
    what: str


@dataclass(frozen=True)
class Made:
    """A restart of one instance by Celeriac, as the platform recorded it, in whole seconds."""

    worker: str
    at: float


@dataclass(frozen=True)
class Account:
    """The sum of it. `missed` are faults that no restart followed."""

    wanted: tuple[Wanted, ...]
    made: tuple[Made, ...]
    false: tuple[Made, ...]
    missed: tuple[Wanted, ...]
    unverified: tuple[str, ...]

    @property
    def words(self) -> str:
        return (
            f"restarts wanted {len(self.wanted)}, made {len(self.made)}, false {len(self.false)}, "
            f"unverified {len(self.unverified)}, missed {len(self.missed)}"
        )


def account(wanted: Sequence[Wanted], made: Sequence[Made], unverified: Sequence[str]) -> Account:
    """Match each restart with the one fault that it mends; a restart without one, or a second one, is false."""
    left, false = list(wanted), list[Made]()
    for one in sorted(made, key=lambda one: one.at):
        fits = (fault for fault in left if fault.worker == one.worker and -1 <= one.at - fault.at <= LATE_S)
        fault = next(fits, None)
        if fault is None:
            false.append(one)
        else:
            left.remove(fault)
    return Account(tuple(wanted), tuple(made), tuple(false), tuple(left), tuple(unverified))
