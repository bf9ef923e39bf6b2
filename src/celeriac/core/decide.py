"""What to do: every finding is acted on or held with a reason, every open incident moves or waits for something named.

The plan is a function of what was seen and of the journal: deciding twice on the same plan, once journalled, acts once.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from celeriac.core import at_once, crash_news, grace, recycle, rolling, scaling, story
from celeriac.core.act import Act
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk, Past, Plan
from celeriac.core.finding import Finding
from celeriac.core.guard import Hold, Scene, guard
from celeriac.core.handling import handle
from celeriac.core.incident import (
    KEEPER,
    Ending,
    HeldReason,
    Incident,
    IncidentState,
    Remedy,
    RemedyKind,
    RemedyState,
    Strategy,
    WordState,
)
from celeriac.core.ledger import RUNNING, Ledger
from celeriac.core.limits import Limits, Policy
from celeriac.core.many import watch_many
from celeriac.core.model import Place, Verdict
from celeriac.core.orders import refusal
from celeriac.core.places import MISSING
from celeriac.core.proposal import propose
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen
from celeriac.core.verify import verify

_WAITING = frozenset({IncidentState.OPEN, IncidentState.HELD, IncidentState.ESCALATED})


def decide(findings: tuple[Finding, ...], seen: Seen, past: Past, policy: Policy, limits: Limits) -> Plan:
    """Return what to journal and what to do, for one cluster at one moment."""
    desk = Desk(findings, past)
    for crash in crash_news.untold(seen, past, limits):
        crash_news.hear(desk, crash, seen, limits)
    for place in list(desk.incidents):
        if (incident := desk.incidents.get(place)) is not None:  # as an order for its app may just have left it
            _go_on(desk, incident, seen, policy, limits)
    for word in past.words:
        if word.state is WordState.REQUESTED:
            handle(desk, word, seen.at)
    for order in [one for one in past.remedies if one.state is RemedyState.REQUESTED]:
        _obey(desk, order, seen, policy, limits)
    for finding in findings:
        _judge(desk, finding, seen, policy, limits)
    watch_many(desk, seen, policy, limits)
    propose(desk, seen, policy, limits)
    return desk.plan()


def _go_on(desk: Desk, incident: Incident, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Move one open incident by what is seen of its place now."""
    if incident.place.whole:
        return
    if incident.place.of_app:
        _go_on_with_app(desk, incident, seen, policy, limits)
        return
    finding = desk.findings.get(incident.place)
    remedy = desk.remedies.get(incident.remedy_id or "")
    gone = _gone(incident.place, finding, seen, limits)
    if gone is not None:
        desk.put(story.resolved(incident, seen.at, gone, Ending.GONE), story.let_go(remedy, seen.at, gone))
    elif incident.state is IncidentState.REMEDYING and remedy is not None:
        _pick_up(desk, incident, remedy, seen, policy, limits)
    elif incident.state is IncidentState.VERIFYING:
        desk.put(*verify(incident, remedy, finding, seen, limits))
    elif incident.state in _WAITING and not recycle.take_up(desk, incident, finding, seen.at, limits):
        _maybe_recovered(desk, incident, finding, seen, limits)


def _go_on_with_app(desk: Desk, incident: Incident, seen: Seen, policy: Policy, limits: Limits) -> None:
    remedy = desk.remedies.get(incident.remedy_id or "")
    if remedy is not None and remedy.scale is not None:
        scaling.go_on(desk, scaling.Scaling(incident, remedy, remedy.scale), seen, policy, limits)
    elif remedy is not None and remedy.strategy is Strategy.ALL_AT_ONCE:
        at_once.go_on(desk, incident, remedy, seen, policy, limits)
    else:
        rolling.go_on(desk, incident, seen, policy, limits)


def _gone(place: Place, finding: Finding | None, seen: Seen, limits: Limits) -> str | None:
    """Return why there is nothing left to heal at this place, or None."""
    if finding is not None:
        return f"not wanted any more: {'; '.join(finding.notes)}" if finding.verdict is Verdict.STOPPED else None
    if not place.mapped:
        return None if blindness(seen, limits) else "nothing was heard of it for so long that it is forgotten"
    if not isinstance(seen.platform, Known):
        return None
    apps = [app for app in seen.platform.value if (app.platform, app.name) == (place.platform, place.app)]
    there = {replace(place, node=None)} & {one.place(seen.cluster) for app in apps for one in app.instances}
    if there:
        return "the nodes in its container have changed: each is judged by itself"
    return None if any(app.state == MISSING for app in apps) else "the platform has no such index any more"


def _pick_up(desk: Desk, incident: Incident, remedy: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """An intent without a clear answer: done if the guid is gone; else it is repeated, ended, or waits on."""
    finding = desk.findings.get(incident.place)
    instance = finding.site.instance if finding and finding.site else None
    if remedy.state is not RemedyState.INTENDED or finding is None:
        return
    if remedy.repair is not None:
        _repair_again(desk, Act(incident, remedy, None, limits.verify_least_s), seen, limits)
        return
    if remedy.kind is RemedyKind.RECYCLE:
        now = scene(desk.findings.values(), desk.ledger.without(remedy), seen, policy)
        recycle.go_on(
            desk, Act(incident, remedy, instance, story.patience(finding, limits)), finding, seen, now, limits
        )
        return
    if instance is None:
        return
    if not isinstance(seen.platform, Known) or seen.platform.at <= remedy.asked_at:
        return
    act = Act(incident, remedy, replace(instance, guid=remedy.guid), story.patience(finding, limits))
    if instance.guid != remedy.guid:
        done = story.acted(act, seen.at, "the guid has changed since the intent was stored; waiting for proof")
        desk.put(done.incident, done.remedy)
    elif seen.at - (remedy.acted_at or remedy.asked_at) >= limits.unclear_s and not blindness(seen, limits):
        _repeat(desk, act, finding, seen, policy, limits)


def _repair_again(desk: Desk, act: Act, seen: Seen, limits: Limits) -> None:
    """Whether a repair took effect shows in the worker; without a clear answer it is judged anew."""
    if seen.at - act.remedy.asked_at >= limits.unclear_s:
        over = story.lapsed(act, seen.at, "no clear answer to the repair: the worker is judged anew")
        desk.put(over.incident, over.remedy)


def _repeat(desk: Desk, act: Act, finding: Finding, seen: Seen, policy: Policy, limits: Limits) -> None:
    """The same guid is still there: the same restart again under the same id, as long as all that led to it stands."""
    remedy = act.remedy
    hold = None
    if not remedy.by_person:
        hold = guard(finding, scene(desk.findings.values(), desk.ledger.without(remedy), seen, policy), act.incident)
    if remedy.attempts >= limits.attempts_at_most:
        over = story.failed(act, seen.at, f"no clear answer to {remedy.attempts} attempts, and the guid is still there")
    elif finding.verdict is not act.incident.verdict:
        over = story.lapsed(act, seen.at, f"not repeated: the worker is now {finding.verdict}")
    elif hold is not None and not policy.paused:
        over = story.lapsed(act, seen.at, f"not repeated: {hold.text}")
    elif policy.paused or desk.full:
        return
    else:
        again = replace(remedy, attempts=remedy.attempts + 1, acted_at=seen.at)
        text = f"guid {remedy.guid} is still there: the same restart again (attempt {again.attempts})"
        desk.act(replace(act, remedy=again, incident=story.told(act.incident, seen.at, "repeated", text)))
        return
    desk.put(over.incident, over.remedy)


def _maybe_recovered(desk: Desk, incident: Incident, finding: Finding | None, seen: Seen, limits: Limits) -> None:
    """A held or escalated incident ends when its worker has been well for a while without us."""
    if finding is None or not finding.well or finding.doubt:
        if incident.healthy_since is not None:
            desk.put(replace(incident, healthy_since=None))
        why = blindness(seen, limits)
        if incident.state is IncidentState.HELD and why and not incident.held_by:
            desk.put(story.blinded(incident, seen, why))
    elif incident.healthy_since is None:
        desk.put(replace(incident, healthy_since=seen.at))
    elif seen.at - incident.healthy_since >= limits.recovered_s:
        desk.put(story.recovered(incident, finding, seen, limits))


def _obey(desk: Desk, order: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    """A person's order passes what `guard.passed` lists, and nothing else."""
    if desk.full:
        return  # it is heard with the next look
    if order.place.of_app:
        _obey_for_app(desk, order, seen, policy, limits)
        return
    finding, incident = desk.findings.get(order.place), desk.incidents.get(order.place)
    no = refusal(order, finding, incident, seen, policy, limits)
    no = no or recycle.refusal(order, finding, desk.ledger, policy, seen.at)
    if no is None and desk.ledger.stops(order.guid):
        no = "a restart of its container is already under way"
    if no is not None or finding is None:
        desk.refuse(order, no or "the worker is gone", seen.at, paused=policy.paused is not None)
        return
    if incident is None:
        what = "recycling" if order.kind is RemedyKind.RECYCLE else "restart"
        incident = story.opened(finding, seen.at, f"{order.actor} ordered a {what} of {order.place.name}")
    recycle.begin(desk, story.intended(incident, finding, seen.at, 0, order, limits))


def _obey_for_app(desk: Desk, order: Remedy, seen: Seen, policy: Policy, limits: Limits) -> None:
    if order.scale is not None:
        scaling.begin(desk, order, order.scale, seen, policy, limits)
    elif order.strategy is Strategy.ALL_AT_ONCE:
        at_once.begin(desk, order, seen, policy, limits)
    else:
        rolling.begin(desk, order, seen, policy, limits)


def _judge(desk: Desk, finding: Finding, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Open an incident for what is wrong, and act on it or hold it."""
    incident = desk.incidents.get(finding.place)
    if finding.remedy is RemedyKind.NONE:
        if finding.verdict is Verdict.CRASHED and incident is None:
            crash_news.hear_of_state(desk, finding, seen, limits)
        return
    incident = incident or _open(desk, finding, seen)
    if incident is None:
        return
    if finding.verdict is Verdict.CRASH_LOOPING:
        remedy = desk.remedies.get(incident.remedy_id or "")
        under_way = remedy is not None and remedy.state in RUNNING  # a person's own, which is verified first
        if incident.state is not IncidentState.ESCALATED and not under_way:
            desk.put(story.looping(incident, finding, seen.at))
        return
    if incident.state not in {IncidentState.OPEN, IncidentState.HELD}:
        return
    _act_or_hold(desk, incident, finding, seen, policy, limits)


def _open(desk: Desk, finding: Finding, seen: Seen) -> Incident | None:
    """Open an incident, unless a person has lately closed just this; another process or verdict is another story."""
    closed, now = desk.closed.get(finding.place), (finding.verdict, finding.guid, finding.pid)
    if closed is not None and (closed.verdict, closed.guid, closed.pid) == now:
        return None
    desk.put(story.opened(finding, seen.at, f"{finding.place.name} is {finding.verdict}"))
    return desk.incidents[finding.place]


def _act_or_hold(desk: Desk, incident: Incident, finding: Finding, seen: Seen, policy: Policy, limits: Limits) -> None:
    incident = replace(
        incident,
        convicted_at=grace.convicted(incident, finding, seen.at),
        verdict=finding.verdict,
        evidence=finding.evidence,
        remedy=finding.remedy,
        repair=finding.repair,
        guid=finding.guid,
        node=finding.node,
        pid=finding.pid,
    )
    hold = guard(finding, scene(desk.findings.values(), desk.ledger, seen, policy), incident)
    if hold is None and story.was_held(incident, HeldReason.QUORUM):
        # That fewer are silent by now does not tell what had silenced them all.
        hold = Hold(HeldReason.QUORUM, "it fell silent together with others: restarts only by approval")
    if hold is not None:
        desk.put(story.held(story.would_have(incident, hold, seen.at), hold.reason, hold.text, seen.at))
    elif desk.full:
        desk.put(incident)
    elif (waits := grace.granted(incident, finding, seen, limits)) is not None:
        desk.put(waits)
    else:
        incident = grace.over(incident, finding, seen)
        attempt = sum(one.incident == incident.id and one.actor == KEEPER for one in desk.remedies.values())
        recycle.begin(desk, story.intended(incident, finding, seen.at, attempt, None, limits))


def scene(findings: Iterable[Finding], ledger: Ledger, seen: Seen, policy: Policy) -> Scene:
    """Return what the guards judge by, of this look."""
    apps = seen.platform.value if isinstance(seen.platform, Known) else ()
    return Scene(tuple(findings), ledger, policy, seen.at, apps, seen.changes)
