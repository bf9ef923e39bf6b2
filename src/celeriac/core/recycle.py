"""Recycling, cycle by cycle: a worker takes no more, ends what it has, is told to end, and the platform starts it again.

Every order is journalled before it is given and bound to one process. What is done next follows from the journal and from
what is seen, so whoever is the keeper goes on where the last one was killed; to give an order twice does no harm.
"""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.act import Act
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.guard import Scene, guard, too_often
from celeriac.core.incident import Incident, IncidentState, Recycling, Remedy, RemedyKind, RemedyState
from celeriac.core.ledger import RUNNING, Ledger
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Inspection, Verdict
from celeriac.core.readings import Known
from celeriac.core.recyclable import unfit
from celeriac.core.snapshot import Seen

_DRAINS = frozenset({Recycling.DRAIN, Recycling.IDLE})
"""Steps in which a worker consumes nothing by our order."""

AGAIN_S = 10.0
"""Seconds after which an order that shows no effect is given again: a broadcast may be lost."""


class Turn(Struct, frozen=True):
    """One recycling at one look: the act as it stands, and what is seen of its worker."""

    act: Act
    finding: Finding
    seen: Seen
    scene: Scene
    limits: Limits
    wanted: bool = True
    """Whether the order that it is part of still stands, if it is part of one."""

    @property
    def now(self) -> float:
        return self.seen.at


def refusal(order: Remedy, finding: Finding | None, ledger: Ledger, policy: Policy, now: float) -> str | None:
    """Return why a person's order to recycle cannot be carried out, or None if it can."""
    if order.kind is not RemedyKind.RECYCLE or finding is None:
        return None
    return unfit(finding.site) or too_often(order.place, ledger, policy, now)


def begin(desk: Desk, act: Act | None) -> None:
    """Journal what is decided; a recycling begins with a question, so nothing is done for it with this look."""
    if act is not None and act.remedy.kind is RemedyKind.RECYCLE:
        desk.put(act.incident, act.remedy)
    else:
        desk.act(act)


def go_on(desk: Desk, act: Act, finding: Finding, seen: Seen, scene: Scene, limits: Limits) -> None:
    """Give the next order, or end it: with the platform's next instance, by handing over to other rules, or in vain."""
    instance = act.instance
    if instance is None or not isinstance(seen.platform, Known):
        return
    if instance.guid != act.remedy.guid:
        _put(desk, _ended(act, seen.at))
    elif desk.full or blindness(seen, limits):
        return
    elif why := _another_case(act.remedy, finding):
        _put(desk, story.lapsed(act, seen.at, why))
    elif scene.policy.paused and act.remedy.step is None:
        return
    elif scene.policy.paused and act.remedy.step in _DRAINS:
        give_back(desk, act, f"paused: {scene.policy.paused}", seen.at)
    else:
        wanted = _still_wanted(desk, act.remedy)
        _NEXT[act.remedy.step](desk, Turn(act, finding, seen, scene, limits, wanted))


def _still_wanted(desk: Desk, remedy: Remedy) -> bool:
    """Tell whether the order that this is part of is under way, where it is part of one."""
    whole = desk.remedies.get(remedy.part_of or "")
    return remedy.part_of is None or (whole is not None and whole.state in RUNNING)


def _put(desk: Desk, act: Act) -> None:
    desk.put(act.incident, act.remedy)


def _ended(act: Act, now: float) -> Act:
    told = act.remedy.step is Recycling.SHUTDOWN
    text = "it has ended, and the platform starts it again" if told else "it is gone before it was told to end"
    return story.acted(act, now, f"{text}; waiting for proof")


def _another_case(remedy: Remedy, finding: Finding) -> str | None:
    """Return why other rules must judge it from here on."""
    if finding.verdict is Verdict.HUNG:
        return f"not recycled: the worker is now {finding.verdict}"
    if finding.pid is not None and (finding.node, finding.pid) != (remedy.node, remedy.pid):
        return f"not recycled: pid {remedy.pid} became {finding.pid}"
    return None


def _asked(desk: Desk, turn: Turn) -> None:
    """It is to say what it consumes, so that this can be given back."""
    act, now, told = turn.act, turn.now, _says(turn.act.remedy, turn.seen)
    if not turn.wanted:
        _put(desk, story.lapsed(act, now, "not drained: the order for its app has ended"))
    elif told is not None:
        text = f"it is to consume {', '.join(told.queues) or 'nothing'} no more, and to end what it has"
        _order(desk, replace(act, remedy=replace(act.remedy, queues=told.queues)), Recycling.DRAIN, now, text)
    elif now - act.remedy.asked_at >= turn.limits.unclear_s:
        _put(desk, story.lapsed(act, now, "not recycled: it does not say what it consumes"))


def _draining(desk: Desk, turn: Turn) -> None:
    act, now, finding, told = turn.act, turn.now, turn.finding, _says(turn.act.remedy, turn.seen)
    if now - act.remedy.asked_at >= turn.limits.recycle_s:
        one = finding.site.incarnation if finding.site else None
        left = f"{one.active if one and one.active is not None else 'unknown'} tasks under way"
        held = f", {told.reserved} messages held" if told else ""
        give_back(desk, act, f"it was not idle within {turn.limits.recycle_s:.0f} s: {left}{held}", now)
    elif why := _held(act, finding, turn.scene):
        give_back(desk, act, why, now)
    elif not turn.wanted:
        give_back(desk, act, "the order for its app has ended", now)
    elif told is not None and _idle(act.remedy, finding, told) and act.remedy.part_of:
        remedy = replace(act.remedy, step=Recycling.IDLE)
        desk.put(story.told(act.incident, now, "idle", "it is idle: the platform may stop it"), remedy)
    elif told is not None and _idle(act.remedy, finding, told):
        act = replace(act, incident=replace(act.incident, deadline_at=now + act.patience_s))
        _order(desk, act, Recycling.SHUTDOWN, now, "it is idle: it is told to end")
    elif told is not None and told.queues and _overdue(act.remedy, now):
        _order(desk, act, Recycling.DRAIN, now, f"it still consumes {', '.join(told.queues)}: the same order again")


def _held(act: Act, finding: Finding, scene: Scene) -> str | None:
    """Return what has come in between since the keeper decided it; a person's order passes that."""
    if act.remedy.by_person:
        return None
    hold = guard(replace(finding, remedy=RemedyKind.RECYCLE, approval=None), scene, act.incident)
    return f"{hold.reason}: {hold.text}" if hold else None


def _resting(desk: Desk, turn: Turn) -> None:
    if not turn.wanted:
        give_back(desk, turn.act, "the order for its app has ended", turn.now)


def _shutting(desk: Desk, turn: Turn) -> None:
    act, now, one = turn.act, turn.now, turn.finding.site.incarnation if turn.finding.site else None
    told_at, deadline = act.remedy.acted_at or now, act.incident.deadline_at or now
    speaks = one is not None and not one.offline and one.last_seen_at > told_at + AGAIN_S
    if now > deadline and speaks:
        give_back(desk, act, "it was told to end, and goes on", now)
    elif now > deadline:
        _put(desk, story.failed(act, now, "it was told to end, speaks no more, and its instance is still there"))
    elif speaks and _overdue(act.remedy, now) and not turn.scene.policy.paused:
        _order(desk, act, Recycling.SHUTDOWN, now, "it still sends heartbeats: the same order again")


def _giving_back(desk: Desk, turn: Turn) -> None:
    act, now = turn.act, turn.now
    if now > (act.incident.deadline_at or now):
        queues = ", ".join(act.remedy.queues)
        text = f"it could not be told to consume {queues} again; do so with `celery control add_consumer`"
        _put(desk, story.failed(act, now, text))
    elif _overdue(act.remedy, now):
        _order(desk, act, Recycling.GIVE_BACK, now, "it is to consume its queues again")


def take_up(desk: Desk, incident: Incident, finding: Finding | None, now: float, limits: Limits) -> bool:
    """Give back its queues to a worker that hung while it was drained, once it speaks again; tell whether that is due."""
    owed = next((one for one in desk.remedies.values() if _owes(one, incident, finding)), None)
    if owed is None or finding is None:
        return False
    if not desk.full:
        remedy = replace(owed, state=RemedyState.INTENDED, ended_at=None)
        incident = replace(
            incident, state=IncidentState.REMEDYING, held_reason=None, remedy=owed.kind, remedy_id=owed.id
        )
        instance = finding.site.instance if finding.site else None
        act = Act(incident, remedy, instance, story.patience(finding, limits))
        give_back(desk, act, "it hung for a while", now)
    return True


def _owes(remedy: Remedy, incident: Incident, finding: Finding | None) -> bool:
    """Other rules took over while it consumed nothing, and the very process is at work again."""
    lapsed = (remedy.incident, remedy.state) == (incident.id, RemedyState.LAPSED) and remedy.step in _DRAINS
    if not lapsed or finding is None or (finding.node, finding.pid) != (remedy.node, remedy.pid):
        return False
    return finding.well or finding.verdict in {Verdict.DEAF, Verdict.DAMAGED}


def give_back(desk: Desk, act: Act, why: str, now: float) -> None:
    """Have it consume again what it consumed: it is not recycled."""
    act = replace(
        act,
        incident=replace(act.incident, deadline_at=now + act.patience_s),
        remedy=replace(act.remedy, note=why),
    )
    _order(desk, act, Recycling.GIVE_BACK, now, f"not recycled: {why}; it is to consume its queues again")


def _order(desk: Desk, act: Act, step: Recycling, now: float, text: str) -> None:
    first = act.remedy.step is None
    remedy = replace(act.remedy, step=step, acted_at=now, attempts=act.remedy.attempts + (not first))
    desk.act(replace(act, remedy=remedy, incident=story.told(act.incident, now, step.value, text)))


def _overdue(remedy: Remedy, now: float) -> bool:
    return now - (remedy.acted_at or remedy.asked_at) >= AGAIN_S


def _says(remedy: Remedy, seen: Seen) -> Inspection | None:
    """Return what the worker says of itself, if it said so after its last order."""
    told = seen.inspected.get(remedy.node or "")
    fresh = isinstance(told, Known) and told.at > (remedy.acted_at or remedy.asked_at)
    return told.value if isinstance(told, Known) and fresh else None


def _idle(remedy: Remedy, finding: Finding, told: Inspection) -> bool:
    """It consumes nothing, holds nothing, and a heartbeat made since says that it runs nothing."""
    one = finding.site.incarnation if finding.site else None
    if one is None or told.queues or told.reserved:
        return False
    return one.active == 0 and (one.last_heartbeat_at or 0.0) > (remedy.acted_at or remedy.asked_at) + one.freq


_NEXT = {
    None: _asked,
    Recycling.DRAIN: _draining,
    Recycling.IDLE: _resting,
    Recycling.SHUTDOWN: _shutting,
    Recycling.GIVE_BACK: _giving_back,
}


# How an order went, as the keeper tells it -----------------------------------------------------------------------------


def given(act: Act, now: float, text: str) -> Act:
    """The worker took the order: what becomes of it is seen."""
    if act.remedy.step is not Recycling.GIVE_BACK:
        return replace(act, incident=story.told(act.incident, now, "told", text))
    incident = story.told(act.incident, now, "escalated", f"not recycled: {act.remedy.note}; {text}")
    incident = replace(incident, state=IncidentState.ESCALATED, deadline_at=None)
    return replace(act, incident=incident, remedy=replace(act.remedy, state=RemedyState.LAPSED, ended_at=now))


def unclear(act: Act, now: float, why: str) -> Act:
    """No clear answer: what is seen next tells whether the order is given again."""
    return replace(act, incident=story.told(act.incident, now, "unclear", why))


def refused(act: Act, now: float, why: str) -> Act:
    """The worker says no: what it was told before is taken back with the next look."""
    if act.remedy.step is Recycling.GIVE_BACK:
        return story.failed(act, now, f"not recycled: {act.remedy.note}; {why}")
    remedy = replace(act.remedy, step=Recycling.GIVE_BACK, note=why, acted_at=now - AGAIN_S)
    incident = story.told(act.incident, now, "refused", why, deadline_at=now + act.patience_s)
    return replace(act, incident=incident, remedy=remedy)
