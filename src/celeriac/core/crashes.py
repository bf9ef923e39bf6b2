"""Crashes as the platform tells them: which of them nobody had asked for, and which of them make a loop."""

from celeriac.core.limits import Limits
from celeriac.core.model import Crash, Place
from celeriac.core.places import host
from celeriac.core.readings import Known
from celeriac.core.snapshot import Seen


def unasked(seen: Seen) -> list[Crash]:
    """Return the crashes, oldest first, but for ends with exit code 0 that a goodbye had announced."""
    if not isinstance(seen.crashes, Known):
        return []
    goodbyes = {host(one.node) for one in seen.incarnations if one.offline}
    return sorted(
        (one for one in seen.crashes.value if not (one.clean_exit and one.instance_guid in goodbyes)),
        key=lambda one: one.at,
    )


def loop(place: Place, seen: Seen, limits: Limits) -> list[Crash]:
    """Return this place's recent crashes if they are a loop: so many within the window, or so many in a row by its count.

    The platform's own count starts anew once an instance has run for five minutes (Diego); one that lives a little longer each
    time never reaches the platform's back-off.
    """
    recent = [
        one
        for one in unasked(seen)
        if Place(seen.cluster, one.platform, one.app, one.process, one.index).container == place.container
        and seen.at - one.at <= limits.crash_window_s
    ]
    many = len(recent) >= limits.crash_loop_at or (recent and recent[-1].count >= limits.crash_loop_at)
    return recent if many else []
