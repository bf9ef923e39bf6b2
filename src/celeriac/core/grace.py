"""A hung main process whose children may still work: they get a while to end their tasks before all of them are stopped.

Only the main process sends events, so whether the tasks have ended is not heard: the time is waited out, once.
"""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.finding import Finding
from celeriac.core.incident import Incident, IncidentState
from celeriac.core.limits import Limits
from celeriac.core.model import Verdict


def convicted(incident: Incident, finding: Finding, now: float) -> float | None:
    """Return since when this very process has been found hung; None where it is not."""
    if finding.verdict is not Verdict.HUNG:
        return None
    same = (incident.verdict, incident.guid, incident.pid) == (finding.verdict, finding.guid, finding.pid)
    return incident.convicted_at if same and incident.convicted_at is not None else now


def granted(incident: Incident, finding: Finding, now: float, limits: Limits) -> Incident | None:
    """Return the incident that waits for the worker's last known tasks, or None if there is nothing to wait for."""
    one = finding.site.incarnation if finding.site else None
    if one is None or not one.active or incident.convicted_at is None:
        return None
    if now - incident.convicted_at >= limits.finish_grace_s:
        return None
    if [step.kind for step in incident.steps[-1:]] == ["grace"]:
        return incident
    text = (
        f"{one.active} tasks were under way by its last heartbeat: their processes have {limits.finish_grace_s:.0f} s "
        "from the conviction to end them"
    )
    incident = replace(incident, held_reason=None)
    return story.told(incident, now, "grace", text, state=IncidentState.OPEN)
