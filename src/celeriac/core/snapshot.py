"""Everything that one cycle saw of one cluster, as one value."""

from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.changes import Change
from celeriac.core.limits import Limits
from celeriac.core.logs import Logged
from celeriac.core.model import App, Clients, Crash, Incarnation, Inspection, Nameless, Place, Pool
from celeriac.core.readings import Reading, Unknown
from celeriac.core.stuck import Stuck
from celeriac.core.work import Held, Share, Waiting


class Stream(Struct, frozen=True):
    """How well the observer hears the cluster; times by the observer's clock.

    `echo_at` is when our own event last came back through the broker, `flowing_since` when it began to come without a
    gap. Silence before `flowing_since` proves nothing about anybody. `lag_s` is how old our echo was when it came back,
    `cuts` counts connections that the broker ended for our slowness or by itself, where it keeps nothing; `gaps` the times
    that a part of the stream was missing: nobody listened, or our own numbered events did not all come back. `dropped`
    counts the events that found no room while the store was away, `lost_tasks` the begun tasks that workers' own counters
    show and whose events never came.
    """

    observed_at: float
    echo_at: float | None = None
    flowing_since: float | None = None
    error: str | None = None
    reader: str = ""
    events: int = 0
    malformed: int = 0
    unknown_types: int = 0
    dropped: int = 0
    reconnects: int = 0
    lag_s: float | None = None
    last_event_at: float | None = None
    task_events: int = 0
    sent_events: int = 0
    lost_tasks: int = 0
    lost_events: int = 0
    cuts: int = 0
    gaps: int = 0
    refused: int = 0
    backlog_bytes: int = 0
    lost_at: float | None = None
    """When one of the numbers of what is lost last grew."""

    rows: int = 0
    store_error: str | None = None
    """Why the store took nothing for a while, until all that waited is stored."""

    @property
    def losses(self) -> int:
        """Return a number that grows whenever something is lost."""
        return self.malformed + self.refused + self.dropped + self.cuts + self.gaps + self.lost_tasks


def resumed(before: Stream, now: float, *, reader: str, kept: bool) -> Stream:
    """Return the last word of an observer as the first one of the next: of its losses all is true, of its hearing nothing.

    What came between the two was heard by nobody, unless the broker has kept it.
    """
    return replace(
        before,
        observed_at=now,
        echo_at=None,
        flowing_since=None,
        error=None,
        reader=reader,
        lag_s=None,
        gaps=before.gaps + (not kept),
        backlog_bytes=0,
        lost_at=before.lost_at if kept else now,
        store_error=None,
    )


class Lived(Struct, frozen=True):
    """A guid that a place had at some time: it maps the node names of earlier lives to their place."""

    guid: str
    place: Place
    seen_at: float


class Crowd(Struct, frozen=True):
    """The nameless connections, and the number of workers that spoke when they were counted."""

    counted: Nameless
    workers: int


class Outcomes(Struct, frozen=True):
    """Of the tasks that a life had begun and not ended, by its events: how many there are, and of how many a result is stored."""

    begun: int
    ended: int


class Seen(Struct, frozen=True):
    """One look at one cluster. `stream` is Unknown when the observer's last word is stale, by the keeper's own clock.

    `platform` is None when none is configured. `pings`, `inspected` and `logged` hold only the nodes that were asked,
    and `stuck` those whose slots are held for too long; `changes` is what people lately did to the apps;
    `answered` is when each node last answered a ping of ours; `pools`, `shares` and `held` are by `Incarnation.key`; `crowds` is
    the crowd in which each incarnation that speaks no more was counted last; `lingering` holds the keys of incarnations
    whose connection was still there when they had missed some beats, or after their goodbye; `recycled` holds the guids that
    we told to end; `outcomes`, by key too, is of the lives whose tasks are waited for before a kill; `platform_ahead_s` is by how many
    seconds at least the platform's clock is ahead of ours, below 0 if it is behind (the times in `crashes` and `changes` are ours).
    """

    cluster: str
    at: float
    stream: Reading[Stream]
    incarnations: tuple[Incarnation, ...] = ()
    platform: Reading[tuple[App, ...]] | None = None
    crashes: Reading[tuple[Crash, ...]] | None = None
    lived: tuple[Lived, ...] = ()
    pools: dict[str, Pool] = {}
    pings: dict[str, Reading[bool]] = {}
    inspected: dict[str, Reading[Inspection]] = {}
    answered: dict[str, float] = {}
    clients: Reading[Clients] = Unknown("not asked")
    crowds: dict[str, Crowd] = {}
    lingering: frozenset[str] = frozenset()
    waiting: dict[str, Waiting] = {}
    shares: dict[str, Share] = {}
    held: dict[str, Held] = {}
    logged: dict[str, Reading[Logged]] = {}
    stuck: dict[str, tuple[Stuck, ...]] = {}
    changes: Reading[tuple[Change, ...]] | None = None
    recycled: frozenset[str] = frozenset()
    outcomes: dict[str, Reading[Outcomes]] = {}
    platform_ahead_s: float = 0.0


def silence(last_seen_at: float, stream: Stream) -> float:
    """Return how long a worker has been silent in seconds, counted anew from the end of our own last gap."""
    since = max(last_seen_at, stream.flowing_since or stream.observed_at)
    return max(0.0, stream.observed_at - since)


def speaks(one: Incarnation, stream: Stream, limits: Limits) -> bool:
    """Tell whether a worker has spoken within so many of its own beats that nobody suspects it."""
    return silence(one.last_seen_at, stream) < limits.suspect_beats * one.freq
