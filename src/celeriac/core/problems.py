"""Which sources fail now, each in one sentence for people: for readiness, for the page."""

from collections.abc import Iterator

from celeriac.core.places import MISSING
from celeriac.core.readings import Unknown
from celeriac.core.snapshot import Seen

_GONE = "it was deleted, or our role there was taken away"


def problems(seen: Seen, why_blind: str | None) -> tuple[str, ...]:
    """Return what fails; of a platform that cannot be read at all that is said, and not of each of its parts."""
    failing = [*([why_blind] if why_blind else []), *_of_platform(seen)]
    failing += sorted({f"results: {one.why}" for one in seen.outcomes.values() if isinstance(one, Unknown)})
    if isinstance(seen.clients, Unknown) and seen.clients.at:
        failing.append(f"broker connections: {seen.clients.why}")
    return tuple(failing)


def _of_platform(seen: Seen) -> Iterator[str]:
    if seen.platform is None:
        return
    if isinstance(seen.platform, Unknown):
        yield f"platform: {seen.platform.why}"
        return
    absent = [app.name for app in seen.platform.value if app.state == MISSING]
    yield from (f"platform: the app {name} is not to be seen in the space: {_GONE}" for name in absent)
    if len(absent) == len(seen.platform.value):
        return  # nothing is left to tell of
    if isinstance(seen.crashes, Unknown):
        yield f"platform events: {seen.crashes.why}"
    elif isinstance(seen.changes, Unknown) and seen.changes.at:
        yield f"platform changes: {seen.changes.why}"
