"""What a worker's own counter says of the events that did not reach us.

Each heartbeat carries `processed`, the number of tasks that the worker has begun; each begun task sends one `task-started`
(Celery 5.7: `celery.worker.request.on_accepted`). What the counter is ahead of the events is lost, but for those that
still wait in the worker's buffer of at most 24 when the heartbeat overtakes them.
"""

from celeriac.core.model import Incarnation

BUFFERED = 24
"""`buffer_limit` of Celery's event dispatcher."""

GAP_BEATS = 2.5


def count(one: Incarnation, processed: int, since_last_s: float) -> int:
    """Take up one heartbeat; return how many more begun tasks are now known to be lost to us.

    A worker that begins tasks and says nothing of them, though its heartbeats come on time, has its task events off.
    """
    before, one.counted = one.counted, (processed, one.started)
    if before is None or processed < before[0]:
        one.behind = 0
        return 0
    done, seen = processed - before[0], one.started - before[1]
    if done and not seen and since_last_s <= GAP_BEATS * one.freq:
        one.mute = True
        return 0
    one.mute = one.mute and not seen
    earlier, one.behind = one.behind, max(0, one.behind + done - seen)
    sure = one.behind if not done else min(earlier, one.behind) - BUFFERED
    more = max(0, sure - one.missed)
    one.missed += more
    return more
