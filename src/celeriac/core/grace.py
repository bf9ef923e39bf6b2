"""A hung main process whose children may still work: they get a while to end their tasks before all of them are stopped.

Only the main process sends events, so whether the tasks have ended is not heard. But the children store the results: where
the result backend shows all of them, the while is over at once. Else it is waited out, once.
"""

from msgspec.structs import replace

from celeriac.core import story
from celeriac.core.finding import Finding
from celeriac.core.incident import Incident, IncidentState
from celeriac.core.limits import Limits
from celeriac.core.model import Incarnation, Verdict
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen

_KIND = "grace"


def convicted(incident: Incident, finding: Finding, now: float) -> float | None:
    """Return since when this very process has been found hung; None where it is not."""
    if finding.verdict is not Verdict.HUNG:
        return None
    same = (incident.verdict, incident.guid, incident.pid) == (finding.verdict, finding.guid, finding.pid)
    return incident.convicted_at if same and incident.convicted_at is not None else now


def waiting(incident: Incident) -> tuple[str, int] | None:
    """Return the life (node, pid) whose tasks an incident waits for, or None where it waits for none."""
    if incident.node is None or incident.pid is None or incident.state is not IncidentState.OPEN:
        return None
    return (incident.node, incident.pid) if _told(incident) else None


def granted(incident: Incident, finding: Finding, seen: Seen, limits: Limits) -> Incident | None:
    """Return the incident that waits for the worker's last known tasks, or None if there is nothing to wait for."""
    one = finding.site.incarnation if finding.site else None
    if one is None or not one.active or incident.convicted_at is None:
        return None
    if seen.at - incident.convicted_at >= limits.finish_grace_s or _all_ended(one, seen):
        return None
    if _told(incident):
        return incident
    text = (
        f"{one.active} tasks were under way by its last heartbeat: their processes have {limits.finish_grace_s:.0f} s "
        "from the conviction to end them"
    )
    incident = replace(incident, held_reason=None)
    return story.told(incident, seen.at, _KIND, text, state=IncidentState.OPEN)


def over(incident: Incident, finding: Finding, seen: Seen) -> Incident:
    """Return the incident whose wait is over, with a line where it was the tasks that ended it."""
    one = finding.site.incarnation if finding.site else None
    if one is None or not _told(incident) or not _all_ended(one, seen):
        return incident
    return story.told(incident, seen.at, _KIND, "all of them have ended, by the result backend: nothing is waited for")


def _told(incident: Incident) -> bool:
    return bool(incident.steps) and incident.steps[-1].kind == _KIND


def _all_ended(one: Incarnation, seen: Seen) -> bool:
    """Tell whether the results of all tasks that it had begun are there; where one may be unknown they are not."""
    told = seen.outcomes.get(one.key)
    if not isinstance(told, Known) or one.missed or one.mute:
        return False
    return told.value.ended == told.value.begun >= (one.active or 0)
