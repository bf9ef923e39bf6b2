"""Live repairs: what remote control mends in a running worker, without a restart."""

from enum import StrEnum

from msgspec import Struct


class RepairKind(StrEnum):
    """Celery's own commands (`celery control`)."""

    ADD_CONSUMER = "add_consumer"
    POOL_GROW = "pool_grow"
    REVOKE = "revoke"


class Repair(Struct, frozen=True):
    """One such command with what it is for: a queue, a number of processes, or the id of a task.

    `names` is what an app policy must name for the keeper to do it by itself: the queues of the worker, or the task's name.
    """

    kind: RepairKind
    what: str
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return what is done, in words."""
        match self.kind:
            case RepairKind.ADD_CONSUMER:
                return f"have it consume {self.what} again"
            case RepairKind.POOL_GROW:
                return f"grow its pool by {self.what} processes"
            case RepairKind.REVOKE:
                return f"revoke the task {self.what} and end the process that runs it"
