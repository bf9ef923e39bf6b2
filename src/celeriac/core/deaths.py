"""Which lives of workers an incident ends: what is proven dead, never what is only silent."""

from collections.abc import Iterator

from celeriac.core.incident import Incident
from celeriac.core.model import Incarnation, Verdict
from celeriac.core.places import host
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def ended(incident: Incident, seen: Seen) -> tuple[Incarnation, ...]:
    """Return the lives that are over: with the container that crashed or was restarted, or by the worker's own crash.

    A life is over too when another one of its node name has begun since it was last heard: somebody started it anew.
    """
    container = f"@{incident.guid}"  # the host part of a node's name, as in `places.host`
    there = [one for one in seen.incarnations if one.node == incident.node or one.node.endswith(container)]
    return tuple(one for one in there if any(_proofs(incident, one, seen)))


def _proofs(incident: Incident, one: Incarnation, seen: Seen) -> Iterator[bool]:
    in_container = host(one.node) == incident.guid
    own = (one.node, one.pid) == (incident.node, incident.pid)
    yield in_container and bool(incident.crashes)
    yield in_container and any(step.kind == "acted" for step in incident.steps) and _gone(incident, seen)
    yield own and incident.verdict is Verdict.CRASHED and incident.guid is None
    yield own and any(_follows(other, one) for other in seen.incarnations)


def _gone(incident: Incident, seen: Seen) -> bool:
    """Tell whether the platform runs this container no more."""
    if not isinstance(seen.platform, Known):
        return False
    return all(there.guid != incident.guid for app in seen.platform.value for there in app.instances)


def _follows(other: Incarnation, one: Incarnation) -> bool:
    return other.node == one.node and other.pid != one.pid and other.first_seen_at > one.last_seen_at
