"""What the API answers of access: who asks and why they may, sessions, API tokens, and the table of roles."""

from datetime import datetime

from msgspec import Struct


class Who(Struct, frozen=True):
    """Who asks: `grants` in words, in the order in which they decide; `until` is the end of the session or token."""

    subject: str
    name: str
    role: str | None
    grants: list[str]
    means: str
    until: datetime | None = None
    groups_from: str | None = None


class Session(Struct, frozen=True):
    """A session; `current` is the one that was asked by."""

    id: str
    kind: str
    means: str
    subject: str
    name: str
    opened_at: datetime
    asked_at: datetime
    until: datetime
    address: str
    agent: str
    current: bool


class Opened(Struct, frozen=True):
    """The session of a command line, with its token."""

    token: str
    subject: str
    name: str
    until: datetime

    def __repr__(self) -> str:
        """Return it without its token."""
        return f"Opened({self.subject!r}, until={self.until!r})"


class ApiToken(Struct, frozen=True):
    """An API token without its secret; `state` is `standing`, `revoked` or `ended`, `means` its grant in words."""

    id: str
    name: str
    role: str
    clusters: list[str]
    apps: list[str]
    payloads: bool
    means: str
    state: str
    made_by: str
    maker: str
    made_at: datetime
    until: datetime
    used_at: datetime | None = None
    used_from: str = ""
    revoked_at: datetime | None = None
    revoked_by: str = ""


class MadeApiToken(Struct, frozen=True):
    """A new API token with its secret, which is told this one time."""

    secret: str
    token: ApiToken

    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"MadeApiToken({self.token!r})"


class Rule(Struct, frozen=True):
    """One row of the table of roles; `whom` and `means` say it in words."""

    role: str
    group: str | None = None
    client: str | None = None
    scope: str | None = None
    clusters: list[str] = []
    apps: list[str] = []
    payloads: bool = False
    whom: str = ""
    means: str = ""


class RoleTable(Struct, frozen=True):
    """The table of roles that holds; `source` is `settings`, or `console` where somebody has changed it."""

    source: str
    rules: list[Rule]
    by: str | None = None
    at: datetime | None = None
    why: str | None = None


class Fit(Struct, frozen=True):
    """One row of the table, and whether it fits whoever asks."""

    rule: Rule
    fits: bool


class Why(Struct, frozen=True):
    """Why whoever asks has their role; of their groups only those are named that a row is for."""

    text: str
    groups_from: str | None
    groups: int
    matching: list[str]
    others: int
    rows: list[Fit]
