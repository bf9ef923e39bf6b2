"""What cannot be seen of a cluster, why, and the setting that would show it: no number on a page may hide a gap."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct

from celeriac.core.flow import EVENTS_SETTING, SENT_SETTING
from celeriac.core.model import Incarnation, Pool
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream

SPEAKS_BEATS = 6
"""A worker that was silent for so many heartbeats is not asked and not complained of: silence is another matter."""

SURE_BEATS = 3
LATE_S = 60.0
"""After so long a worker has sent a heartbeat, and its connections have been seen, if they ever will."""

RECENT_S = 600.0
"""A worker without heartbeats counts as there for so long after its last task event."""


class Gap(Struct, frozen=True):
    """Something that cannot be seen, and why; `setting` shows it, unless there is none, and `workers` are the nodes."""

    what: str
    why: str
    setting: str | None = None
    workers: tuple[str, ...] = ()


class Watched(Struct, frozen=True):
    """What is known of a cluster, as far as gaps follow from it.

    `pools` is by `Incarnation.key`, `queues` are the newest samples, `broker` is `redis`, `rabbitmq` or another of Kombu's
    transports; the last is a setting of ours.
    """

    stream: Stream | None
    incarnations: tuple[Incarnation, ...] = ()
    pools: dict[str, Pool] = {}
    queues: tuple[QueueSample, ...] = ()
    broker: str = "redis"
    enable_task_events: str = "once"


def coverage(watched: Watched) -> tuple[Gap, ...]:
    """Return the gaps, the gravest first."""
    if watched.stream is None:
        return (Gap("everything that events tell", "the observer has not stored anything yet", "celeriac serve"),)
    stream = watched.stream
    found = [
        _nobody(watched, stream),
        _without_task_events(watched, stream),
        _lost(watched, stream),
        _dropped(stream),
        _without_heartbeats(watched, stream),
        _refused(stream),
        _malformed(stream),
        _unsent(watched, stream),
        _unnamed(watched, stream),
        RESULTS,
        *_hidden_queues(watched),
        _unknown_types(stream),
    ]
    return tuple(gap for gap in found if gap)


def to_enable(incarnations: Iterable[Incarnation], observed_at: float) -> tuple[Incarnation, ...]:
    """Return the speaking workers that seem to send no task events: proven, or at work and never heard of a task.

    The second may be in a task that began before we listened: to be asked once more harms nobody.
    """
    return tuple(one for one in incarnations if _speaks(one, observed_at) and (one.mute or _at_work_unheard(one)))


def _at_work_unheard(one: Incarnation) -> bool:
    return one.last_task_at is None and one.beats >= SURE_BEATS and bool(one.active)


def _speaks(one: Incarnation, observed_at: float) -> bool:
    return not one.offline and observed_at - one.last_seen_at <= SPEAKS_BEATS * one.freq


def _nobody(watched: Watched, stream: Stream) -> Gap | None:
    """Tell of a cluster that is listened to and in which nobody speaks: it may be empty, or send nothing at all."""
    since = stream.flowing_since
    heard = any(stream.observed_at - one.last_seen_at <= RECENT_S for one in watched.incarnations)
    if since is None or stream.observed_at - since <= LATE_S or heard:
        return None
    why = "the broker is heard, and no worker speaks: there is none, or they send neither heartbeats nor task events"
    return Gap("the workers", why, "celery worker without --without-heartbeat")


def _without_task_events(watched: Watched, stream: Stream) -> Gap | None:
    nodes = _nodes(watched, lambda one: one.mute and _speaks(one, stream.observed_at))
    setting = EVENTS_SETTING
    if watched.enable_task_events == "never":
        setting += '; or enable_task_events = "once" in [[cluster]], and Celeriac asks them'
    return _about(nodes, "the tasks of some workers", "they begin tasks and send no task events", setting)


def _lost(watched: Watched, stream: Stream) -> Gap | None:
    lost, cuts, gaps = stream.lost_tasks, stream.cuts, stream.gaps
    parts = [
        f"of {_number(lost, 'task')} that began no events came, unless these have send_events = False" if lost else "",
        f"the broker cut us off {_number(cuts, 'time')}" if cuts else "",
        f"a part of the stream was missing {_number(gaps, 'time')}" if gaps else "",
    ]
    why = ", ".join(filter(None, parts))
    if not why:
        return None
    if watched.broker == "redis" and stream.cuts:
        setting = "client-output-buffer-limit pubsub 256mb 64mb 60 in redis.conf"
    else:
        setting = "celeriac serve --only observer on a machine of its own, so that it never falls behind or stops"
    return Gap("some tasks, or their ends", why, setting)


def _dropped(stream: Stream) -> Gap | None:
    if not stream.dropped:
        return None
    why = f"{stream.dropped} events found no room while the store took nothing"
    return Gap("some tasks, or their ends", why, "store: a disk that is fast enough and not full")


def _without_heartbeats(watched: Watched, stream: Stream) -> Gap | None:
    def beatless(one: Incarnation) -> bool:
        age, silent = stream.observed_at - one.first_seen_at, stream.observed_at - one.last_seen_at
        return not one.beats and one.last_task_at is not None and age > LATE_S and silent <= RECENT_S

    nodes = _nodes(watched, beatless)
    why = "they send no heartbeats: a dead one looks like an idle one until it is asked"
    return _about(nodes, "whether some workers live", why, "celery worker without --without-heartbeat")


def _refused(stream: Stream) -> Gap | None:
    if not stream.refused:
        return None
    why = f"{stream.refused} messages of events are of a content type that is not accepted"
    return Gap("what some events say", why, 'event_serializer = "json" in the settings of workers and producers')


def _malformed(stream: Stream) -> Gap | None:
    number = stream.malformed - stream.refused  # what is refused counts in both
    if number <= 0:
        return None
    why = f"{number} events, or messages of them, cannot be read"
    return Gap("what some events say", why, 'event_serializer = "json" in the settings of workers and producers')


def _unsent(watched: Watched, stream: Stream) -> Gap | None:
    nobody = bool(stream.task_events) and not stream.sent_events
    if not nobody and not any(SENT_SETTING in one.unknown.get("arriving", "") for one in watched.queues):
        return None
    return Gap(
        "queues of tasks, how long tasks wait, and tasks that no worker has received",
        f"workers speak of tasks that {'nobody' if nobody else 'not everybody who sends them'} says to have sent",
        f"{SENT_SETTING}, Celery beat and workers included",
    )


def _unnamed(watched: Watched, stream: Stream) -> Gap | None:
    def unnamed(one: Incarnation) -> bool:
        pool = watched.pools.get(one.key)
        old = stream.observed_at - one.first_seen_at > LATE_S
        return pool is not None and not pool.named and old and _speaks(one, stream.observed_at)

    nodes = _nodes(watched, unnamed) if watched.broker == "redis" else ()
    why = "their connections carry no name, so what Redis knows of them proves nothing (names need Kombu 5.7)"
    setting = 'broker_transport_options = {"client_name": "<the worker\'s node name>"}'
    return _about(nodes, "whether some workers fetch messages", why, setting)


RESULTS = Gap(
    "whole results, and how tasks ended whose events were lost",
    "events hold at most 1024 characters of a result, and a result backend is asked only for the tasks of dead and hung workers",
)


_QUEUE_FIELDS = {
    "ready": "the number of waiting messages",
    "unacked": "unacknowledged messages",
    "oldest_s": "the age of the oldest message",
}


def _hidden_queues(watched: Watched) -> list[Gap]:
    """Return a gap for each reason why queues do not tell something; what rates want is said of tasks.

    Who consumes a queue is known from the workers too.
    """
    by_why: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for one in watched.queues:
        for field in filter(one.unknown.get, _QUEUE_FIELDS):
            fields, names = by_why[one.unknown[field]]
            fields.add(field)
            names.add(one.name)
    return [
        Gap(
            f"{_listed(what for field, what in _QUEUE_FIELDS.items() if field in fields)} of {_some(names)}",
            why,
        )
        for why, (fields, names) in by_why.items()
    ]


def _unknown_types(stream: Stream) -> Gap | None:
    if not stream.unknown_types:
        return None
    return Gap("events of types that are not Celery's", f"there were {stream.unknown_types}, and they are only counted")


def _nodes(watched: Watched, which: Callable[[Incarnation], bool]) -> tuple[str, ...]:
    return tuple(sorted({one.node for one in watched.incarnations if which(one)}))


def _about(nodes: tuple[str, ...], what: str, why: str, setting: str) -> Gap | None:
    return Gap(what, why, setting, nodes) if nodes else None


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _some(names: set[str], most: int = 3) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return _listed([*sorted(names)[:most], *more])


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
