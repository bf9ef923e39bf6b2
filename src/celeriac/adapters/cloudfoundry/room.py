"""What the quotas of an organization and of a space leave, beside what started apps use."""

from typing import Any

from celeriac.adapters.cloudfoundry.where import Where, part, quota_of
from celeriac.core.apps import Room
from celeriac.core.errors import MissingError, RefusedError


def room(where: Where) -> tuple[Room, ...]:
    """Return one for each quota that applies."""
    session = where.session
    org_guid, space_guid = where.org_id(), where.space_id()
    found = []
    org_quota = quota_of(where.organization())
    if org_quota:
        quota = session.get(f"/v3/organization_quotas/{part(org_quota)}")
        used = _summary(where, org_guid)
        told = f"quota {quota['name']} of organization {where.org}"
        if used is None:
            used, told = (
                _used(where, organization_guids=org_guid),
                f"{told} (use of spaces that we do not see is not in)",
            )
        found.append(_left(told, quota["apps"], *used))
    space_quota = quota_of(session.get(f"/v3/spaces/{part(space_guid)}"))
    if space_quota:
        quota = session.get(f"/v3/space_quotas/{part(space_quota)}")
        told = f"quota {quota['name']} of space {where.space}"
        found.append(_left(told, quota["apps"], *_used(where, space_guids=space_guid)))
    return tuple(found)


def _left(told: str, most: dict[str, Any], instances: int, memory: int) -> Room:
    return Room(
        told,
        _minus(most.get("total_instances"), instances),
        _minus(most.get("total_memory_in_mb"), memory),
        most.get("per_process_memory_in_mb"),
    )


def _minus(most: int | None, used: int) -> int | None:
    return None if most is None else max(0, most - used)


def _summary(where: Where, org: str) -> tuple[int, int] | None:
    """Return the instances and megabytes of the whole organization; None where only its managers may know."""
    try:
        summary = where.session.get(f"/v3/organizations/{part(org)}/usage_summary")["usage_summary"]
    except (MissingError, RefusedError):
        return None
    return int(summary["started_instances"]), int(summary["memory_in_mb"])


def _used(where: Where, **which: str) -> tuple[int, int]:
    """Return the instances and megabytes of the started apps that we see."""
    every = {**which, "per_page": 5000}
    started = {one["guid"] for one in where.session.pages("/v3/apps", **every) if one["state"] == "STARTED"}
    running = [
        one
        for one in where.session.pages("/v3/processes", **every)
        if one["relationships"]["app"]["data"]["guid"] in started
    ]
    return sum(one["instances"] for one in running), sum(one["instances"] * one["memory_in_mb"] for one in running)
