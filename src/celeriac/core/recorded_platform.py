"""The platform of a recording: an app for each worker, whose instance lives from its first word to its `exit` line."""

import re

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from celeriac.core.events import Event
from celeriac.core.model import App, Crash, Instance, InstanceState, Place, Process
from celeriac.core.recording import Line
from celeriac.core.snapshot import Lived

CLUSTER = PLATFORM = "recording"
_SEPARATOR = "@"
LATE_S = 0.5
"""Words may reach the recorder so much quicker than the quickest before that they seem to be said after the end."""

_BY_PRODUCER = "task-sent"
_PLACED = re.compile(r"(\S+@\S+)@\S+")


class _Life(Struct):
    """A process as the recorder's platform knows it: born with its first word, gone with its `exit` line."""

    number: int
    since: float
    pids: set[int] = msgspec.field(default_factory=set)
    lag: float | None = None
    """By how much the recorder's clock was ahead of what it said, at least: what its own clock is behind, and the way."""

    ended_at: float | None = None
    rc: int = 0


class RecordedPlatform:
    """Knows the processes of a recording by what they say and by how they end."""

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._lived: dict[str, Lived] = {}
        self.crashes: list[Crash] = []

    def placed(self, event: Event, at: float) -> Event:
        """Have the host of a node name be the guid of its instance, as Celery's `%h` is on Cloud Foundry."""
        if not event.type.startswith(("worker-", "task-")) or event.type == _BY_PRODUCER:
            return event
        node = event.hostname
        life = self._lives.get(node)
        if life is None or _outlives(event, life):
            life = self._lives[node] = _Life(life.number + 1 if life else 1, at)
        life.pids.add(event.pid)
        if life.ended_at is None and event.timestamp:
            lag = at - event.timestamp
            life.lag = lag if life.lag is None else min(life.lag, lag)
        return replace(event, hostname=f"{node}{_SEPARATOR}{_guid(node, life)}")

    def meet(self, node: str, at: float) -> str:
        """Return the node name, placed, of a process that answers and of which no event has told."""
        life = self._lives.get(node)
        if life is None or life.ended_at is not None:
            life = self._lives[node] = _Life(life.number + 1 if life else 1, at)
        return f"{node}{_SEPARATOR}{_guid(node, life)}"

    def end(self, line: Line) -> None:
        """Take up the end of a process; one that ended before it said a word has lived all the same."""
        if line.rc is None:
            return
        node = self._meant(line.worker)
        if node is None:
            return
        life = self._lives.get(node)
        if life is None or life.ended_at is not None:
            life = self._lives[node] = _Life(life.number + 1 if life else 1, line.wall)
        life.ended_at, life.rc = line.wall, line.rc
        if line.rc:
            text = f"exited with status {line.rc}" if line.rc > 0 else f"ended by signal {-line.rc}"
            guid = _guid(node, life)
            self.crashes.append(Crash(guid, PLATFORM, node, "worker", 0, guid, line.wall, text))

    def _meant(self, name: str) -> str | None:
        """Return the node that a line means; None where it may be any of several that live."""
        if name in self._lives:
            return name
        mine = [node for node in self._lives if name in names(node)]
        alive = [node for node in mine if self._lives[node].ended_at is None]
        if len(alive) > 1:
            return None
        return (alive or mine[-1:] or [name])[0]

    def apps(self, now: float) -> tuple[App, ...]:
        """Return what a platform would say of all of them now."""
        return tuple(_app(node, life, now) for node, life in self._lives.items())

    def lived(self, now: float) -> tuple[Lived, ...]:
        """Return every guid that there has been."""
        lived = (Lived(_guid(node, life), _place(node), now) for node, life in self._lives.items())
        self._lived.update({one.guid: one for one in lived})
        return tuple(self._lived.values())


def names(node: str) -> tuple[str, str]:
    """Return the names that lines which are no events may call a worker by."""
    return (node, node.partition("@")[0])


def recorded(node: str) -> str:
    """Return the node name as it was recorded."""
    return node.rpartition(_SEPARATOR)[0]


def as_recorded(text: str) -> str:
    """Return a text with its node names as they were recorded."""
    return _PLACED.sub(r"\1", text)


def _outlives(event: Event, life: _Life) -> bool:
    """Tell whether this is of a process that lives after that one's end, whose own last words may come late.

    By the recorder's clock, as the process may have another; where both have one pid, as in containers.
    """
    if life.ended_at is None:
        return False
    said_at = event.timestamp + (life.lag or 0.0)
    return event.pid not in life.pids or event.type == "worker-online" or said_at > life.ended_at + LATE_S


def _guid(node: str, life: _Life) -> str:
    return f"{node.replace('@', '.')}.{life.number}"


def _place(node: str) -> Place:
    return Place(CLUSTER, PLATFORM, node, "worker", 0)


def _app(node: str, life: _Life, now: float) -> App:
    """Return what a platform would say of a process: one that ended well was stopped by somebody, any other crashed."""
    runs = life.ended_at is None
    state, guid = (InstanceState.RUNNING, _guid(node, life)) if runs else (InstanceState.CRASHED, None)
    instance = Instance(PLATFORM, node, node, "worker", 0, state, guid, now - life.since)
    return App(PLATFORM, node, node, "STARTED" if runs or life.rc else "STOPPED", (Process("worker", 1),), (instance,))
