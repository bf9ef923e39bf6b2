"""The state machine of one instance slot, as Diego keeps it ("actual LRP"), and what the v3 API calls each state.

Everything here is a value or a pure function: `now` is an argument, in seconds of a monotonic clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from celeriac.emulator import schedule


class LrpState(StrEnum):
    """Diego's own states."""

    UNCLAIMED = "UNCLAIMED"
    CLAIMED = "CLAIMED"
    RUNNING = "RUNNING"
    CRASHED = "CRASHED"


class InstanceState(StrEnum):
    """The states that the v3 API reports."""

    RUNNING = "RUNNING"
    STARTING = "STARTING"
    CRASHED = "CRASHED"
    DOWN = "DOWN"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class ActualLrp:
    """What Diego knows of one index; `since` is when it entered its state, `pid` and `port` hold only while RUNNING."""

    index: int
    state: LrpState
    since: float
    instance_guid: str = ""
    crash_count: int = 0
    pid: int = 0
    port: int = 0
    placement_error: str = ""


def unclaimed(index: int, now: float) -> ActualLrp:
    """Return a fresh slot that waits for a cell."""
    return ActualLrp(index, LrpState.UNCLAIMED, now)


def unplaceable(lrp: ActualLrp, reason: str, now: float) -> ActualLrp:
    """Return the slot when no cell had room for it."""
    since = lrp.since if lrp.placement_error else now
    return ActualLrp(lrp.index, LrpState.UNCLAIMED, since, crash_count=lrp.crash_count, placement_error=reason)


def claimed(lrp: ActualLrp, instance_guid: str, now: float) -> ActualLrp:
    """Return the slot when a cell has begun to create its container."""
    return ActualLrp(lrp.index, LrpState.CLAIMED, now, instance_guid, lrp.crash_count)


def running(lrp: ActualLrp, pid: int, port: int, now: float) -> ActualLrp:
    """Return the slot when its process runs."""
    return replace(lrp, state=LrpState.RUNNING, since=now, pid=pid, port=port)


def crashed(lrp: ActualLrp, now: float, ran: float) -> ActualLrp:
    """Return the slot after an exit that nobody asked for; `ran` is seconds in RUNNING on Diego's clock."""
    count = schedule.next_crash_count(lrp.crash_count, ran)
    at_once = schedule.may_restart(count, 0.0)
    state = LrpState.UNCLAIMED if at_once else LrpState.CRASHED
    return ActualLrp(lrp.index, state, now, crash_count=count)


def reported_state(lrp: ActualLrp | None, *, desired: bool) -> InstanceState:
    """Translate a slot for the v3 API; `desired` is False once its app was stopped."""
    if lrp is None:
        return InstanceState.DOWN
    if not desired:
        return InstanceState.STOPPING
    match lrp.state:
        case LrpState.RUNNING:
            return InstanceState.RUNNING
        case LrpState.CLAIMED:
            return InstanceState.STARTING
        case LrpState.UNCLAIMED:
            return InstanceState.DOWN if lrp.placement_error else InstanceState.STARTING
        case LrpState.CRASHED:
            return InstanceState.CRASHED
