"""Of which crashes evidence is kept: the first of an incident, and once more when it has become a loop.

Both follow from the incident's story, so the next keeper knows what the last one has kept.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.casualties import SETTLED_S
from celeriac.core.deaths import ended
from celeriac.core.incident import Incident, IncidentState
from celeriac.core.model import Instance, Verdict
from celeriac.core.places import host
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen

PLATFORM_AWAITED_S = 60.0
"""So long a platform that cannot be read is waited for; then what the others know is kept."""

LATE_S = 300.0
"""After so long a platform's logs tell of later lives, so nothing is kept any more."""

LIVES_AT_MOST = 3
_TELLING = frozenset({"opened", "crashed", "escalated"})
_CRASHED = frozenset({Verdict.CRASHED, Verdict.CRASH_LOOPING})


class Occasion(StrEnum):
    """What evidence is kept for; its name stands in the incident's story and beside each exhibit's source."""

    CRASH = "after the crash"
    LOOP = "in the crash loop"


class Dead(Struct, frozen=True):
    """One crash to keep evidence of: the index as the platform shows it now, and the lives (node, pid) that ended."""

    incident: str
    cluster: str
    occasion: Occasion
    instance: Instance | None
    lives: tuple[tuple[str, int], ...]


def dead(incident: Incident, seen: Seen) -> Dead | None:
    """Return what is to be kept of a crash now, or None: nothing, not yet, no more, or it is kept already."""
    occasion = _occasion(incident)
    if occasion is None or _told_of(incident, occasion):
        return None
    age = seen.at - max((one.at for one in incident.steps if one.kind in _TELLING), default=incident.opened_at)
    if not SETTLED_S <= age <= LATE_S:
        return None
    if incident.place.mapped and not isinstance(seen.platform, Known) and age < PLATFORM_AWAITED_S:
        return None
    instance = _instance(incident, seen)
    return Dead(incident.id, incident.cluster, occasion, instance, _lives(incident, instance, seen))


def _occasion(incident: Incident) -> Occasion | None:
    if incident.place.whole or incident.place.of_app or not (incident.crashes or incident.verdict in _CRASHED):
        return None
    again = incident.state is IncidentState.ESCALATED and len(incident.crashes) > 1
    return Occasion.LOOP if again or incident.verdict is Verdict.CRASH_LOOPING else Occasion.CRASH


def _told_of(incident: Incident, occasion: Occasion) -> bool:
    """Tell whether the story says it already; a loop needs no evidence of its first crash any more."""
    texts = [one.text for one in incident.steps if one.kind == "evidence"]
    return any(f"kept {one}" in text for text in texts for one in (occasion, Occasion.LOOP))


def _instance(incident: Incident, seen: Seen) -> Instance | None:
    """Return the index that crashed; its logs and events are asked for by app and index, whoever lives there now."""
    apps = seen.platform.value if isinstance(seen.platform, Known) else ()
    place = replace(incident.place, node=None)
    return next((one for app in apps for one in app.instances if one.place(incident.cluster) == place), None)


def _lives(incident: Incident, instance: Instance | None, seen: Seen) -> tuple[tuple[str, int], ...]:
    lives, most = ended(incident, seen), LIVES_AT_MOST
    if not lives and instance is not None and not incident.guid:
        # The index is CRASHED and has no guid any more: the last one that was heard there is meant.
        guids = {one.guid for one in seen.lived if one.place == incident.place} - {instance.guid}
        lives, most = tuple(one for one in seen.incarnations if host(one.node) in guids), 1
    newest = sorted(lives, key=lambda one: one.last_seen_at, reverse=True)
    return tuple((one.node, one.pid) for one in newest[:most])
