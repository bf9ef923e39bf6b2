"""How fast: from many rows' results the median, the 95th percentile and the slowest of each kind of finding."""

import math
import statistics
from collections.abc import Callable, Iterable

from faults.results import Result

_SILENT = frozenset({"F3", "F4", "F12"})
_DEAF = frozenset({"F5", "F6"})

KINDS: tuple[tuple[str, Callable[[Result], float | None]], ...] = (
    ("a crash found (F1), from the kill", lambda one: _found(one, {"F1"}, "crashed")),
    ("a hang found, prefork (F3, F4, F12)", lambda one: _found(one, _SILENT, "hung", prefork=True)),
    ("a hang found, other pools with `may_block = 60`", lambda one: _found(one, _SILENT, "hung", prefork=False)),
    ("deaf found while work waits (F5, F6)", lambda one: _found(one, _DEAF, "deaf")),
    ("a remedy proven, from the first heartbeat of the new process", lambda one: one.get("proven_s")),
)
_HEADINGS = "| what | rows | median | p95 | slowest |\n|---|---|---|---|---|"


def table(results: Iterable[Result]) -> str:
    """Return a line for each kind that any of these rows shows."""
    ran = list(results)
    lines = [_HEADINGS]
    for what, figure in KINDS:
        seconds = sorted(found for one in ran if (found := figure(one)) is not None)
        if seconds:
            cells = (statistics.median(seconds), p95(seconds), seconds[-1])
            lines.append(f"| {what} | {len(seconds)} | {' | '.join(f'{one:.0f} s' for one in cells)} |")
    return "\n".join(lines)


def p95(ordered: list[float]) -> float:
    """Return the 95th percentile by nearest rank: of fewer than twenty figures that is the greatest."""
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def _found(one: Result, modes: Iterable[str], verdict: str, *, prefork: bool | None = None) -> float | None:
    row = one["row"]
    fits = row["mode"] in modes and (prefork is None or (row["pool"] == "prefork") is prefork)
    return one["after_s"] if fits and verdict in one["verdict"] else None
