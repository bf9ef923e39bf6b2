"""Crashes that no incident tells yet: the platform's events, or an index that is CRASHED without any."""

from collections.abc import Iterable

from celeriac.core import story
from celeriac.core.crashes import made_by, unasked
from celeriac.core.desk import Desk, Past
from celeriac.core.finding import Finding
from celeriac.core.incident import IncidentState
from celeriac.core.limits import Limits
from celeriac.core.model import Crash, InstanceState, Place, Verdict
from celeriac.core.snapshot import Seen


def untold(seen: Seen, past: Past, limits: Limits) -> Iterable[Crash]:
    """Return the crashes that no incident tells yet; our own restarts are none."""
    told = {crash for one in past.incidents for crash in one.crashes}
    for crash in unasked(seen):
        known = crash.id in told or made_by(crash, past.remedies)
        if not known and seen.at - crash.at <= limits.crash_window_s:
            yield crash


def hear(desk: Desk, crash: Crash, seen: Seen, limits: Limits) -> None:
    """Open or move the incident of the place that crashed; nobody knows one that is not there, or not wanted."""
    place = Place(seen.cluster, crash.platform, crash.app, crash.process, crash.index)
    finding = desk.findings.get(place) or _one_of(desk, place)
    if finding is None or finding.verdict is Verdict.STOPPED:
        return
    incident = story.crashed(crash, finding, desk.incidents.get(finding.place), seen.at, limits)
    remedy = desk.remedies.get(incident.remedy_id or "")
    ended = (
        story.let_go(remedy, seen.at, incident.steps[-1].text) if incident.state is IncidentState.ESCALATED else None
    )
    desk.put(incident, ended)


def _one_of(desk: Desk, place: Place) -> Finding | None:
    """Of several nodes that share this container by now one is to prove that it works again, the worst of them."""
    there = [one for one in desk.findings.values() if one.place.container == place.container]
    return min(there, key=lambda one: (one.place not in desk.incidents, one.well), default=None)


def hear_of_state(desk: Desk, finding: Finding, seen: Seen, limits: Limits) -> None:
    """The index is CRASHED and the platform's events are silent about it: its state is proof enough."""
    instance = finding.site.instance if finding.site else None
    if instance is None or instance.state is not InstanceState.CRASHED:
        return
    guid = instance.guid or ""
    crash = Crash(
        id=f"state:{finding.place.id}:{seen.at:.0f}",
        platform=instance.platform,
        app=instance.app,
        process=instance.process,
        index=instance.index,
        instance_guid=guid,
        at=seen.at,
        text=instance.details or "the index is CRASHED",
    )
    desk.put(story.crashed(crash, finding, None, seen.at, limits))
