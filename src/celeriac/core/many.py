"""Many silent while the broker answers: after a minute the freeze is one critical incident of the whole cluster.

Each worker's own incident stays held by quorum, and a person may approve each.
"""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.blindness import blindness
from celeriac.core.desk import Desk
from celeriac.core.finding import Finding
from celeriac.core.guard import alike_silent, counted
from celeriac.core.ids import opaque
from celeriac.core.incident import Ending, Incident, IncidentState, RemedyKind
from celeriac.core.limits import Limits, Policy
from celeriac.core.model import Place, Verdict
from celeriac.core.readings import Evidence
from celeriac.core.snapshot import Seen


def watch_many(desk: Desk, seen: Seen, policy: Policy, limits: Limits) -> None:
    """Open the cluster's incident when a freeze has lasted, add to it who joins, and end it when all are well."""
    if blindness(seen, limits):
        return
    place = Place(seen.cluster)
    incident, group = desk.incidents.get(place), _frozen(desk, policy, limits)
    members = tuple(one.place for one in group)
    if incident is not None:
        _go_on(desk, incident, members, seen, limits)
        return
    closed = desk.closed.get(place)
    if group and not (closed and set(members) <= set(closed.members)):
        desk.put(_opened(desk, place, group, seen))


def _frozen(desk: Desk, policy: Policy, limits: Limits) -> tuple[Finding, ...]:
    """Return those that fell silent together so long ago that the freeze of their restarts has lasted.

    Silence counts only while our echo flows, and nobody is hung unless the broker could be asked.
    """
    everyone = tuple(desk.findings.values())
    lasted = limits.silent_s + policy.many_silent_s
    hung = [one for one in everyone if one.verdict is Verdict.HUNG and one.silence_s > lasted and not one.may_work]
    return max((alike_silent(one, everyone, policy) for one in hung), key=len, default=())


def _opened(desk: Desk, place: Place, group: tuple[Finding, ...], seen: Seen) -> Incident:
    all_of_them = counted(tuple(desk.findings.values()))
    names = ", ".join(sorted(one.place.name for one in group))
    echo = next((line for line in group[0].evidence if line.signal == "echo"), None)
    incident = Incident(
        id=opaque(place.id, "many", f"{seen.at:.3f}"),
        cluster=place.cluster,
        place=place,
        verdict=Verdict.HUNG,
        state=IncidentState.OPEN,
        opened_at=seen.at,
        updated_at=seen.at,
        evidence=(Evidence("heartbeat", f"silent: {names}", seen.at), *([echo] if echo else [])),
        remedy=RemedyKind.ALERT,
        critical=True,
        members=tuple(one.place for one in group),
    )
    text = f"{len(group)} of {all_of_them} workers are silent, and the broker is fine"
    incident = story.told(incident, seen.at, "opened", text)
    why = "many silent, broker fine: restarts only by approval, each in its own incident"
    return story.told(incident, seen.at, "escalated", why, state=IncidentState.ESCALATED)


def _go_on(desk: Desk, incident: Incident, members: tuple[Place, ...], seen: Seen, limits: Limits) -> None:
    joined = [one for one in members if one not in incident.members]
    if joined:
        names = ", ".join(sorted(one.name for one in joined))
        text = f"also silent: {names}"
        incident = story.told(incident, seen.at, "joined", text, members=(*incident.members, *joined))
    ill = [one for one in incident.members if not _well(desk.findings.get(one))]
    if ill:
        incident = replace(incident, healthy_since=None)
    elif incident.healthy_since is None:
        incident = replace(incident, healthy_since=seen.at)
    elif seen.at - incident.healthy_since >= limits.recovered_s:
        text = f"all {len(incident.members)} are well again or gone"
        incident = story.resolved(incident, seen.at, text, Ending.RECOVERED)
    if incident != desk.incidents[incident.place]:
        desk.put(incident)


def _well(finding: Finding | None) -> bool:
    return finding is None or finding.well or finding.verdict is Verdict.STOPPED
