"""The proposal to restart a whole app: made when most of its instances are convicted at once, carried out only by approval.

The incident of each worker goes its own way meanwhile: this is an offer on top. Hung ones that fell silent together do not
count for it, since they have one cause, and `many` tells of them.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.guard import alike_silent
from celeriac.core.ids import opaque
from celeriac.core.incident import Ending, HeldReason, Incident, IncidentState, RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import App, InstanceState, Mode, Place, Verdict
from celeriac.core.readings import Evidence, Known
from celeriac.core.snapshot import Seen

_ILL = frozenset({Verdict.HUNG, Verdict.DEAF})
_BY_RESTART = frozenset({RemedyKind.RECYCLE, RemedyKind.RESTART_INSTANCE})
_PROPOSED = frozenset({IncidentState.OPEN, IncidentState.HELD})


class Share(Struct, frozen=True):
    """The ill ones among an app's running instances, and whether they are so many that its restart is proposed."""

    ill: tuple[Finding, ...]
    running: int
    many: bool

    @property
    def text(self) -> str:
        """Return the share in words; numbers stand alone in them, so that others add nothing to a story."""
        return f"{len(self.ill)} of {self.running} running instances are deaf or hung"


def convicted(finding: Finding | None) -> bool:
    """Tell whether this worker is proven deaf or hung, and the restart of an instance of its own is what would mend it."""
    return finding is not None and finding.verdict in _ILL and finding.remedy in _BY_RESTART and not finding.may_work


def turns(app: App, cluster: str, findings: Mapping[Place, Finding]) -> tuple[Place, ...]:
    """Return all of an app's places as a rolling restart takes them: the convicted first, then the others, by index."""
    places = (one.place(cluster) for one in sorted(app.instances, key=lambda one: (one.process, one.index)))
    return tuple(sorted(places, key=lambda place: not convicted(findings.get(place))))


def share(desk: Desk, app: App | None, seen: Seen, policy: Policy) -> Share:
    """Count who is ill of an app; without the app nobody is."""
    running = [one for one in app.instances if one.state is InstanceState.RUNNING] if app else []
    found = (desk.findings.get(one.place(seen.cluster)) for one in running)
    ill = tuple(one for one in found if one is not None and convicted(one) and not _frozen(desk, one, policy))
    many = len(ill) >= policy.app_ill_least and len(ill) > policy.app_ill_share * len(running)
    return Share(ill, len(running), many)


def _frozen(desk: Desk, finding: Finding, policy: Policy) -> bool:
    """Tell whether it fell silent together with so many others that quorum is what it is held by, or was."""
    incident = desk.incidents.get(finding.place)
    if incident is not None and (
        incident.would_hold is HeldReason.QUORUM or story.was_held(incident, HeldReason.QUORUM)
    ):
        return True
    return finding.verdict is Verdict.HUNG and bool(alike_silent(finding, tuple(desk.findings.values()), policy))


def propose(desk: Desk, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Open a proposal for each app that needs one, and end it when the app has needed none for a while."""
    if why := blindness(seen, limits):
        for incident in [one for one in desk.incidents.values() if one.place.of_app]:
            if incident.state is IncidentState.HELD and not incident.held_by:
                desk.put(story.blinded(incident, seen, why))
        return
    if not isinstance(seen.platform, Known):
        return
    apps = {Place(seen.cluster, one.platform, one.name): one for one in seen.platform.value}
    for place in dict.fromkeys((*apps, *(one for one in desk.incidents if one.of_app))):
        _consider(desk, place, apps.get(place), seen, policy, limits)


def _consider(desk: Desk, place: Place, app: App | None, seen: Seen, policy: Policy, limits: Limits) -> None:
    incident = desk.incidents.get(place)
    if incident is not None and incident.state not in _PROPOSED:
        return  # a rolling restart is under way, or has stopped and waits for a person
    now = share(desk, app, seen, policy)
    if app is not None and now.many:
        if incident is None and place not in desk.closed:
            incident = _opened(place, now, seen)
        if incident is not None:
            desk.put(_held(_as_it_is(incident, app, now, desk, seen), now, policy, seen.at))
    elif incident is not None:
        _maybe_over(desk, incident, now, seen, limits)


def _opened(place: Place, now: Share, seen: Seen) -> Incident:
    incident = Incident(
        id=opaque(place.id, "proposal", f"{seen.at:.3f}"),
        cluster=place.cluster,
        place=place,
        verdict=_verdict(now),
        state=IncidentState.OPEN,
        opened_at=seen.at,
        updated_at=seen.at,
        remedy=RemedyKind.RESTART_APP,
        would_hold=HeldReason.MODE,
    )
    return story.told(incident, seen.at, "opened", now.text)


def _as_it_is(incident: Incident, app: App, now: Share, desk: Desk, seen: Seen) -> Incident:
    """Return the proposal with who is ill now, and whose turn would come when."""
    order = turns(app, seen.cluster, desk.findings)
    names = ", ".join(one.name for one in order)
    evidence = (
        Evidence("verdicts", _names(now), seen.at),
        Evidence("platform", f"{now.running} instances of {app.name} are RUNNING", seen.at),
        Evidence("order of restarts", names, seen.at),
    )
    return replace(incident, verdict=_verdict(now), members=order, evidence=evidence, healthy_since=None)


def _held(incident: Incident, now: Share, policy: Policy, at: float) -> Incident:
    if policy.paused:
        return story.held(incident, HeldReason.PAUSED, policy.paused, at)
    if incident.held_by:
        return story.held(incident, HeldReason.HELD_BY_USER, f"{incident.held_by} holds it: {incident.held_why}", at)
    asks = (
        "would have asked for a person's approval" if policy.mode is Mode.OBSERVE else "waits for a person's approval"
    )
    why = f"a rolling restart of {incident.place.name} needs one in every mode, also in auto; {now.text}: {_names(now)}"
    return story.held(incident, HeldReason.MODE, f"{asks}: {why}", at)


def _maybe_over(desk: Desk, incident: Incident, now: Share, seen: Seen, limits: Limits) -> None:
    if incident.healthy_since is None:
        desk.put(replace(incident, healthy_since=seen.at))
    elif seen.at - incident.healthy_since >= limits.recovered_s:
        text = f"recovered alone: for {limits.recovered_s:.0f} s too few were ill to restart all; now {now.text}"
        desk.put(story.resolved(incident, seen.at, text, Ending.RECOVERED))


def _verdict(now: Share) -> Verdict:
    """Return what most of them are."""
    deaf = sum(one.verdict is Verdict.DEAF for one in now.ill)
    return Verdict.DEAF if 2 * deaf >= len(now.ill) else Verdict.HUNG


def _names(now: Share) -> str:
    return ", ".join(f"{one.place.name} {one.verdict}" for one in now.ill)
