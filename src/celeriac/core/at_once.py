"""The restart of all instances of an app in one order to its platform, each proven by itself as after any other restart.

Only people order it: all tasks that run are cut off, and nothing consumes until the new instances do. It is bound to the
generation of the app that was seen, so that no second one follows when somebody else has started it anew meanwhile.
"""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.act import Act, Victim
from celeriac.core.app_orders import BUSY, app_of, begun, maybe_over, opened, refusal, shared, stop, too_late, unseen
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.ids import opaque
from celeriac.core.incident import Incident, IncidentState, Remedy, RemedyKind, RemedyState
from celeriac.core.ledger import RUNNING
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import App, Place
from celeriac.core.proposal import turns
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def generation(app: App) -> str:
    """Return what is another with each start of the whole app: its processes' versions, or where there are none its guids."""
    versions = [f"{one.type} {one.version}" for one in app.processes if one.version]
    return " ".join(sorted(versions or [one.guid for one in app.instances if one.guid]))


def begin(desk: Desk, order: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Journal a person's order with all that runs now, and have it carried out; or say why not."""
    app = app_of(order.place, seen)
    places = turns(app, seen.cluster, desk.findings) if app else ()
    no = refusal(desk, order, seen, policy, limits) or _refusal(desk, places)
    if no is not None or app is None:
        desk.refuse(order, no or "it is gone", seen.at, paused=policy.paused is not None)
        return
    text = f"{order.actor} ordered a restart of {order.place.name}: all {len(places)} instances at once"
    incident = begun(desk, order, places, text, seen.at)
    remedy = replace(
        order,
        state=RemedyState.INTENDED,
        asked_at=seen.at,
        incident=incident.id,
        guid=generation(app),
        attempts=1,
        left=places,
        guids={one.place(seen.cluster).id: one.guid for one in app.instances if one.guid},
    )
    desk.act(_act(desk, incident, remedy, limits))


def _refusal(desk: Desk, places: tuple[Place, ...]) -> str | None:
    if not places:
        return "the platform shows no instance of it now"
    busy = [one for place in places if (one := desk.incidents.get(place)) and one.state in BUSY]
    if busy:
        return f"{busy[0].place.name} is being restarted already (incident {busy[0].id})"
    held = [one for place in places if (one := desk.incidents.get(place)) and one.held_by]
    if held:
        return f"{held[0].held_by} holds the incident of {held[0].place.name}: release it first"
    return shared(desk, places)


def _act(desk: Desk, incident: Incident, remedy: Remedy, limits: Limits) -> Act:
    found = [desk.findings[one] for one in remedy.left if one in desk.findings]
    victims = tuple(_victim(one) for one in found)
    return Act(incident, remedy, None, _patience(found, limits), victims)


def _victim(finding: Finding) -> Victim:
    return Victim(finding.place.name, finding.site.instance if finding.site else None, finding.node, finding.pid)


def _patience(found: list[Finding], limits: Limits) -> float:
    return max((story.patience(one, limits) for one in found), default=limits.verify_least_s)


def go_on(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """See whether the platform took the order, have each instance proven, and end with the last of them."""
    if incident.state not in BUSY:
        maybe_over(desk, incident, seen, limits)
    elif remedy.state is RemedyState.INTENDED:
        _pick_up(desk, incident, remedy, seen, policy, limits)
    elif remedy.turn is None:
        _await_proofs(desk, incident, remedy, seen, limits)
    else:
        _hear(desk, incident, remedy, seen)


def _pick_up(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """An intent without a clear answer: done if another generation runs; else the same order again, or it ends."""
    app = app_of(incident.place, seen)
    if app is None:
        unseen(desk, incident, remedy, seen)
        return
    if not isinstance(seen.platform, Known) or seen.platform.at <= remedy.asked_at:
        return
    act = _act(desk, incident, remedy, limits)
    if generation(app) != remedy.guid:
        done = story.acted(act, seen.at, "it has been started anew since the intent was stored; waiting for proof")
        desk.put(done.incident, done.remedy)
    elif seen.at - (remedy.acted_at or remedy.asked_at) < limits.unclear_s or blindness(seen, limits):
        return
    elif remedy.attempts >= limits.attempts_at_most:
        text = f"no clear answer to {remedy.attempts} attempts, and the same instances still run"
        stop(desk, incident, remedy, text, seen.at, RemedyState.REFUSED)
    elif why := too_late(remedy, seen.at, policy):
        stop(desk, incident, remedy, why, seen.at, RemedyState.LAPSED)
    elif not (desk.full or policy.paused):
        again = replace(remedy, attempts=remedy.attempts + 1, acted_at=seen.at)
        text = f"the same instances still run: the same order again (attempt {again.attempts})"
        desk.act(replace(act, remedy=again, incident=story.told(incident, seen.at, "repeated", text)))


def _await_proofs(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen, limits: Limits) -> None:
    """Give each place an incident of its own that waits for proof, as if it alone had been restarted."""
    for place in remedy.left:
        finding = desk.findings.get(place)
        guid = remedy.guids.get(place.id)
        turn = Remedy(
            id=_turn(remedy, place),
            cluster=remedy.cluster,
            place=place,
            kind=RemedyKind.RESTART_INSTANCE,
            state=RemedyState.ACTED,
            asked_at=remedy.asked_at,
            acted_at=remedy.acted_at,
            actor=remedy.actor,
            guid=guid,
            attempts=1,
            part_of=remedy.id,
        )
        there = desk.incidents.get(place) or opened(place, turn, seen.at)
        other = story.let_go(
            desk.remedies.get(there.remedy_id or ""), seen.at, f"all of {incident.place.name} was restarted"
        )
        if other is not None:
            desk.put(there, other)
        told = story.told(
            there,
            seen.at,
            "acted",
            f"restarted with all of {incident.place.name}; waiting for proof",
            state=IncidentState.VERIFYING,
            held_reason=None,
            remedy=turn.kind,
            remedy_id=turn.id,
            guid=guid,
            pongs=0,
            deadline_at=seen.at + _patience([finding] if finding else [], limits),
        )
        desk.put(told, replace(turn, incident=told.id))
    desk.put(incident, replace(remedy, turn=remedy.id))


def _hear(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen) -> None:
    """Tell how many are proven as they become more, and how it ended once nobody is waited for any more."""
    app = app_of(incident.place, seen)
    if app is None:
        unseen(desk, incident, remedy, seen)
        return
    wanted = {one.place(seen.cluster) for one in app.instances}
    left = tuple(one for one in remedy.left if one in wanted and not _proven(desk, remedy, one))
    whole = len(incident.members)
    if not left:
        text = f"all {whole} instances run anew or are not wanted any more, and are proven to work"
        desk.put(story.resolved(incident, seen.at, text), replace(remedy, state=RemedyState.VERIFIED, ended_at=seen.at))
    elif not any(_waits(desk, remedy, one) for one in left):
        text = f"{whole - len(left)} of {whole} instances are proven to work; not proven: {', '.join(one.name for one in left)}"
        stop(desk, incident, remedy, text, seen.at, RemedyState.UNVERIFIED)
    elif left != remedy.left:
        text = f"{whole - len(left)} of {whole} instances are proven to work"
        desk.put(story.told(incident, seen.at, "proven", text), replace(remedy, left=left))


def _turn(remedy: Remedy, place: Place) -> str:
    return opaque(remedy.id, place.id)


def _proven(desk: Desk, remedy: Remedy, place: Place) -> bool:
    turn = desk.remedies.get(_turn(remedy, place))
    return turn is not None and turn.state is RemedyState.VERIFIED


def _waits(desk: Desk, remedy: Remedy, place: Place) -> bool:
    turn = desk.remedies.get(_turn(remedy, place))
    return turn is not None and turn.state in RUNNING
