"""What may be wrong with the foundation on demand: each fault is a value, put in force at start or while it runs.

`faulty_way` makes answers wrong by them; Diego, the clock and the UAA ask for those that concern themselves.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from celeriac.emulator.tables import Table


class FaultKind(StrEnum):
    """What can be wrong."""

    SLOW = "slow"
    BAD_GATEWAY = "bad_gateway"
    NOT_JSON = "not_json"
    CUT_OFF = "cut_off"
    RATE_LIMIT = "rate_limit"
    TOKENS_EXPIRED = "tokens_expired"
    DIEGO_DOWN = "diego_down"
    NO_USAGE = "no_usage"
    LOG_CACHE_DOWN = "log_cache_down"
    NO_CAPACITY = "no_capacity"
    QUOTA = "quota"
    CLOCK_SKEW = "clock_skew"
    LOST_ROLE = "lost_role"
    ORG_SUSPENDED = "org_suspended"


_KINDS = tuple(kind.value for kind in FaultKind)
_WITH_SECONDS = {
    FaultKind.SLOW: "the seconds that each answer takes longer",
    FaultKind.CLOCK_SKEW: "by how many seconds the foundation's clock is ahead, below 0 if it is behind",
}
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; it ends by itself after `for_s` seconds, and concerns the paths that fit one of `paths` (`*` fits any text).

    `seconds`: how much longer an answer takes (slow), or how far the clock is ahead (clock_skew). `limit`: so many requests
    are answered to each caller within `reset_s` (rate_limit). `detail`: what the API says (quota).
    """

    kind: FaultKind
    seconds: float = 0.0
    limit: int = 0
    reset_s: float = HOUR_SECONDS
    detail: str = "memory quota_exceeded"
    for_s: float | None = None
    paths: tuple[str, ...] = ("*",)

    def concerns(self, path: str) -> bool:
        """Tell whether a path is one of its own."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)


def read_fault(table: Table) -> Fault:
    """Read a fault from a table of TOML or JSON; raises `EmulatorConfigError`."""
    if not table.has("kind"):
        raise table.error("kind", f"is missing: give {' or '.join(map(repr, _KINDS))}")
    kind = FaultKind(table.choice("kind", "", _KINDS))
    if kind in _WITH_SECONDS and not table.has("seconds"):
        raise table.error("seconds", f"is missing: give {_WITH_SECONDS[kind]}")
    fault = Fault(
        kind=kind,
        seconds=table.number("seconds", 0.0, least=None if kind is FaultKind.CLOCK_SKEW else 0.0),
        limit=table.count("limit", 0),
        reset_s=table.seconds("reset_s", HOUR_SECONDS),
        detail=table.text("detail", "memory quota_exceeded"),
        for_s=table.seconds("for_s", 1.0) if table.has("for_s") else None,
        paths=table.texts("paths", ("*",)),
    )
    table.close()
    return fault


def read_faults(table: Table) -> tuple[Fault, ...]:
    """Read all faults of a table, from its `faults`."""
    return tuple(read_fault(one) for one in table.tables("faults"))


@dataclass(slots=True)
class InForce:
    """A fault with the moment, by a monotonic clock, at which it ends; and of a rate limit what each caller has asked for."""

    fault: Fault
    until: float | None
    asked: dict[str, tuple[float, int]] = field(default_factory=dict)


class Faults:
    """The faults in force; `at_once` holds what is done when a fault of its kind is put, for those that only happen."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._in_force: tuple[InForce, ...] = ()
        self._lock = threading.Lock()
        self.at_once: Mapping[FaultKind, Callable[[], None]] = {}

    def put(self, *faults: Fault) -> None:
        """Let these faults be in force from now on, and no others."""
        now = self._monotonic()
        with self._lock:
            self._in_force = tuple(
                InForce(one, None if one.for_s is None else now + one.for_s)
                for one in faults
                if one.kind not in self.at_once
            )
        for kind in {one.kind for one in faults} & self.at_once.keys():
            self.at_once[kind]()

    def clear(self) -> None:
        """End all faults."""
        self.put()

    def find(self, kind: FaultKind, path: str | None = None) -> InForce | None:
        """Return the first fault of a kind that is in force, for this path if one is given."""
        for one in self._now():
            if one.fault.kind is kind and (path is None or one.fault.concerns(path)):
                return one
        return None

    def has(self, kind: FaultKind, path: str | None = None) -> bool:
        """Tell whether a fault of this kind is in force."""
        return self.find(kind, path) is not None

    def ahead(self) -> float:
        """Return by how many seconds the foundation's clock is ahead."""
        return sum(one.fault.seconds for one in self._now() if one.fault.kind is FaultKind.CLOCK_SKEW)

    def count(self, limit: InForce, caller: str) -> tuple[int, float]:
        """Count one request against a rate limit; return how many its caller has left, below 0 if none, and until when in s."""
        now = self._monotonic()
        with self._lock:
            since, asked = limit.asked.get(caller, (now, 0))
            if now - since >= limit.fault.reset_s:
                since, asked = now, 0
            limit.asked[caller] = (since, asked + 1)
        return limit.fault.limit - asked - 1, since + limit.fault.reset_s - now

    def described(self) -> list[dict[str, Any]]:
        """Return the faults in force as JSON, each with the seconds that are left of it."""
        now = self._monotonic()
        return [_described(one, now) for one in self._now()]

    def _now(self) -> Iterable[InForce]:
        now = self._monotonic()
        return [one for one in self._in_force if one.until is None or now < one.until]


def _described(one: InForce, now: float) -> dict[str, Any]:
    fault = one.fault
    own: dict[str, Any] = {}
    if fault.kind in _WITH_SECONDS:
        own = {"seconds": fault.seconds}
    elif fault.kind is FaultKind.RATE_LIMIT:
        own = {"limit": fault.limit, "reset_s": fault.reset_s}
    elif fault.kind is FaultKind.QUOTA:
        own = {"detail": fault.detail}
    left = None if one.until is None else round(one.until - now, 1)
    return {"kind": fault.kind.value, **own, "paths": list(fault.paths), "left_s": left}
