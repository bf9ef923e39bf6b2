"""Capacity in sentences: the advice, what quotas leave, and how much was seen."""

from collections.abc import Sequence
from datetime import UTC, datetime

from celeriac.core.apps import Room
from celeriac.core.capacity import Advice, Scene, slots_per_instance

NOTHING_SEEN = (
    "How busy its workers are has not been seen yet: it is looked at every few seconds while the keeper judges a worker of its "
    "as online."
)


def advice_text(scene: Scene, advice: Advice, wait_s: float, quota: str) -> str:
    """Return the advice in one sentence."""
    peak = scene.peak
    waited = scene.measured.wait_p95_s
    seen = f"{peak.mean_busy:.3g} of {peak.mean_slots:.3g} slots busy"
    at = f"{day_and_time(peak.at)}: {seen}" + (f", p95 wait {span(waited)}" if waited is not None else "")
    each = slots_per_instance(scene.full)
    had = number_of(peak.instances) + (f" of {each} {'slot' if each == 1 else 'slots'}" if each else "")
    if advice.needed is None:
        return f"{had} had the peak ({at}); how many it needs cannot be told: {advice.unknown}; {quota}."
    verb = "was" if peak.instances == 1 else "were"
    enough = "enough" if waited is None or waited <= wait_s else "not enough"
    held = "" if waited is None else f" {verb} {enough} at"
    are = "is" if advice.needed == 1 else "are"
    return (
        f"{had}{held or ' had'} the peak ({at}); for p95 under {span(wait_s)} at that peak {advice.needed} {are} needed, "
        f"{advice.spare} with one lost; {quota}."
    )


def quota_text(rooms: Sequence[Room]) -> tuple[int | None, str]:
    """Return how many more instances the tightest quota leaves (None: without a bound), and that in words."""
    left = min((one.instances_left for one in rooms if one.instances_left is not None), default=None)
    memory = min((one.memory_left_mb for one in rooms if one.memory_left_mb is not None), default=None)
    beside = f", and {memory:,} MB of memory for them" if memory is not None else ""
    if left is not None:
        return left, f"the quota leaves {left} more{beside}"
    if memory is not None:
        return None, f"no quota bounds the number of instances; {memory:,} MB of memory are left"
    return None, "no quota bounds its instances"


def seen_text(seen_s: float, whole_s: float) -> str:
    """Return how much of the range was seen."""
    return f"seen {long_span(seen_s)} of {long_span(whole_s)}"


def day_and_time(at: float) -> str:
    """Return the day of the week and the time of day, as UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%a %H:%M UTC")


def number_of(instances: int) -> str:
    """Return a number of instances in words."""
    return "1 instance" if instances == 1 else f"{instances} instances"


def span(seconds: float) -> str:
    """Return a wait in the unit that fits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def long_span(seconds: float) -> str:
    """Return a long time in the unit that fits it."""
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.3g} days"
