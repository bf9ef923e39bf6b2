"""The words of the domain as types: places, incarnations, instances, apps, crashes, and the names of what they can be."""

from enum import StrEnum

from msgspec import Struct

from celeriac.core.ids import opaque


class Verdict(StrEnum):
    """What a worker is, as far as the evidence goes."""

    STARTING = "starting"
    HEALTHY = "healthy"
    BUSY = "busy"
    DRAINING = "draining"
    STOPPED = "stopped"
    CRASHED = "crashed"
    CRASH_LOOPING = "crash-looping"
    HUNG = "hung"
    DEAF = "deaf"
    DAMAGED = "damaged"
    BLIND = "blind"


class Status(StrEnum):
    """What Flower's users know; a draining worker still runs tasks and is ONLINE."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


class Mode(StrEnum):
    """How much the keeper may do by itself."""

    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


class Place(Struct, frozen=True):
    """Where Celery runs: an index of an app's process on a platform, or a bare node name where no platform maps it.

    `node` is set for an unmapped worker, and for each of several nodes that share one container.
    """

    cluster: str
    platform: str | None = None
    app: str | None = None
    process: str | None = None
    index: int | None = None
    node: str | None = None

    @property
    def id(self) -> str:
        return opaque(
            *(str(part) for part in (self.cluster, self.platform, self.app, self.process, self.index, self.node))
        )

    @property
    def whole(self) -> bool:
        """Tell whether this is no worker's place but stands for all of the cluster."""
        return self.app is None and self.node is None

    @property
    def of_app(self) -> bool:
        """Tell whether this is no worker's place but stands for all of an app."""
        return self.app is not None and self.index is None

    @property
    def mapped(self) -> bool:
        return self.app is not None

    @property
    def container(self) -> tuple[str, str | None, str | None, str | None, int | None, str | None]:
        """Return what a restart stops: the index with all its nodes, or the bare node."""
        return (self.cluster, self.platform, self.app, self.process, self.index, None if self.mapped else self.node)

    @property
    def name(self) -> str:
        """Return the name that people use: `orders-worker/0`, or the node name."""
        if self.app is None:
            return self.node or "the whole cluster"
        if self.index is None:
            return self.app
        process = "" if self.process in (None, "web", "worker") else f":{self.process}"
        shared = f" ({self.node})" if self.node else ""
        return f"{self.app}{process}/{self.index}{shared}"


class Incarnation(Struct):
    """One life of a worker's main process, as its events tell it; times are receive times unless said otherwise.

    `last_start_at` is when it was last known to begin a task, by its counter or by a `task-started`.

    `sent` and `goodbye` order `worker-*` events as they were made: by Celery's logical clock, then by the worker's own
    wall clock, which may step back. `worker-offline` is sent when a warm shutdown *begins*, and again, late, after each
    broker outage, so it counts only while nothing newer was made. `hello` is the newest `worker-online`: a worker of the gevent pool
    beats on while it drains, and only that takes a goodbye back for sure. `started` counts its `task-started` events, `counted`
    is (`processed`, `started`) as of its last beat, `missed` the begun tasks whose events never came, and `mute` tells
    that its task events are off (`core.hearing`).
    """

    node: str
    pid: int
    first_seen_at: float
    last_seen_at: float
    last_heartbeat_at: float | None = None
    beats: int = 0
    freq: float = 2.0
    active: int | None = None
    processed: int | None = None
    software: str | None = None
    sent: tuple[int, float] = (0, 0.0)
    goodbye: tuple[int, float] | None = None
    hello: tuple[int, float] | None = None
    offline_at: float | None = None
    last_task_at: float | None = None
    last_start_at: float | None = None
    started: int = 0
    counted: tuple[int, int] | None = None
    behind: int = 0
    missed: int = 0
    mute: bool = False

    @property
    def key(self) -> str:
        return f"{self.node}#{self.pid}"

    @property
    def behind_s(self) -> float:
        """Return how far its clock is behind ours, by its newest word; below zero where it is ahead."""
        return self.last_heartbeat_at - self.sent[1] if self.last_heartbeat_at and self.sent[1] else 0.0

    @property
    def offline(self) -> bool:
        return self.goodbye is not None and self.goodbye >= self.sent

    @property
    def leaving(self) -> bool:
        """Tell whether it said goodbye and has not said hello again since, whatever else it said."""
        return self.goodbye is not None and self.goodbye >= (self.hello or (0, 0.0))


class Pool(Struct, frozen=True):
    """What was learned of an incarnation at its birth: pool implementation, slots, queues.

    `named` tells that the broker showed connections with this worker's name, so that their absence later is a proof.
    """

    kind: str
    concurrency: int | None = None
    queues: tuple[str, ...] = ()
    named: bool = False


class Taking(Struct, frozen=True):
    """What the broker itself tells of a worker's consumers (RabbitMQ's management API).

    `queues` are those of which the connection that hears remote control consumes tasks, `lasting_s` for how long just this
    was seen, `unacked` what it holds (None is not known); `held` tells, by queue, why it is given none just now.
    """

    queues: tuple[str, ...]
    lasting_s: float = 0.0
    unacked: int | None = None
    held: dict[str, str] = {}


class Consumer(Struct, frozen=True):
    """A worker's connections as the broker sees them.

    `fetching` is a blocking BRPOP now or a moment ago, `idle_s` the time since any command of theirs, and `listening`
    tells that it still subscribes to remote control and events: a warm shutdown ends that first, a freeze does not.
    `taking` is None where the broker does not tell what it consumes.
    """

    connections: int
    fetching: bool
    idle_s: float
    listening: bool = True
    taking: Taking | None = None


class Nameless(Struct, frozen=True):
    """Connections that carry no worker's name, counted together; ours are not among them.

    `subscribed` counts those that listen to remote control or events, `fetching` the blocking BRPOPs; None is not known.
    """

    subscribed: int
    fetching: int | None = None


class Clients(Struct, frozen=True):
    """The broker's clients: by node name where it can tell the workers apart, the rest counted if it can be.

    `takers` counts the consumers of each queue that were listed, where all are; `unread` tells why a reading that is
    wanted beside these was not to be had.
    """

    by_node: dict[str, Consumer] = {}
    nameless: Nameless | None = None
    takers: dict[str, int] | None = None
    unread: str | None = None


class Inspection(Struct, frozen=True):
    """What a worker says of itself when it is asked.

    `reserved` is how many messages it holds that are neither begun nor scheduled, `processes` how many its pool has (None
    where a pool has none of its own), `limited` tells that tasks of its have a rate limit: what such a limit holds back is
    in no list. `prefetch` is how many messages it may hold unacknowledged at once (0: without a bound; None is not known),
    `later` how many of those that it holds are kept for a later time (None: it was not asked).
    """

    queues: tuple[str, ...] = ()
    reserved: int = 0
    processes: int | None = None
    limited: bool = False
    prefetch: int | None = None
    later: int | None = None


class InstanceState(StrEnum):
    """The platform's word for one index (Cloud Foundry's `state` in process stats)."""

    RUNNING = "RUNNING"
    STARTING = "STARTING"
    CRASHED = "CRASHED"
    DOWN = "DOWN"
    STOPPING = "STOPPING"
    UNKNOWN = "UNKNOWN"


class Instance(Struct, frozen=True):
    """One index of an app's process on a platform; `guid` changes with each restart and is None while nothing runs."""

    platform: str
    app: str
    app_guid: str
    process: str
    index: int
    state: InstanceState
    guid: str | None = None
    uptime_s: float | None = None
    details: str | None = None

    def place(self, cluster: str) -> Place:
        return Place(cluster=cluster, platform=self.platform, app=self.app, process=self.process, index=self.index)


class Process(Struct, frozen=True):
    """A process type of an app: how many instances are wanted, and how long its start-up check may take.

    `version` is another with each start of the app.
    """

    type: str
    wanted: int
    health_timeout_s: float = 60.0
    version: str | None = None


class App(Struct, frozen=True):
    """An app as the platform reports it; `state` is the desired one (STARTED or STOPPED).

    `restarts_ended` tells that the platform starts an instance again which ended by itself with exit code 0.
    """

    platform: str
    guid: str
    name: str
    state: str
    processes: tuple[Process, ...] = ()
    instances: tuple[Instance, ...] = ()
    restarts_ended: bool = False


class Crash(Struct, frozen=True):
    """An exit that nobody asked the platform for (Cloud Foundry: `audit.app.process.crash`)."""

    id: str
    platform: str
    app: str
    process: str
    index: int
    instance_guid: str
    at: float
    text: str
    count: int = 1

    @property
    def clean_exit(self) -> bool:
        """Tell whether the process ended with status 0, which Diego reports as a crash too."""
        return "Codependent step exited" in self.text or "status 0" in self.text
