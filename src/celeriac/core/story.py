"""How an incident and its remedy move: each function takes them at one moment and returns them as they are next."""

import re
from typing import Any

from msgspec.structs import replace

from celeriac.core.act import Act
from celeriac.core.finding import Finding
from celeriac.core.guard import Hold
from celeriac.core.ids import opaque
from celeriac.core.incident import (
    KEEPER,
    Ending,
    HeldReason,
    Incident,
    IncidentState,
    Remedy,
    RemedyKind,
    RemedyState,
    Step,
)
from celeriac.core.ledger import RUNNING
from celeriac.core.limits import Limits
from celeriac.core.model import Crash, Instance, Process, Verdict
from celeriac.core.readings import Evidence, Known, Unknown
from celeriac.core.repair import Repair
from celeriac.core.snapshot import Seen

CLOCKS_APART_S = 60.0
"""How far the platform's clock may be from ours."""


NOT_TOUCHED = "not touched: "


def told(incident: Incident, now: float, kind: str, text: str, **changes: Any) -> Incident:
    """Return the incident with one more line of its story and the given fields changed."""
    return replace(incident, steps=(*incident.steps, Step(now, kind, text)), updated_at=now, **changes)


def opened(finding: Finding, now: float, text: str) -> Incident:
    """Open an incident on a finding."""
    incident = Incident(
        id=opaque(finding.place.id, finding.verdict, f"{now:.3f}"),
        cluster=finding.place.cluster,
        place=finding.place,
        verdict=finding.verdict,
        state=IncidentState.OPEN,
        opened_at=now,
        updated_at=now,
        evidence=finding.evidence,
        remedy=finding.remedy,
        guid=finding.guid,
        node=finding.node,
        pid=finding.pid,
    )
    return told(incident, now, "opened", text)


def crashed(crash: Crash, finding: Finding, incident: Incident | None, now: float, limits: Limits) -> Incident:
    """Open an incident on the platform's word, or tell an open one that it crashed again; the platform restarts it."""
    text = f"the platform reports: {crash.text}"
    if incident is None:
        incident = replace(opened(finding, now, text), id=opaque(finding.place.id, crash.id), node=None, pid=None)
    else:
        incident = told(incident, now, "crashed", text)
    incident = replace(incident, crashes=(*incident.crashes, crash.id), guid=crash.instance_guid, pongs=0)
    if len(incident.crashes) > limits.crashes_at_most or incident.state is IncidentState.ESCALATED:
        return _crashes_again(incident, now)
    return told(
        incident,
        now,
        "verifying",
        "the platform restarts it by itself; waiting for proof that it works again",
        state=IncidentState.VERIFYING,
        verdict=Verdict.CRASHED,
        held_reason=None,
        remedy=RemedyKind.NONE,
        evidence=(
            Evidence("platform events", f"{text}; guid {crash.instance_guid}, crash {crash.count} in a row", crash.at),
        ),
        deadline_at=now + patience(finding, limits),
    )


def _crashes_again(incident: Incident, now: float) -> Incident:
    """The platform's own restarts do not mend it: from here on a person is needed."""
    if incident.state is IncidentState.ESCALATED:
        return incident
    text = f"crashed {len(incident.crashes)} times without being proven well in between"
    return told(incident, now, "escalated", text, state=IncidentState.ESCALATED, verdict=Verdict.CRASHED)


def looping(incident: Incident, finding: Finding, now: float) -> Incident:
    """Restarts do not mend it, neither the platform's nor ours: from here on a person is needed."""
    return told(
        incident,
        now,
        "escalated",
        "; ".join(finding.notes),
        state=IncidentState.ESCALATED,
        verdict=finding.verdict,
        evidence=finding.evidence,
        remedy=finding.remedy,
        held_reason=None,
    )


def held(incident: Incident, reason: HeldReason, text: str, now: float) -> Incident:
    """Hold the incident; the same reason again, with other numbers, adds nothing to its story."""
    text = f"{reason}: {text}"
    last = next((step.text for step in reversed(incident.steps) if step.kind == "held"), "")
    same = incident.state is IncidentState.HELD and incident.held_reason is reason
    if same and re.sub(r"\d+", "", last) == re.sub(r"\d+", "", text):
        return incident
    return told(incident, now, "held", text, state=IncidentState.HELD, held_reason=reason)


def blinded(incident: Incident, seen: Seen, why: str) -> Incident:
    """Hold it for what keeps us from seeing."""
    stale = isinstance(seen.stream, Unknown)
    return held(incident, HeldReason.STALE if stale else HeldReason.BROKER_OUTAGE, why, seen.at)


def would_have(incident: Incident, hold: Hold, now: float) -> Incident:
    """Keep what `auto` would have done, for the report: the first restart counts, and before it the last reason to hold."""
    if incident.would_at is not None or hold.reason is not HeldReason.MODE:
        return incident
    if incident.would_hold is HeldReason.QUORUM or was_held(incident, HeldReason.QUORUM):
        return replace(
            incident, would_hold=HeldReason.QUORUM
        )  # as in `auto`: by approval only, also when fewer are silent
    if hold.only_mode:
        return replace(incident, would_at=now, would_hold=None)
    return replace(incident, would_hold=hold.otherwise)


def was_held(incident: Incident, reason: HeldReason) -> bool:
    """Tell whether it was ever held for this reason: a later one, as a moment of blindness, does not undo it."""
    return any(step.kind == "held" and step.text.startswith(f"{reason}: ") for step in incident.steps)


def intended(
    incident: Incident, finding: Finding, now: float, attempt: int, order: Remedy | None, limits: Limits
) -> Act | None:
    """Journal the intent to restart what was convicted; `order` is a person's request, which it then fulfils."""
    instance, kind = finding.site.instance if finding.site else None, order.kind if order else finding.remedy
    repair = finding.repair if kind is RemedyKind.LIVE_REPAIR else None
    if repair is None and (instance is None or instance.guid is None):
        return None
    remedy = Remedy(
        id=order.id if order else opaque(incident.id, str(attempt)),
        cluster=incident.cluster,
        place=incident.place,
        kind=kind,
        state=RemedyState.INTENDED,
        asked_at=now,
        actor=order.actor if order else KEEPER,
        incident=incident.id,
        guid=finding.guid,
        node=finding.node,
        pid=finding.pid,
        attempts=1,
        repair=repair,
    )
    who = f"ordered by {order.actor}" if order else "decided by the keeper"
    incident = told(
        incident,
        now,
        "intended",
        f"{_what(kind, repair, instance)}, {who}",
        state=IncidentState.REMEDYING,
        held_reason=None,
        remedy=kind,
        repair=repair,
        remedy_id=remedy.id,
        guid=finding.guid,
        node=finding.node,
        pid=finding.pid,
        deadline_at=None,
        pongs=0,
    )
    return Act(incident, remedy, instance, limits.verify_least_s if repair else patience(finding, limits))


def _what(kind: RemedyKind, repair: Repair | None, instance: Instance | None) -> str:
    if repair is not None:
        return repair.text
    if kind is RemedyKind.RECYCLE and instance:
        return f"recycle instance {instance.index} of {instance.app} (guid {instance.guid})"
    return f"restart instance {instance.index} of {instance.app} (guid {instance.guid})" if instance else ""


def acted(act: Act, now: float, text: str | None = None) -> Act:
    """The platform took the order: from now on only proof counts."""
    incident = told(
        act.incident,
        now,
        "acted",
        text or f"the platform stops {_which(act)} and starts it again; waiting for proof",
        state=IncidentState.VERIFYING,
        deadline_at=now + act.patience_s,
    )
    return replace(act, incident=incident, remedy=replace(act.remedy, state=RemedyState.ACTED, acted_at=now))


def _which(act: Act) -> str:
    return f"instance {act.instance.index}" if act.instance else "it"


def unclear(act: Act, now: float, why: str) -> Act:
    """No clear answer came: the intent stands, and the platform's next readings tell whether it took effect."""
    incident = told(act.incident, now, "unclear", f"{why}; reading the platform before anything is repeated")
    return replace(act, incident=incident)


def failed(act: Act, now: float, why: str) -> Act:
    """The platform answered no: a person must look."""
    incident = told(act.incident, now, "escalated", why, state=IncidentState.ESCALATED)
    return replace(
        act, incident=incident, remedy=replace(act.remedy, state=RemedyState.REFUSED, ended_at=now, note=why)
    )


def lapsed(act: Act, now: float, why: str) -> Act:
    """What was convicted is no longer there: nothing is done, and the next cycle judges anew."""
    incident = told(act.incident, now, "lapsed", why, state=IncidentState.OPEN, remedy_id=None, deadline_at=None)
    return replace(act, incident=incident, remedy=replace(act.remedy, state=RemedyState.LAPSED, ended_at=now, note=why))


def untouched(act: Act, now: float, why: str, limits: Limits) -> Act:
    """The platform's word on the index came too late, or there was none; what goes on like that is for a person."""
    before = sum(step.text.startswith(NOT_TOUCHED) for step in act.incident.steps) + 1
    if before < limits.attempts_at_most:
        return lapsed(act, now, f"{NOT_TOUCHED}{why}")
    return failed(act, now, f"{NOT_TOUCHED}{why}, {before} times")


def let_go(remedy: Remedy | None, now: float, why: str) -> Remedy | None:
    """A remedy under way ends with its incident or place: one that stays open would fill the app's budget for ever."""
    if remedy is None or remedy.state not in RUNNING:
        return None
    drained = remedy.part_of is not None and remedy.kind is RemedyKind.RECYCLE  # that its place goes is what it was for
    return replace(remedy, state=RemedyState.VERIFIED if drained else RemedyState.UNVERIFIED, ended_at=now, note=why)


def resolved(incident: Incident, now: float, text: str, ending: Ending = Ending.PROVEN) -> Incident:
    """End the story: the worker is proven to work, or it needs nothing any more."""
    return told(
        incident,
        now,
        "resolved",
        text,
        state=IncidentState.RESOLVED,
        held_reason=None,
        resolved_at=now,
        deadline_at=None,
        ending=ending,
    )


def recovered(incident: Incident, finding: Finding, seen: Seen, limits: Limits) -> Incident:
    """End the story of a worker that is well without us: in the same process by itself, or in another one."""
    another = finding.guid != incident.guid or (None not in {incident.pid, finding.pid} and incident.pid != finding.pid)
    if not another:
        return resolved(incident, seen.at, f"recovered alone: well for {limits.recovered_s:.0f} s", Ending.RECOVERED)
    text = f"well for {limits.recovered_s:.0f} s in another process"
    known = seen.changes.value if isinstance(seen.changes, Known) else ()
    mine = [one for one in known if one.touches(incident.place) and one.at >= incident.opened_at - CLOCKS_APART_S]
    if mine:
        last = max(mine, key=lambda one: one.at)
        text += f": {last.actor or 'somebody'} {last.what}"
    return resolved(incident, seen.at, text, Ending.REPLACED)


def patience(finding: Finding, limits: Limits) -> float:
    """Return the seconds that a restarted instance has until it must be proven: convergence, health check, a minute."""
    process = _process(finding)
    health = process.health_timeout_s if process else 60.0
    return max(limits.verify_least_s, limits.convergence_s + health + 60.0)


def _process(finding: Finding) -> Process | None:
    site = finding.site
    if site is None or site.app is None:
        return None
    return next((one for one in site.app.processes if one.type == site.place.process), None)
