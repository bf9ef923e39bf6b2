"""What a worker's own counter says of the events that did not reach us.

Each heartbeat carries `processed`, the number of tasks that the worker has begun; each begun task sends one `task-started`
(Celery 5.7: `celery.worker.request.on_accepted`), unless its class has `send_events = False`. What the counter is ahead of
the events counts as lost, but for those that still wait in the worker's buffer of at most 24 when the heartbeat overtakes
them.
"""

from celeriac.core.model import Incarnation

BUFFERED = 24
"""`buffer_limit` of Celery's event dispatcher."""

GAP_BEATS = 2.5


def count(one: Incarnation, processed: int, since_last_s: float) -> int:
    """Take up one heartbeat; return how many more begun tasks are now known to be lost to us.

    A worker that begins tasks and says nothing of them, though its heartbeats come on time, has its task events off.
    One that has spoken of tasks before may have been cut short by a gap of ours: of it that is believed when it begins
    more than its buffer holds.
    """
    before, one.counted = one.counted, (processed, one.started)
    if before is None or processed < before[0]:
        one.behind = one.missed
        return 0
    done, seen = processed - before[0], one.started - before[1]
    if done and not seen and since_last_s <= GAP_BEATS * one.freq and _may_be_mute(one):
        one.mute, one.behind = True, one.missed
        return 0
    one.mute = one.mute and not seen
    earlier, one.behind = one.behind, max(0, one.behind + done - seen)
    sure = one.behind if not done else min(earlier, one.behind) - BUFFERED
    more = max(0, sure - one.missed)
    one.missed += more
    return more


def _may_be_mute(one: Incarnation) -> bool:
    return one.mute or not one.started or one.behind - one.missed > BUFFERED
