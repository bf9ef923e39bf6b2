"""What a checkup rests on: readings of one moment, each with the reason where there is none.

A source that says no, or does not answer, is `Denied`: that is an answer to the question whether it works. `Unknown` is a
reading that could not be made at all.
"""

from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from celeriac.core.apps import Rights
from celeriac.core.limits import Policy
from celeriac.core.memory import Board
from celeriac.core.model import App, Clients, Incarnation, Mode, Pool
from celeriac.core.readings import Known, Reading
from celeriac.core.retention import Retention
from celeriac.core.snapshot import Stream

T = TypeVar("T")


class Denied(Struct, frozen=True):
    """The source did not do what was asked, in its own words; `passing` tells that a later try may succeed."""

    why: str
    passing: bool = True


def had(found: "Reading[T | Denied] | None", unasked: str) -> "T | Denied":
    """Return the value, or why there is none, for whom it is all the same whether it was refused or could not be read."""
    if found is None:
        return Denied(unasked)
    return found.value if isinstance(found, Known) else Denied(found.why)


class Purpose(StrEnum):
    """What we ask a broker for."""

    EVENTS = "events"
    CONTROL = "control"
    CLIENTS = "clients"
    QUEUES = "queues"
    MESSAGES = "messages"


class Access(Struct, frozen=True):
    """What came of trying, for one purpose, all that we ask of a broker.

    `refused` names each right that is missing, `fix` is the command that gives them; `unsure` says why some could not be
    tried.
    """

    purpose: Purpose
    tried: tuple[str, ...]
    refused: tuple[str, ...] = ()
    fix: str | None = None
    unsure: str | None = None


class Told(Struct, frozen=True):
    """Of the newest tasks of the last day: how many there are, and the names of those of which no sender spoke."""

    tasks: int = 0
    unsent: dict[str, int] = {}


class FileState(StrEnum):
    """What one file of the store is to this version."""

    CURRENT = "current"
    MISSING = "missing"
    OLD = "old"
    UNREADABLE = "unreadable"


class StoreFile(Struct, frozen=True):
    """One file of the store; `size` in bytes, its log included; `why` says what is wrong with an unreadable one."""

    name: str
    state: FileState
    size: int = 0
    writable: bool = True
    why: str | None = None


class StoreState(Struct, frozen=True):
    """The store's directory; `free` and `disk` in bytes, None where that cannot be read."""

    directory: str
    files: tuple[StoreFile, ...]
    writable: bool = True
    free: int | None = None
    disk: int | None = None


class Lease(Struct, frozen=True):
    """Who holds the keeper's lease, and until when."""

    holder: str
    until: float


class ClusterFacts(Struct, frozen=True):
    """One cluster. What is None was not asked, since there is nothing to ask.

    `discovered` are the nodes that answer a ping now; `pools` is by `Incarnation.key`; `heartbeats` is by node, in
    seconds. `mode` is that of the settings, `policy` what the keeper may do with all that pauses it.
    """

    at: float
    name: str
    broker: str
    mode: Mode
    management: bool = False
    platform: str | None = None
    apps: tuple[str, ...] = ()
    enable_task_events: str = "once"
    access: Reading[tuple[Access, ...] | Denied] | None = None
    clients: Reading[Clients | Denied] | None = None
    heartbeats: Reading[dict[str, float] | Denied | None] | None = None
    stream: Reading[Stream | Denied | None] | None = None
    incarnations: tuple[Incarnation, ...] = ()
    discovered: Reading[frozenset[str] | Denied] | None = None
    pools: dict[str, Pool] = {}
    told: Reading[Told | Denied] | None = None
    results: Reading[bool | Denied] | None = None
    watched: Reading[tuple[App, ...] | Denied] | None = None
    board: Board | None = None
    policy: Reading[Policy | Denied] | None = None


class PlatformFacts(Struct, frozen=True):
    """One platform; `where` is what the settings name there, `acts` tells that some cluster's mode may restart."""

    name: str
    kind: str
    where: str
    acts: bool = True
    rights: Reading[Rights | Denied] | None = None
    clock_ahead: Reading[float | Denied] | None = None


class Facts(Struct, frozen=True):
    """Everything at one moment; `serving` tells that a running server asks, which must see an observer and a keeper."""

    at: float
    clusters: tuple[ClusterFacts, ...]
    store: Reading[StoreState | Denied]
    lease: Reading[Lease | Denied | None]
    platforms: tuple[PlatformFacts, ...] = ()
    retention: Retention = Retention()
    serving: bool = False
