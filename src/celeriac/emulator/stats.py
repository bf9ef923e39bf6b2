"""How the v3 API shows the instances of a process: `stats` with all details, and the short `process_instances`."""

import time
from typing import Any

from celeriac.emulator.cloud_controller import Observation
from celeriac.emulator.entities import Process
from celeriac.emulator.environment import ADDRESS, FILE_DESCRIPTORS
from celeriac.emulator.lrp import ActualLrp, InstanceState, LrpState, reported_state
from celeriac.emulator.presenters import Json
from celeriac.emulator.usage import Meter, Usage

_MIB = 1024 * 1024


def stats(seen: Observation, meter: Meter, *, guids: bool) -> list[Json]:
    """Return one entry an index; `guids` is False for API versions that did not tell instance guids yet."""
    entries = []
    process = seen.process
    for index in range(process.instances):
        slot = seen.slots.get(index)
        state = reported_state(slot, desired=seen.desired)
        entry = _common(process, index, slot, state)
        if slot and state is not InstanceState.DOWN:
            entry |= _placement(slot) | _resources(process, slot, state, meter)
            entry |= {"instance_guid": slot.instance_guid} if guids else {}
        entries.append(entry)
    return entries


def process_instances(seen: Observation) -> list[Json]:
    """Return index, state and the seconds since the state changed, for each index."""
    slots = {index: seen.slots.get(index) for index in range(seen.process.instances)}
    return [
        {"index": index, "state": reported_state(slot, desired=seen.desired), "since": _age(slot)}
        for index, slot in slots.items()
    ]


def _common(process: Process, index: int, slot: ActualLrp | None, state: InstanceState) -> Json:
    routable = state in (InstanceState.RUNNING, InstanceState.STOPPING)
    return {
        "type": process.type,
        "index": index,
        "state": state,
        "routable": routable if slot else None,
        "uptime": _age(slot),
        "isolation_segment": None,
        "details": (slot.placement_error or None) if slot else None,
    }


def _placement(slot: ActualLrp) -> Json:
    if slot.state is not LrpState.RUNNING:
        return {"host": "", "instance_internal_ip": "", "instance_ports": []}
    ports = {
        "external": slot.port,
        "internal": slot.port,
        "external_tls_proxy_port": None,
        "internal_tls_proxy_port": None,
    }
    return {"host": ADDRESS, "instance_internal_ip": ADDRESS, "instance_ports": [ports]}


def _resources(process: Process, slot: ActualLrp, state: InstanceState, meter: Meter) -> Json:
    """Show quotas and usage, which come from metrics: only what runs and is wanted has any."""
    measured = state is InstanceState.RUNNING
    resources: Json = {
        "mem_quota": process.memory_mb * _MIB if measured else None,
        "disk_quota": process.disk_mb * _MIB if measured else None,
        "log_rate_limit": process.log_bytes_per_second if measured else None,
        "fds_quota": FILE_DESCRIPTORS,
    }
    if state is InstanceState.STOPPING:
        return resources | {"usage": {}}
    return resources | {"usage": _usage(meter.read(slot.pid) if measured else Usage())}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "cpu": usage.cpu,
        "cpu_entitlement": usage.cpu,
        "mem": usage.mem,
        "disk": 0,
        "log_rate": 0,
    }


def _age(slot: ActualLrp | None) -> int:
    return int(time.monotonic() - slot.since) if slot else 0
