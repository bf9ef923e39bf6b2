"""What must come of each row: the verdicts that are right, what may be shown on the way, and which remedy is wanted.

The table follows `docs/explanation/the-cycle.md`, not what a version of Celeriac does: where the two differ, the row is wrong.
"""

from dataclasses import dataclass, replace

from faults.rows import Row

RESTART = "restart_instance"
REPAIR = "live_repair"
CONVICTIONS = frozenset({"crashed", "crash-looping", "hung", "deaf", "damaged"})
"""Verdicts that say something is wrong with a worker."""


@dataclass(frozen=True)
class Expected:
    """What is right of the ill worker; of its healthy siblings it is always no conviction and no restart."""

    verdicts: tuple[str, ...]
    """One of these must be given."""

    remedies: tuple[str, ...] = ()
    """One of these must be made, and proven; empty: nothing may be done."""

    way: frozenset[str] = frozenset()
    """Convictions that may be shown too, as on the way to the right one."""

    approved: bool = False
    """Whether a remedy may wait for a person (who then approves): less is proven of such a worker."""

    alone: bool = False
    """Whether it may also get well by itself, without a verdict and without a remedy."""

    back: bool = True
    """Whether it must be healthy at the end."""

    proven: bool = False
    """Whether an incident must end with proof although nothing was done: the platform heals it."""

    note: str = ""
    """A word that one of its notes must hold."""

    told: str = ""
    """What a note of the whole cluster must hold; where nothing is wanted, no note may be there."""


HUNG = Expected(("hung",), (RESTART,))
WELL = Expected(("healthy",))

TABLE = {
    "F1": Expected(("crashed",), proven=True),
    "F2": WELL,
    "F3": HUNG,
    "F4": HUNG,
    "F5": Expected(("deaf",), (RESTART,)),
    "F6": Expected(("deaf",), (REPAIR,), approved=True),  # somebody may have done it on purpose
    "F7": Expected(("damaged",), ("recycle", REPAIR, RESTART), approved=True),
    "F8": Expected(("busy",)),
    "F9": Expected(("busy",)),
    "F10": Expected(("draining",)),
    "F11": Expected(("blind",)),
    "F12": HUNG,
    "F13": WELL,
    "F14": WELL,
    "F15": replace(WELL, note="processes use the node name"),
    "F16": Expected(("healthy", "blind")),
    "F17": WELL,
    "F18": Expected(("crashed", "crash-looping"), alone=True, back=False),
    "F19": replace(WELL, told="no sample.tick since"),
    "F20": Expected(("stopped", "draining", "healthy")),
    "F21": Expected(("crash-looping",), way=frozenset({"crashed"}), back=False),
}


def expected(row: Row) -> Expected:
    """Return what is right in this row."""
    found = TABLE[row.mode]
    if RESTART in found.remedies and (row.nameless or row.pool != "prefork"):
        # Redis cannot tell these workers apart, or any other pool than prefork may be silent while a task runs.
        found = replace(found, approved=True)
    if row.mode == "F5" and not row.nameless:
        found = replace(found, alone=True)  # kombu 5.7 drops a connection whose BRPOP has no answer for 43 s
    if row.mode == "F12" and row.broker == "rabbitmq":
        found = replace(found, alone=True)  # AMQP's own heartbeat finds it, and the new connection passes
    if row.mode == "F15" and row.broker == "rabbitmq":
        # The name of a remote-control queue is taken: the second process may end with exit code 1, and the container with it.
        found = replace(found, verdicts=("healthy", "crashed"), note="", proven=True)
    if row.mode == "F10" and row.pool == "solo":
        found = replace(found, verdicts=("draining", "busy"))  # it says goodbye only after the task
    if row.mode == "F11" and row.celery in {"5.3.6", "5.7.0"} and row.broker == "redis":
        # Known of these two: 5.3.6 may come back deaf, 5.7.0 may end with exit code 1 where it held a message.
        found = replace(
            found, way=frozenset({"deaf", "hung", "crashed"}), remedies=(RESTART,), approved=True, alone=True
        )
    return found
