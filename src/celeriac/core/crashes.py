"""Crashes as the platform tells them: which of them nobody had asked for, and which of them make a loop."""

from collections.abc import Iterable

from celeriac.core.incident import Recycling, Remedy, RemedyKind
from celeriac.core.ledger import MADE
from celeriac.core.limits import Limits
from celeriac.core.model import Crash, Place
from celeriac.core.places import host
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def unasked(seen: Seen) -> list[Crash]:
    """Return the crashes, oldest first, but for ends with exit code 0 that a goodbye had announced; none if not Known."""
    return _unannounced(seen.crashes.value, seen) if isinstance(seen.crashes, Known) else []


def made_by(crash: Crash, remedies: Iterable[Remedy]) -> bool:
    """Tell whether this end is our own doing: a restart's, or the clean one of a worker that we told to end."""
    of_it = [one for one in remedies if one.guid == crash.instance_guid and one.state in MADE]
    restarted = any(one.kind is RemedyKind.RESTART_INSTANCE for one in of_it)
    return restarted or (crash.clean_exit and crash.instance_guid in recycled(of_it))


def recycled(remedies: Iterable[Remedy]) -> frozenset[str]:
    """Return the guids of the instances that we told to end."""
    told = (one for one in remedies if one.kind is RemedyKind.RECYCLE and one.state in MADE)
    return frozenset(one.guid for one in told if one.step is Recycling.SHUTDOWN and one.guid)


def loop(place: Place, seen: Seen, limits: Limits) -> list[Crash]:
    """Return this place's recent crashes, oldest first, if they are a loop; else none.

    They are one by their number within the window, or by the platform's own count of those in a row. That starts anew once
    an instance has run for five minutes (Diego), so one that lives a little longer never reaches the platform's back-off.
    """
    if not isinstance(seen.crashes, Known):
        return []
    index = (place.platform, place.app, place.process, place.index)
    mine = [one for one in seen.crashes.value if (one.platform, one.app, one.process, one.index) == index]
    recent = [one for one in mine if seen.at - one.at <= limits.crash_window_s]
    crashes = _unannounced(recent, seen) if recent else []  # most places have none, and a cluster has thousands
    # The platform counts in a row what we had asked for too.
    ours = sum(one.instance_guid in seen.recycled and one.clean_exit for one in recent)
    looping = crashes and max(len(crashes), crashes[-1].count - ours) >= limits.crash_loop_at
    return crashes if looping else []


def _unannounced(crashes: Iterable[Crash], seen: Seen) -> list[Crash]:
    goodbyes = {host(one.node) for one in seen.incarnations if one.leaving}
    left = [one for one in crashes if not (one.clean_exit and one.instance_guid in goodbyes | seen.recycled)]
    return sorted(left, key=lambda one: one.at)
