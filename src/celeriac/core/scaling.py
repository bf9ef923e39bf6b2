"""Scaling a process by a person's order: those that go are drained first, and what the platform makes of it is proven.

A platform stops the highest indexes, with ten seconds or so to end. So each worker there takes no more and ends what it has
before the order is given; if one of them is not idle in time, all consume again and nothing is scaled.
"""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core import recycle, story
from celeriac.core.act import Act
from celeriac.core.app_orders import BUSY, app_of, begun, maybe_over, opened, refusal, stop, too_late, unseen
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.ids import opaque
from celeriac.core.incident import (
    Incident,
    Recycling,
    Remedy,
    RemedyKind,
    RemedyState,
    Scale,
)
from celeriac.core.ledger import RUNNING
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import App, Instance, InstanceState, Place, Process, Verdict
from celeriac.core.readings import Known
from celeriac.core.recyclable import undrainable
from celeriac.core.snapshot import Seen

_PATIENCE_S = 210.0
"""Seconds that new instances have until they must be proven: those of a restart, convergence among them."""

_AT_WORK = frozenset({Verdict.HEALTHY, Verdict.BUSY, Verdict.DEAF, Verdict.DAMAGED})
"""Verdicts of workers that hear orders and may run tasks."""

_UNSURE = frozenset({Verdict.BLIND, Verdict.DRAINING, Verdict.STARTING})
"""Verdicts of those that may run tasks, and cannot be told to end them; hung and crashed ones have none that could end."""


class Scaling(Struct, frozen=True):
    """One such order as it stands."""

    incident: Incident
    remedy: Remedy
    scale: Scale


def begin(desk: Desk, order: Remedy, scale: Scale, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Begin with draining those that go, or with the order itself where none is to be drained; or say why not."""
    app = app_of(order.place, seen)
    process = _process(app, scale)
    leaving = _leaving(app, scale, seen) if app else ()
    no = refusal(desk, order, seen, policy, limits) or _refusal(desk, order, scale, process, leaving, seen)
    if no is not None or process is None:
        desk.refuse(order, no or "it has no such process", seen.at, paused=policy.paused is not None)
        return
    now, scale = seen.at, replace(scale, before=process.wanted)
    drained = [one for one in leaving if _drainable(desk.findings.get(one))] if scale.drain else []
    text = f"{order.actor} ordered to scale {_what(order, scale)} from {scale.before} to {scale.wanted}"
    if drained:
        text += f"; {', '.join(one.name for one in drained)} end what they have before"
    incident = begun(desk, order, leaving or _coming(order, scale), text, now)
    remedy = replace(order, state=RemedyState.INTENDED, asked_at=now, incident=incident.id, scale=scale)
    if not drained:
        _order(desk, incident, remedy, now, "the platform is told")
        return
    for place in drained:
        _drain(desk, remedy, place, now, limits)
    desk.put(incident, replace(remedy, left=tuple(drained)))


def _refusal(
    desk: Desk, order: Remedy, scale: Scale, process: Process | None, leaving: tuple[Place, ...], seen: Seen
) -> str | None:
    if process is None:
        return f"it has no process {scale.process}"
    if process.wanted == scale.wanted:
        return f"{scale.wanted} instances of it are wanted already"
    if not isinstance(seen.changes, Known):
        return f"whether a deployment is under way is not known: {seen.changes.why if seen.changes else 'not read yet'}"
    mine = (one for one in seen.changes.value if (one.platform, one.app) == (order.place.platform, order.place.app))
    if any(one.active for one in mine):
        return "it has a deployment under way: scale it when that is over"
    if scale.drain and (no := _undrainable(desk, leaving)):
        return f"{no}: wait, or order it without draining"
    theirs = [one for place in leaving if (one := desk.incidents.get(place))]
    if busy := [one for one in theirs if one.state in BUSY]:
        return f"{busy[0].place.name} is being restarted (incident {busy[0].id})"
    held = [one for one in theirs if one.held_by]
    return f"{held[0].held_by} holds the incident of {held[0].place.name}: release it first" if held else None


def _undrainable(desk: Desk, leaving: tuple[Place, ...]) -> str | None:
    """Return which of those that go may run tasks and cannot be drained, and why; None if there is none."""
    for place in leaving:
        finding = desk.findings.get(place)
        if finding is None:
            return f"{place.name} runs several nodes, or is not seen, and cannot be drained"
        if finding.verdict in _UNSURE and finding.node is not None:
            return f"{place.name} is {finding.verdict} and cannot be drained"
        if finding.verdict in _AT_WORK and (why := undrainable(finding.site)):
            return f"{place.name} cannot be drained: {why}"
    return None


def _drain(desk: Desk, order: Remedy, place: Place, now: float, limits: Limits) -> None:
    """Begin a recycling that ends with an idle worker, in the worker's own incident."""
    finding = desk.findings[place]
    turn = Remedy(
        id=opaque(order.id, place.id),
        cluster=order.cluster,
        place=place,
        kind=RemedyKind.RECYCLE,
        state=RemedyState.REQUESTED,
        asked_at=now,
        actor=order.actor,
        part_of=order.id,
    )
    there = desk.incidents.get(place) or opened(place, turn, now)
    act = story.intended(there, finding, now, 0, turn, limits)
    if act is not None:
        recycle.begin(desk, replace(act, remedy=replace(act.remedy, part_of=order.id)))


def go_on(desk: Desk, it: Scaling, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Wait for those that are drained, then for the platform's answer, then for proof."""
    if it.incident.state not in BUSY:
        maybe_over(desk, it.incident, seen, limits)
    elif it.remedy.state is RemedyState.ACTED:
        _verify(desk, it, seen, limits)
    elif it.remedy.attempts:
        _pick_up(desk, it, seen, policy, limits)
    else:
        _await_drained(desk, it, seen, policy, limits)


def _await_drained(desk: Desk, it: Scaling, seen: Seen, policy: Policy, limits: Limits) -> None:
    now, turns = seen.at, {one: desk.remedies.get(opaque(it.remedy.id, one.id)) for one in it.remedy.left}
    failed = [(one, turn) for one, turn in turns.items() if turn is None or _in_vain(desk, turn)]
    left = [one for one, turn in turns.items() if turn is None or not _drained(desk, turn)]
    if policy.paused:
        _stop(desk, it, f"paused: {policy.paused}", now)
    elif now - it.remedy.asked_at > policy.approval_ttl_s + limits.recycle_s:
        _stop(desk, it, "it could not be ordered in time", now)
    elif app_of(it.incident.place, seen) is None:
        return  # the next look may tell
    elif failed:
        place, turn = failed[0]
        why = turn.note if turn is not None and turn.note else "its incident tells why"
        _stop(desk, it, f"{place.name} could not be drained: {why}", now)
    elif isinstance(seen.changes, Known) and not (left or desk.full or blindness(seen, limits)):
        if no := _refused_meanwhile(it, seen):
            _stop(desk, it, no, now)
        else:
            _order(desk, it.incident, it.remedy, now, "all that go are idle: the platform is told")


def _refused_meanwhile(it: Scaling, seen: Seen) -> str | None:
    """Return what came in between while workers ended their tasks, or None."""
    process = _process(app_of(it.incident.place, seen), it.scale)
    if process is None:
        return "the platform does not show it now"
    if process.wanted != it.scale.before:
        return f"somebody else has scaled it to {process.wanted} meanwhile"
    changes = seen.changes.value if isinstance(seen.changes, Known) else ()
    mine = (one for one in changes if (one.platform, one.app) == (it.remedy.place.platform, it.remedy.place.app))
    return "a deployment has begun meanwhile" if any(one.active for one in mine) else None


def _in_vain(desk: Desk, turn: Remedy) -> bool:
    """Tell whether it does not end in an idle worker any more; another one in its place would be cut off."""
    return turn.state not in RUNNING or turn.state is RemedyState.ACTED or _replaced(desk, turn)


def _drained(desk: Desk, turn: Remedy) -> bool:
    """Tell whether the very worker that was to become idle is so, and stays so."""
    return turn.state is RemedyState.INTENDED and turn.step is Recycling.IDLE and not _replaced(desk, turn)


def _replaced(desk: Desk, turn: Remedy) -> bool:
    finding = desk.findings.get(turn.place)
    if finding is None or finding.guid != turn.guid:
        return True
    return None not in {finding.pid, turn.pid} and (finding.node, finding.pid) != (turn.node, turn.pid)


def _order(desk: Desk, incident: Incident, remedy: Remedy, now: float, text: str) -> None:
    remedy = replace(remedy, attempts=remedy.attempts + 1, acted_at=now)
    desk.act(Act(story.told(incident, now, "scaling", text), remedy, None, _PATIENCE_S))


def _pick_up(desk: Desk, it: Scaling, seen: Seen, policy: Policy, limits: Limits) -> None:
    """An order without a clear answer: done if the number is what was ordered; else it is given again, or ends."""
    app = app_of(it.incident.place, seen)
    process = _process(app, it.scale)
    if app is None:
        unseen(desk, it.incident, it.remedy, seen)
        return
    sent_at, tried = it.remedy.acted_at or it.remedy.asked_at, it.remedy.attempts
    if process is None or not isinstance(seen.platform, Known) or seen.platform.at <= sent_at:
        return
    if process.wanted == it.scale.wanted:
        act = Act(it.incident, it.remedy, None, _PATIENCE_S)
        done = story.acted(act, seen.at, f"the platform wants {it.scale.wanted} instances; waiting for proof")
        desk.put(done.incident, done.remedy)
    elif seen.at - sent_at < limits.unclear_s or blindness(seen, limits):
        return
    elif tried >= limits.attempts_at_most:
        text = f"no clear answer to {tried} attempts, and {process.wanted} instances are still wanted"
        stop(desk, it.incident, it.remedy, text, seen.at, RemedyState.REFUSED)
    elif why := too_late(it.remedy, seen.at, policy) or _undone(desk, it) or _refused_meanwhile(it, seen):
        _stop(desk, it, why, seen.at)
    elif isinstance(seen.changes, Known) and not (desk.full or policy.paused):
        _order(desk, it.incident, it.remedy, seen.at, "the number is what it was: the same order again")


def _undone(desk: Desk, it: Scaling) -> str | None:
    """Return which of those that were drained would be cut off by now, or None."""
    for place in it.remedy.left:
        turn = desk.remedies.get(opaque(it.remedy.id, place.id))
        if turn is None or not _drained(desk, turn):
            return f"{place.name} is not idle any more"
    return None


def _verify(desk: Desk, it: Scaling, seen: Seen, limits: Limits) -> None:
    app = app_of(it.incident.place, seen)
    if app is None:
        unseen(desk, it.incident, it.remedy, seen)
        return
    if blindness(seen, limits):
        return  # the next look may tell
    missing = _missing(desk, app, it.scale, seen)
    if not missing:
        proven = ", and each new one is proven to work" if it.scale.wanted > it.scale.before else ""
        text = f"{it.scale.wanted} instances of {it.scale.process} are there{proven}"
        ended = replace(it.remedy, state=RemedyState.VERIFIED, ended_at=seen.at)
        desk.put(story.resolved(it.incident, seen.at, text), ended)
    elif it.incident.deadline_at is not None and seen.at > it.incident.deadline_at:
        text = f"not proven in time: {'; '.join(missing)}"
        stop(desk, it.incident, it.remedy, text, seen.at, RemedyState.UNVERIFIED)


def _missing(desk: Desk, app: App, scale: Scale, seen: Seen) -> list[str]:
    """Return what is not as ordered yet, in the platform's words where it has any."""
    process = _process(app, scale)
    wanted = process.wanted if process else 0
    if wanted != scale.wanted:
        return [f"the platform wants {wanted} instances"]
    mine = [one for one in app.instances if one.process == scale.process]
    new = [one for one in mine if scale.before <= one.index < scale.wanted]
    gone = [f"index {one.index} is still there" for one in mine if one.index >= scale.wanted]
    return gone + [text for one in new if (text := _unproven(one, _in_container(desk, one.place(seen.cluster))))]


def _in_container(desk: Desk, place: Place) -> list[Finding]:
    return [one for one in desk.findings.values() if one.place.container == place.container]


def _unproven(instance: Instance, nodes: list[Finding]) -> str | None:
    if instance.state is not InstanceState.RUNNING:
        details = f": {instance.details}" if instance.details else ""
        return f"index {instance.index} is {instance.state.value}{details}"
    ill = [one for one in nodes if not one.well or one.node is None]
    if ill or not nodes:
        return f"index {instance.index} runs, and its worker is {ill[0].verdict if ill else 'not seen yet'}"
    return None


def _coming(order: Remedy, scale: Scale) -> tuple[Place, ...]:
    """Return the places that the platform will start."""
    whole = order.place
    indexes = range(scale.before, scale.wanted)
    return tuple(Place(whole.cluster, whole.platform, whole.app, scale.process, index) for index in indexes)


def _leaving(app: App, scale: Scale, seen: Seen) -> tuple[Place, ...]:
    """Return the places of the process that the platform will stop, the highest index first."""
    mine = (one for one in app.instances if one.process == scale.process and one.index >= scale.wanted)
    return tuple(one.place(seen.cluster) for one in sorted(mine, key=lambda one: -one.index))


def _drainable(finding: Finding | None) -> bool:
    return finding is not None and finding.verdict in _AT_WORK


def _process(app: App | None, scale: Scale) -> Process | None:
    return next((one for one in app.processes if one.type == scale.process), None) if app else None


def _what(order: Remedy, scale: Scale) -> str:
    return order.place.name if scale.process in {"web", "worker"} else f"{order.place.name}:{scale.process}"


def _stop(desk: Desk, it: Scaling, why: str, now: float) -> None:
    """Nothing was scaled: the workers that were drained consume again, each by its own incident."""
    stop(desk, it.incident, it.remedy, f"nothing was scaled: {why}", now, RemedyState.LAPSED)
