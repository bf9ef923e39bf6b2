"""Connections that carry no worker's name (Kombu before 5.7): what their number proves of one worker among many.

A frozen worker's subscriptions stay and it takes no message; one that ends itself gives its subscriptions up first,
and of one that is killed nothing is left.
"""

from msgspec import Struct

from celeriac.core.model import Incarnation, Nameless
from celeriac.core.readings import Known
from celeriac.core.snapshot import Crowd, Seen, silence

FRESH_BEATS = 1.5


class Counted(Struct, frozen=True):
    """The nameless connections now, beside the number of nameless workers that speak now."""

    counted: Nameless | None
    speaking: int
    steady: bool = True
    """Whether all who count as speaking have spoken just now, so that their connections are surely there."""

    def shows_idle(self, before: Crowd | None) -> bool:
        """Tell whether a worker that spoke when `before` was counted still subscribes, and is none of those who fetch."""
        there = self._subscribes(before)
        if self.counted is None or not there:
            return False
        return self.counted.fetching is None or self.counted.fetching <= self.speaking

    def shows_gone(self, before: Crowd | None) -> bool:
        """Tell whether no more subscribe than those who speak: a worker that spoke when `before` was counted is gone."""
        return self.steady and self._subscribes(before) is False

    def _subscribes(self, before: Crowd | None) -> bool | None:
        """Tell whether there are subscriptions for one more than those who speak; others' (Flower's) are in each share."""
        if self.counted is None or before is None or not before.workers or not before.counted.subscribed:
            return None
        each = before.counted.subscribed / before.workers
        return self.counted.subscribed >= each * (self.speaking + 0.5)


def count(seen: Seen, suspect_beats: float) -> Counted:
    """Count this look's nameless connections, and the workers that they can belong to and that speak."""
    clients = seen.clients
    if not isinstance(clients, Known) or not isinstance(seen.stream, Known):
        return Counted(None, 0)
    speaking = [one for one in _nameless(seen) if _silent_beats(one, seen) < suspect_beats]
    steady = all(_just_spoke(one, seen) for one in speaking)
    return Counted(clients.value.nameless, len(speaking), steady)


def crowds(seen: Seen, suspect_beats: float) -> dict[str, Crowd]:
    """Return in which crowd each worker was counted last: this one, where all that speak have spoken just now.

    One that misses its first beats may be gone already: it must not count as one of those whose connections are there.
    """
    now = count(seen, suspect_beats)
    lives = {one.key: one for one in _nameless(seen)}
    kept = {key: crowd for key, crowd in seen.crowds.items() if key in lives}
    counted_as_speaking = [one for one in lives.values() if _silent_beats(one, seen) < suspect_beats]
    if now.counted is None or not now.steady:
        return kept
    this = Crowd(now.counted, now.speaking)
    return kept | {one.key: this for one in counted_as_speaking}


def _nameless(seen: Seen) -> list[Incarnation]:
    named = seen.clients.value.by_node if isinstance(seen.clients, Known) else {}
    return [one for one in seen.incarnations if not one.offline and one.node not in named]


def _just_spoke(one: Incarnation, seen: Seen) -> bool:
    """Tell whether it was heard just now: after a gap of ours silence counts anew, but a word from before it shows nothing."""
    stream = seen.stream.value if isinstance(seen.stream, Known) else None
    return stream is not None and stream.observed_at - one.last_seen_at < FRESH_BEATS * one.freq


def _silent_beats(one: Incarnation, seen: Seen) -> float:
    stream = seen.stream.value if isinstance(seen.stream, Known) else None
    return silence(one.last_seen_at, stream) / one.freq if stream else 0.0
