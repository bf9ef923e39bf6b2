"""What the keeper's memory holds of a cluster: what it reads before it decides, what it writes, and its last word."""

from msgspec import Struct

from celeriac.core.changes import Change
from celeriac.core.finding import Finding
from celeriac.core.incident import Incident, Remedy, Word
from celeriac.core.limits import Policy
from celeriac.core.model import App, Pool
from celeriac.core.readings import Reading
from celeriac.core.snapshot import Lived


class Book(Struct, frozen=True):
    """What the keeper must know of its own past to decide: open incidents, recent ones, remedies, requests."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    pools: dict[str, Pool] = {}
    lived: tuple[Lived, ...] = ()
    words: tuple[Word, ...] = ()


class Board(Struct, frozen=True):
    """The keeper's last word on a cluster, for pages and API; `policy`, `remedies` and `changes` are what its guards judged by.

    `notes` are true of the cluster and need no verdict.
    """

    cluster: str
    at: float
    sentence: str
    mode: str
    paused: str | None = None
    blind: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    apps: tuple[App, ...] = ()
    pools: dict[str, Pool] = {}
    policy: Policy | None = None
    remedies: tuple[Remedy, ...] = ()
    changes: Reading[tuple[Change, ...]] | None = None


class Changes(Struct, frozen=True):
    """What one cycle writes, in one transaction."""

    incidents: tuple[Incident, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    pools: dict[str, Pool] = {}
    lived: tuple[Lived, ...] = ()
    board: Board | None = None
    words: tuple[Word, ...] = ()
