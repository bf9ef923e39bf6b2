"""What is ordered for a whole app: why it cannot begin, its incident, how it is stopped, and how a stopped one ends."""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.ids import opaque
from celeriac.core.incident import Ending, Incident, IncidentState, Remedy, RemedyState
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import App, InstanceState, Place, Verdict
from celeriac.core.places import MISSING
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen

UNSEEN_S = 900.0
"""So long after an order its app may be out of sight."""

BUSY = frozenset({IncidentState.REMEDYING, IncidentState.VERIFYING})


def app_of(place: Place, seen: Seen) -> App | None:
    """Return the app that a place is of, as the platform shows it now; None too where it tells nothing of its instances."""
    apps = seen.platform.value if isinstance(seen.platform, Known) else ()
    found = next((one for one in apps if (one.platform, one.name) == (place.platform, place.app)), None)
    if found is None or found.state == MISSING:
        return None
    return None if any(one.state is InstanceState.UNKNOWN for one in found.instances) else found


def unseen(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen) -> None:
    """End an order whose app the platform has not shown for so long that nobody will ever know."""
    since = remedy.acted_at or remedy.asked_at
    if isinstance(seen.platform, Known) and seen.at - since > UNSEEN_S:
        stop(desk, incident, remedy, "the platform does not show its app any more", seen.at, RemedyState.UNVERIFIED)


def too_late(remedy: Remedy, now: float, policy: Policy) -> str | None:
    """Return why an order that was given or tried last so long ago is not sent any more, or None."""
    if now - (remedy.acted_at or remedy.asked_at) <= policy.approval_ttl_s:
        return None
    return f"not sent: the order is older than {policy.approval_ttl_s / 60:.0f} min by now"


def refusal(desk: Desk, order: Remedy, seen: Seen, policy: Policy, limits: Limits) -> str | None:
    """Return why no order for this app can begin now, or None."""
    if seen.at - order.asked_at > policy.approval_ttl_s:
        return f"it is older than {policy.approval_ttl_s / 60:.0f} min"
    if policy.paused:
        return f"paused: {policy.paused}"
    if why := blindness(seen, limits):
        return f"blind: {why}"
    if app_of(order.place, seen) is None:
        return "the platform does not show it now"
    there = desk.incidents.get(order.place)
    if there is not None and there.state in BUSY:
        return f"another order for it is under way (incident {there.id})"
    if there is not None and there.held_by:
        return f"{there.held_by} holds the incident ({there.held_why}): release it first"
    return None


def shared(desk: Desk, places: tuple[Place, ...]) -> str | None:
    """Return why these places cannot be told apart by their instances, or None if they can."""
    several = [one.name for one in places if one not in desk.findings]
    return f"{', '.join(several)} runs several nodes: restart it by itself" if several else None


def opened(place: Place, order: Remedy, now: float) -> Incident:
    """Return a new incident that an order is told in; nothing is wrong at its place."""
    return Incident(
        id=opaque(place.id, "order", order.id),
        cluster=order.cluster,
        place=place,
        verdict=Verdict.HEALTHY,
        state=IncidentState.OPEN,
        opened_at=now,
        updated_at=now,
    )


def begun(desk: Desk, order: Remedy, places: tuple[Place, ...], text: str, now: float) -> Incident:
    """Return the app's incident with the order as it begins; one that was proposed or has stopped is taken up again."""
    there = desk.incidents.get(order.place)
    incident = story.told(
        there or opened(order.place, order, now),
        now,
        "intended" if there else "opened",
        text,
        state=IncidentState.REMEDYING,
    )
    return replace(
        incident,
        held_reason=None,
        remedy=order.kind,
        remedy_id=order.id,
        members=places,
        healthy_since=None,
        deadline_at=None,
    )


def stop(desk: Desk, incident: Incident, remedy: Remedy, text: str, now: float, state: RemedyState) -> None:
    """End an order short of its aim: a person is to look."""
    ended = replace(remedy, state=state, ended_at=now, note=text)
    desk.put(story.told(incident, now, "escalated", text, state=IncidentState.ESCALATED), ended)


def maybe_over(desk: Desk, incident: Incident, seen: Seen, limits: Limits) -> None:
    """One that was stopped ends when all instances have been well for a while, or are gone."""
    if blindness(seen, limits):
        return
    found = (desk.findings.get(one) for one in incident.members)
    if any(one is not None and not one.well and one.verdict is not Verdict.STOPPED for one in found):
        if incident.healthy_since is not None:
            desk.put(replace(incident, healthy_since=None))
    elif incident.healthy_since is None:
        desk.put(replace(incident, healthy_since=seen.at))
    elif seen.at - incident.healthy_since >= limits.recovered_s:
        text = f"all are well or gone for {limits.recovered_s:.0f} s"
        desk.put(story.resolved(incident, seen.at, text, Ending.RECOVERED))
