"""What people and programs see of access: who they are and why, sessions, API tokens, and the table of roles."""

from dataclasses import dataclass
from datetime import UTC, datetime

from celeriac.access_ports import ApiToken, RoleTable, Session
from celeriac.app.access.roles import Fit
from celeriac.core.access import Actor, Grant, Identity, Means, Role, Rule, names


@dataclass(frozen=True, slots=True)
class WhoView:
    """Who asks: `grants` in words, in the order in which they decide; `until` is the end of the session or token."""

    subject: str
    name: str
    role: Role | None
    grants: list[str]
    means: Means
    until: datetime | None
    groups_from: str | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session; `current` is the one that this request came by."""

    id: str
    kind: str
    means: Means
    subject: str
    name: str
    opened_at: datetime
    asked_at: datetime
    until: datetime
    address: str
    agent: str
    current: bool


@dataclass(frozen=True, slots=True)
class OpenedView:
    """The session of a command line; its token is told this one time."""

    token: str
    subject: str
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class ApiTokenView:
    """An API token without its secret; `state` is `standing`, `revoked` or `ended`."""

    id: str
    name: str
    role: Role
    clusters: list[str]
    apps: list[str]
    payloads: bool
    means: str
    state: str
    made_by: str
    maker: str
    made_at: datetime
    until: datetime
    used_at: datetime | None
    used_from: str
    revoked_at: datetime | None
    revoked_by: str


@dataclass(frozen=True, slots=True)
class MadeApiTokenView:
    """A new API token; its secret is told this one time."""

    secret: str
    token: ApiTokenView


@dataclass(frozen=True, slots=True)
class RuleView:
    """One row of the table of roles: for whom it is, what it grants, and that in words."""

    group: str | None
    client: str | None
    scope: str | None
    role: Role
    clusters: list[str]
    apps: list[str]
    payloads: bool
    whom: str
    means: str


@dataclass(frozen=True, slots=True)
class RoleTableView:
    """The table of roles that holds; `source` is `settings`, or `console` where somebody has changed it here."""

    source: str
    rules: list[RuleView]
    by: str | None
    at: datetime | None
    why: str | None


@dataclass(frozen=True, slots=True)
class FitView:
    """One row of the table, and whether it fits whoever asks."""

    rule: RuleView
    fits: bool


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why somebody has the role that they have.

    `text` says what decides; `rows` are those of the table, of which the first that fits and covers a place decides there.
    Of the groups only those are named that a row is for; `others` counts the rest.
    """

    text: str
    groups_from: str | None
    groups: int
    matching: list[str]
    others: int
    rows: list[FitView]


def who(actor: Actor, session: Session | None, token: ApiToken | None) -> WhoView:
    """Return who asks."""
    until = session.until if session else token.until if token else None
    return WhoView(
        subject=actor.subject,
        name=actor.called,
        role=actor.role,
        grants=[one.text for one in actor.grants],
        means=actor.means,
        until=None if until is None else when(until),
        groups_from=(session.groups_from or None) if session else None,
    )


def session_view(one: Session, actor: Actor) -> SessionView:
    """Return a session."""
    return SessionView(
        id=one.id,
        kind=one.kind,
        means=one.means,
        subject=one.identity.subject,
        name=one.name or one.identity.subject,
        opened_at=when(one.opened_at),
        asked_at=when(one.asked_at),
        until=when(one.until),
        address=one.address,
        agent=one.agent,
        current=actor.token == f"session {one.id}",
    )


def token_view(one: ApiToken, now: float) -> ApiTokenView:
    """Return a token without its secret."""
    return ApiTokenView(
        id=one.id,
        name=one.name,
        role=one.grant.role,
        clusters=list(one.grant.clusters),
        apps=list(one.grant.apps),
        payloads=one.grant.payloads,
        means=one.grant.text,
        state="revoked" if one.revoked_at is not None else "ended" if now >= one.until else "standing",
        made_by=one.made_by,
        maker=one.maker or one.made_by,
        made_at=when(one.made_at),
        until=when(one.until),
        used_at=None if one.used_at is None else when(one.used_at),
        used_from=one.used_from,
        revoked_at=None if one.revoked_at is None else when(one.revoked_at),
        revoked_by=one.revoked_by,
    )


def rule_view(rule: Rule) -> RuleView:
    """Return a row of the table."""
    grant = rule.grant
    return RuleView(
        group=rule.group,
        client=rule.client,
        scope=rule.scope,
        role=grant.role,
        clusters=list(grant.clusters),
        apps=list(grant.apps),
        payloads=grant.payloads,
        whom=rule.text,
        means=grant.text,
    )


def table_view(rules: tuple[Rule, ...], changed: RoleTable) -> RoleTableView:
    """Return the table that holds, with who has changed it."""
    shown = [rule_view(one) for one in rules]
    if not changed.rules:
        return RoleTableView("settings", shown, None, None, None)
    return RoleTableView("console", shown, changed.by, when(changed.at), changed.why)


def why(fits: list[Fit], identity: Identity, groups_from: str | None) -> WhyView:
    """Return why the holder of an identity has their role; groups that no row names stay unnamed."""
    named = {one.rule.group.casefold() for one in fits if one.rule.group is not None}
    matching = [group for group in identity.groups if named.intersection(names(group))]
    fitting = sum(one.fits for one in fits)
    return WhyView(
        text=f"{fitting} of {len(fits)} rows of the table fit you."
        + ("" if fitting == 0 else " Of these the first that covers a place decides there."),
        groups_from=groups_from,
        groups=len(identity.groups),
        matching=matching,
        others=len(identity.groups) - len(matching),
        rows=[FitView(rule_view(one.rule), one.fits) for one in fits],
    )


def granted_beside(text: str, grants: tuple[Grant, ...]) -> WhyView:
    """Return why somebody has their role whom the table does not concern."""
    held = "; ".join(one.text for one in grants) or "no role"
    return WhyView(f"{text}: {held}. The table of roles does not concern you.", None, 0, [], 0, [])


def when(at: float) -> datetime:
    """Return a time as people see it."""
    return datetime.fromtimestamp(at, UTC)
