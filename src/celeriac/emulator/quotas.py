"""What the quotas of an organization and of a space refuse, in the platform's words; only started apps count."""

from collections.abc import Iterable
from dataclasses import dataclass

from celeriac.emulator.entities import Process, Space
from celeriac.emulator.space_config import QuotaConfig

# What each quota calls the same excess: memory together, memory of one process, instances, log rate.
_ORGANIZATION = (
    "memory quota_exceeded",
    "memory instance_memory_limit_exceeded",
    "app_instance_limit app_instance_limit_exceeded",
    "log_rate_limit exceeds organization log rate quota",
)
_SPACE = (
    "memory space_quota_exceeded",
    "memory space_instance_memory_limit_exceeded",
    "app_instance_limit space_app_instance_limit_exceeded",
    "log_rate_limit exceeds space log rate quota",
)


@dataclass(frozen=True, slots=True)
class Running:
    """A process of a started app, and where it belongs."""

    process: Process
    space: Space


def excess(wanted: Iterable[Running], changed: Iterable[Running]) -> list[str]:
    """Return what would be too much if all of `wanted` ran, seen from the processes that are `changed` among them."""
    everything, found = list(wanted), list[str]()
    for one in changed:
        here = [each.process for each in everything if each.space.guid == one.space.guid]
        around = [each.process for each in everything if each.space.org.guid == one.space.org.guid]
        if one.space.quota:
            found += _refusals(one.space.quota, _SPACE, here, one.process)
        found += _refusals(one.space.org.quota, _ORGANIZATION, around, one.process)
    return list(dict.fromkeys(found))


def _refusals(quota: QuotaConfig, words: tuple[str, ...], processes: list[Process], one: Process) -> list[str]:
    taken = (
        (quota.memory_mb, sum(each.memory_mb * each.instances for each in processes)),
        (quota.process_memory_mb, one.memory_mb),
        (quota.instances, sum(each.instances for each in processes)),
        (quota.log_bytes_per_second, _log_rate(processes)),
    )
    return [word for word, (bound, amount) in zip(words, taken, strict=True) if bound is not None and amount > bound]


def _log_rate(processes: list[Process]) -> float:
    """An unlimited process is more than any quota allows."""
    unlimited = any(each.log_bytes_per_second < 0 and each.instances for each in processes)
    return float("inf") if unlimited else sum(each.log_bytes_per_second * each.instances for each in processes)
