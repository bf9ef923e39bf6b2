"""Queues as the broker shows them, and what two looks at one queue tell of its flow."""

from msgspec import Struct

from celeriac.core.flow import Count
from celeriac.core.readings import Unknown

BY_MESSAGE = "message timestamp"
BY_EVENT = "its task-sent event"
BY_WATCHING = "seen at the head since"
"""How the age of the oldest message is known; the last is a lower bound."""


class QueueState(Struct, frozen=True):
    """What the broker says of one queue now; what it cannot tell is None, and `unknown` says why.

    `ready` counts waiting messages by priority (0 is the default one). `oldest_task` is the Celery id of the message that
    will be taken next, `oldest_sent_at` the time in its own properties, in seconds since the epoch.
    """

    name: str
    ready: dict[int, int]
    unacked: int | None = None
    consumers: int | None = None
    oldest_task: str | None = None
    oldest_sent_at: float | None = None
    unknown: dict[str, str] = {}

    @property
    def depth(self) -> int:
        return sum(self.ready.values())


class QueueSample(Struct, frozen=True):
    """One look at one queue, with what two looks and the cluster's events tell of its flow; rates are per second.

    What is not known is None and `unknown` says why, by field. `oldest_how` tells by which method the age of the oldest
    message is known.
    """

    name: str
    at: float
    ready: dict[int, int]
    unacked: int | None = None
    consumers: int | None = None
    arriving: float | None = None
    completing: float | None = None
    oldest_s: float | None = None
    oldest_how: str | None = None
    unknown: dict[str, str] = {}

    @property
    def depth(self) -> int:
        return sum(self.ready.values())


class Head(Struct, frozen=True):
    """The message that is taken next: its task, since when it is seen there, and when its `task-sent` says it was sent."""

    task: str
    since: float
    sent_at: float | None = None


class Rates(Struct, frozen=True):
    """Messages per second between two looks; `short` is how many left whose events have not come yet."""

    arriving: float
    completing: float
    short: int = 0


class Age(Struct, frozen=True):
    """How old the oldest message is, in seconds, and how that is known; or `unknown` says why it is not."""

    oldest_s: float | None = None
    how: str | None = None
    unknown: str | None = None


def rates(before: QueueState, now: QueueState, span_s: float, count: Count, short: int = 0) -> Rates:
    """Return what two looks and the tasks between them tell; `short` is that of the span before.

    What arrived is what the queue grew by, and what workers received from it meanwhile; a message that is put back arrives
    again. That holds whenever a worker acknowledges, before its tasks or after. Events come a little after the broker's
    own numbers: what left without one is made up for in the next span, and never counts as less than nothing.
    """
    received, finished = count
    grown = now.depth - before.depth + received
    return Rates(max(0, grown - short) / span_s, finished / span_s, max(0, -grown))


def age(state: QueueState, at: float, head: Head | None) -> Age:
    """Return how old the oldest message is, by the best of the methods that there are."""
    if state.oldest_sent_at is not None:
        return Age(max(0.0, at - state.oldest_sent_at), BY_MESSAGE)
    if head is None and (state.depth or "ready" in state.unknown):
        return Age(unknown=state.unknown.get("oldest_task", "the broker does not show its messages"))
    if head is None:
        return Age()
    if head.sent_at is not None:
        return Age(max(0.0, at - head.sent_at), BY_EVENT)
    return Age(max(0.0, at - head.since), BY_WATCHING)


def sample(state: QueueState, at: float, flow: Rates | Unknown, oldest: Age) -> QueueSample:
    """Return one look as it is stored."""
    unknown = {field: why for field, why in state.unknown.items() if field in QueueSample.__struct_fields__}
    if oldest.unknown is not None:
        unknown["oldest_s"] = oldest.unknown
    if isinstance(flow, Unknown):
        unknown["arriving"] = unknown["completing"] = flow.why
    return QueueSample(
        name=state.name,
        at=at,
        ready=state.ready,
        unacked=state.unacked,
        consumers=state.consumers,
        arriving=flow.arriving if isinstance(flow, Rates) else None,
        completing=flow.completing if isinstance(flow, Rates) else None,
        oldest_s=oldest.oldest_s,
        oldest_how=oldest.how,
        unknown=unknown,
    )
