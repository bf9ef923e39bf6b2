"""A person's order, held against the present: it is bound to what the person saw, and lapses when that has changed."""

from celeriac.core.blindness import blindness
from celeriac.core.finding import Finding
from celeriac.core.incident import Incident, IncidentState, Remedy
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Verdict
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def refusal(
    order: Remedy, finding: Finding | None, incident: Incident | None, seen: Seen, policy: Policy, limits: Limits
) -> str | None:
    """Return why an order cannot be carried out now, or None if it can."""
    if seen.at - order.asked_at > policy.approval_ttl_s:
        return f"it is older than {policy.approval_ttl_s / 60:.0f} min"
    if policy.paused:
        return f"paused: {policy.paused}"
    return _blind(order, seen, finding, limits) or _changed(order, finding) or _not_now(order, finding, incident)


def _blind(order: Remedy, seen: Seen, finding: Finding | None, limits: Limits) -> str | None:
    if not order.repair and not isinstance(seen.platform, Known):
        return "the platform cannot be read now"
    why = blindness(seen, limits)
    if finding is not None and finding.verdict is Verdict.BLIND:
        why = why or "; ".join(finding.notes)
    return f"blind: {why}" if why else None


def _changed(order: Remedy, finding: Finding | None) -> str | None:
    if order.repair:
        return _repairs_another(order, finding)
    if finding is None or finding.site is None or finding.site.instance is None:
        return "there is no instance at this place any more"
    if order.guid != finding.guid:
        return f"the instance has changed: it was {order.guid}, now it is {finding.guid or 'gone'}"
    if order.pid is not None and finding.pid is not None and (order.node, order.pid) != (finding.node, finding.pid):
        return f"the worker has changed: pid {order.pid} became {finding.pid}"
    return None


def _repairs_another(order: Remedy, finding: Finding | None) -> str | None:
    """A repair needs no platform, but just this process, and that it lacks the same."""
    if finding is None or (order.node, order.pid) != (finding.node, finding.pid):
        return f"the worker has changed: pid {order.pid} became {finding.pid if finding else 'gone'}"
    return None if order.repair == finding.repair else "what it lacks has changed"


def _not_now(order: Remedy, finding: Finding | None, incident: Incident | None) -> str | None:
    busy = incident is not None and incident.state in {IncidentState.REMEDYING, IncidentState.VERIFYING}
    if busy and incident is not None:
        return f"a remedy is already under way (incident {incident.id})"
    if incident is not None and incident.held_by:
        return f"{incident.held_by} holds the incident ({incident.held_why}): release it first"
    if order.incident is None:
        return None
    if incident is None or incident.id != order.incident:
        return "the incident is over"
    changed = order.verdict is not None and finding is not None and finding.verdict is not order.verdict
    if finding is None or finding.remedy is not order.kind or changed:
        return f"the evidence has changed: the worker is now {finding.verdict if finding else 'gone'}"
    return None
