"""A rolling restart of an app, by our own loop: one instance at a time, each proven before the next, to the first that is not.

The order's remedy keeps what is left and whose turn it is. Each turn is a restart like any other, with an incident of its
own; so whoever is the keeper goes on where the last one was killed.
"""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.app_orders import BUSY, app_of, begun, maybe_over, refusal, shared, stop
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.ids import opaque
from celeriac.core.incident import Incident, IncidentState, Remedy, RemedyKind, RemedyState
from celeriac.core.ledger import RUNNING
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Place
from celeriac.core.proposal import share, turns
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def begin(desk: Desk, order: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Journal a person's order or approval with every instance that it is for, the ill ones first, or say why not."""
    app = app_of(order.place, seen)
    places = turns(app, seen.cluster, desk.findings) if app else ()
    no = refusal(desk, order, seen, policy, limits) or _refusal(desk, order, places, seen, policy)
    if no is not None:
        desk.refuse(order, no, seen.at, paused=policy.paused is not None)
        return
    did = "approved" if order.incident else "ordered"
    names = ", ".join(one.name for one in places)
    text = f"{order.actor} {did} a restart of {order.place.name}: {len(places)} instances, one at a time: {names}"
    incident = begun(desk, order, places, text, seen.at)
    remedy = replace(order, state=RemedyState.INTENDED, asked_at=seen.at, incident=incident.id, attempts=1, left=places)
    desk.put(incident, remedy)


def _refusal(desk: Desk, order: Remedy, places: tuple[Place, ...], seen: Seen, policy: Policy) -> str | None:
    if not places:
        return "the platform shows no instance of it now"
    return shared(desk, places) or (_not_as_approved(desk, order, seen, policy) if order.incident else None)


def _not_as_approved(desk: Desk, order: Remedy, seen: Seen, policy: Policy) -> str | None:
    """An approval is bound to what was proposed: that still so many are ill."""
    there = desk.incidents.get(order.place)
    if there is None or there.id != order.incident:
        return "the incident is over"
    now = share(desk, app_of(order.place, seen), seen, policy)
    return None if now.many else f"the evidence has changed: now {now.text}"


def go_on(desk: Desk, incident: Incident, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Hear how the last instance fares, and restart the next one once it is proven."""
    remedy = desk.remedies.get(incident.remedy_id or "")
    if incident.state in {IncidentState.OPEN, IncidentState.HELD}:
        return  # it is proposed
    if incident.state is not IncidentState.REMEDYING or remedy is None:
        maybe_over(desk, incident, seen, limits)
    elif remedy.turn is not None:
        _hear(desk, incident, remedy, seen)
    elif not remedy.left:
        text = f"all {len(incident.members)} instances were restarted or are gone, and are proven to work"
        ended = replace(remedy, state=RemedyState.VERIFIED, ended_at=seen.at)
        desk.put(story.resolved(incident, seen.at, text), ended)
    elif not (desk.full or policy.paused or blindness(seen, limits)):
        _next(desk, incident, remedy, seen, limits)


def _hear(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen) -> None:
    """Go on only after a proof."""
    place, turn = remedy.left[0], desk.remedies.get(remedy.turn or "")
    if turn is not None and turn.state in RUNNING:
        return
    if turn is None or turn.state is not RemedyState.VERIFIED:
        how = f"is {turn.state}: {turn.note or 'its incident tells why'}" if turn else "is not known any more"
        _stop(desk, incident, remedy, f"the restart of {place.name} {how}", seen.at)
        return
    left = remedy.left[1:]
    text = f"{place.name} is proven to work; {len(left)} left"
    desk.put(story.told(incident, seen.at, "proven", text), replace(remedy, left=left, turn=None))


def _next(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen, limits: Limits) -> None:
    place, app = remedy.left[0], app_of(incident.place, seen)
    if app is None and isinstance(seen.platform, Known):
        _stop(desk, incident, remedy, "its app is not watched any more", seen.at)
        return
    if app is None or not isinstance(seen.changes, Known):
        return  # the next look may tell
    finding, there = desk.findings.get(place), desk.incidents.get(place)
    mine = (one for one in seen.changes.value if (one.platform, one.app) == (place.platform, place.app))
    theirs = [one for one in mine if one.at > remedy.asked_at and not desk.ledger.explains(one)]
    if theirs:
        _stop(desk, incident, remedy, f"{theirs[0].actor or 'somebody'} {theirs[0].what} meanwhile", seen.at)
    elif place not in {one.place(seen.cluster) for one in app.instances}:
        text = f"{place.name} is not wanted any more"
        desk.put(story.told(incident, seen.at, "left out", text), replace(remedy, left=remedy.left[1:]))
    elif finding is None or finding.guid is None:
        _stop(desk, incident, remedy, f"{place.name} has no running instance of its own", seen.at)
    elif there is not None and there.held_by:
        _stop(desk, incident, remedy, f"{there.held_by} holds the incident of {place.name}", seen.at)
    elif there is None or there.state not in BUSY:
        _restart(desk, incident, remedy, finding, seen.at, limits)


def _restart(desk: Desk, incident: Incident, remedy: Remedy, finding: Finding, now: float, limits: Limits) -> None:
    """Order the restart of one instance, as if its person had ordered it."""
    place = finding.place
    turn = Remedy(
        id=opaque(remedy.id, place.id),
        cluster=remedy.cluster,
        place=place,
        kind=RemedyKind.RESTART_INSTANCE,
        state=RemedyState.REQUESTED,
        asked_at=now,
        actor=remedy.actor,
    )
    there = desk.incidents.get(place)
    if there is None:
        there = story.opened(finding, now, f"its turn in the restart of {incident.place.name} has come")
    desk.act(story.intended(there, finding, now, 0, turn, limits))
    text = f"the turn of {place.name}: its own incident tells how it goes"
    desk.put(story.told(incident, now, "turn", text), replace(remedy, turn=turn.id))


def _stop(desk: Desk, incident: Incident, remedy: Remedy, why: str, now: float) -> None:
    """End it at the first instance that is not proven: the others run on as they are."""
    left = ", ".join(one.name for one in remedy.left)
    done = len(incident.members) - len(remedy.left)
    text = f"stopped: {why}; {done} of {len(incident.members)} done, not done: {left}"
    stop(desk, incident, remedy, text, now, RemedyState.LAPSED)
