"""What the API answers of apps, as typed values."""

from datetime import datetime

from msgspec import Struct


class AppInstance(Struct, frozen=True):
    """One index of an app: the platform's state, and the worker that runs in it; several nodes may share it."""

    process: str
    index: int
    guid: str | None
    state: str
    uptime_s: float | None
    details: str | None
    worker: str | None
    verdict: str | None
    since: datetime | None = None
    nodes: list[str] = []
    last_heartbeat_at: datetime | None = None
    heartbeat_age_s: float | None = None


class Process(Struct, frozen=True):
    """A process type of an app: how many instances are wanted, and how many of them run."""

    type: str
    wanted: int
    running: int


class App(Struct, frozen=True):
    """A watched app; `process` is meant where an order names none (None: it must), `turns` names its instances as a rolling restart takes them, `passes` what a person's order passes."""

    id: str
    cluster: str
    platform: str
    name: str
    state: str
    instances: list[AppInstance]
    turns: list[str] = []
    passes: list[str] = []
    processes: list[Process] = []
    process: str | None = None


class LogLine(Struct, frozen=True):
    """One line of an app's log; `level` is how grave it is by its own words."""

    at: datetime
    source: str
    process: str | None
    index: int | None
    stream: str
    level: str | None
    text: str


class Remark(Struct, frozen=True):
    """What is to be told between the lines of a log that is followed: lines that were left out, a platform that fails."""

    text: str


class AppEvent(Struct, frozen=True):
    """One thing that was done to an app or that befell it."""

    id: str
    at: datetime
    kind: str
    actor: str | None
    text: str


class Variable(Struct, frozen=True):
    """One variable of an app's environment; without a value it may be a secret."""

    name: str
    value: str | None


class Environment(Struct, frozen=True):
    """The variables that an app is started with; `hidden` says why some have no value."""

    items: list[Variable]
    hidden: str | None = None
