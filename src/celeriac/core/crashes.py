"""Crashes as the platform tells them: which of them nobody had asked for, and which of them make a loop."""

from collections.abc import Iterable

from celeriac.core.limits import Limits
from celeriac.core.model import Crash, Place
from celeriac.core.places import host
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def unasked(seen: Seen) -> list[Crash]:
    """Return the crashes, oldest first, but for ends with exit code 0 that a goodbye had announced; none if not Known."""
    return _unannounced(seen.crashes.value, seen) if isinstance(seen.crashes, Known) else []


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
    looping = crashes and max(len(crashes), crashes[-1].count) >= limits.crash_loop_at
    return crashes if looping else []


def _unannounced(crashes: Iterable[Crash], seen: Seen) -> list[Crash]:
    goodbyes = {host(one.node) for one in seen.incarnations if one.leaving}
    left = [one for one in crashes if not (one.clean_exit and one.instance_guid in goodbyes)]
    return sorted(left, key=lambda one: one.at)
