"""Apps as people see them: what the platform reports of them, and our verdict beside it."""

from dataclasses import dataclass
from datetime import datetime

from celeriac.core.model import Verdict


@dataclass(frozen=True, slots=True)
class AppInstanceView:
    """One index of an app: the platform's word, and the worker that runs in it, side by side.

    `since` is when the platform says that it was started. Where several nodes share it, `nodes` names them, and `worker`,
    `verdict` and its heartbeat are null: each is a worker of its own.
    """

    process: str
    index: int
    guid: str | None
    state: str
    uptime_s: float | None
    since: datetime | None
    details: str | None
    worker: str | None
    nodes: list[str]
    verdict: Verdict | None
    last_heartbeat_at: datetime | None
    heartbeat_age_s: float | None


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process type of an app: how many instances are wanted, and how many of them run."""

    type: str
    wanted: int
    running: int


@dataclass(frozen=True, slots=True)
class AppView:
    """A watched app as the platform reports it; `state` is the requested one.

    `process` is the type that an order means which names none: the only one, or the only one of which instances are wanted;
    null where one must be named. `turns` names its instances in the order in which a rolling restart takes them, the deaf and hung first; `passes` are the
    reasons that hold the keeper now, and that a person's own order passes.
    """

    id: str
    cluster: str
    platform: str
    name: str
    state: str
    processes: list[ProcessView]
    process: str | None
    instances: list[AppInstanceView]
    turns: list[str]
    passes: list[str]
