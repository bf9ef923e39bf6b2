"""Who may do what: roles with their rights, and what grants them where. What nobody grants is denied."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from celeriac.core import naming


class Right(StrEnum):
    """One kind of thing that a person or a program may do."""

    SEE = "see"
    TASKS = "act on tasks"
    REMEDIES = "order remedies"
    ADMINISTER = "administer"
    PAYLOADS = "see payloads"


class Role(StrEnum):
    """What somebody is, from the least to the most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    RESPONDER = "responder"
    ADMIN = "admin"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.OPERATOR: frozenset({Right.SEE, Right.TASKS}),
    Role.RESPONDER: frozenset({Right.SEE, Right.TASKS, Right.REMEDIES}),
    Role.ADMIN: frozenset({Right.SEE, Right.TASKS, Right.REMEDIES, Right.ADMINISTER}),
}
"""What each role carries. Payloads come with no role: a grant gives them, or does not."""


class Grant(Struct, frozen=True):
    """A role in some clusters and apps, in all where none is named; `payloads` lets see arguments and results there.

    Queues and tasks belong to a cluster, not to an app: a grant for an app lets see its whole cluster, without payloads.
    """

    role: Role
    clusters: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    payloads: bool = False

    def covers(self, cluster: str | None, app: str | None) -> bool:
        """Tell whether it holds for all of an app; None stands for all clusters, and for all apps."""
        return _within(cluster, self.clusters) and _within(app, self.apps)

    def carries(self, right: Right) -> bool:
        """Tell whether it gives a right where it holds."""
        return self.payloads and not self.apps if right is Right.PAYLOADS else right in RIGHTS[self.role]

    @property
    def text(self) -> str:
        """Return it in words."""
        where = "all clusters" if not self.clusters else f"cluster {', '.join(self.clusters)}"
        apps = f", app {', '.join(self.apps)}" if self.apps else ""
        return f"{self.role} in {where}{apps}{', with payloads' if self.carries(Right.PAYLOADS) else ''}"


def _within(one: str | None, named: tuple[str, ...]) -> bool:
    return not named or one in named


EVERYTHING = (Grant(Role.ADMIN, payloads=True),)
"""What somebody has where there is no sign-on, who sits at this machine."""


class Means(StrEnum):
    """How somebody has shown who they are."""

    NONE = "no sign-on"
    PROVIDER = "sign-on"
    PASSWORD = "password"  # noqa: S105 (a kind, no password)
    BREAK_GLASS = "break-glass"
    API_TOKEN = "API token"  # noqa: S105 (a kind, no token)
    MACHINE = "machine token"
    ITSELF = "Celeriac itself"


class Actor(Struct, frozen=True):
    """Who asks or acts: the subject and how it is called, what it may do, and where it comes from.

    `token` names the session or token that it comes by; it is no secret. Of several grants the first that covers a place
    decides there, as the table of roles is ordered.
    """

    subject: str
    grants: tuple[Grant, ...] = ()
    means: Means = Means.NONE
    name: str = ""
    address: str = ""
    token: str = ""

    @property
    def called(self) -> str:
        """Return what remedies, incidents and pages call it: short, in one line, and what Celeriac calls itself for itself only."""
        return naming.called(self.name, self.subject) if self.means is not Means.ITSELF else self.subject

    @property
    def signed(self) -> str:
        """Return what the audit trail calls it, with the subject where that is another text."""
        return naming.signed(self.name, self.subject) if self.means is not Means.ITSELF else self.subject

    def may(self, right: Right, cluster: str | None = None, app: str | None = None) -> bool:
        """Tell whether it has a right over an app; None stands for all of a cluster, and for all clusters."""
        if right is Right.SEE and app is None and cluster is not None:
            return self.sees(cluster)
        deciding = next((one for one in self.grants if one.covers(cluster, app)), None)
        return deciding is not None and deciding.carries(right)

    def sees(self, cluster: str) -> bool:
        """Tell whether it may see a cluster: whoever has any role in it may."""
        return any(_within(cluster, one.clusters) for one in self.grants)

    @property
    def role(self) -> Role | None:
        """Return the strongest role that it has anywhere."""
        return max((one.role for one in self.grants), key=list(Role).index, default=None)


NOBODY = Actor("nobody")
"""Who asks where nobody has signed on; may nothing."""

KEEPER = Actor("the keeper", means=Means.ITSELF)
"""Who acts when nobody orders it."""


def within(asked: Grant, held: Sequence[Grant]) -> bool:
    """Tell whether a grant gives nothing, anywhere, that the holder of these ordered grants does not have.

    An earlier grant that is weaker decides for its places, so a stronger one behind it does not hold for them.
    """
    for one in held:
        if _holds_all(asked, one):
            return True
        if _meets(asked, one) and not _as_strong(asked, one):
            return False
    return False


def _holds_all(asked: Grant, held: Grant) -> bool:
    places = _narrower(asked.clusters, held.clusters) and _narrower(asked.apps, held.apps)
    return places and _as_strong(asked, held)


def _as_strong(asked: Grant, held: Grant) -> bool:
    carried = all(held.carries(right) for right in Right if asked.carries(right))
    return carried and (held.payloads or not asked.payloads)


def _narrower(asked: tuple[str, ...], held: tuple[str, ...]) -> bool:
    return not held or (bool(asked) and set(asked) <= set(held))


def _meets(one: Grant, other: Grant) -> bool:
    pairs = ((one.clusters, other.clusters), (one.apps, other.apps))
    return all(not first or not second or not set(first).isdisjoint(second) for first, second in pairs)


class Rule(Struct, frozen=True):
    """One row of the table of roles: who has one of these groups, is this client, or holds this scope has the grant."""

    grant: Grant
    group: str | None = None
    client: str | None = None
    scope: str | None = None

    @property
    def text(self) -> str:
        """Return whom it is for, in words."""
        named = {"group": self.group, "client": self.client, "scope": self.scope}
        return ", ".join(f"{kind} {value}" for kind, value in named.items() if value is not None)


class Identity(Struct, frozen=True):
    """What a provider says of somebody that bears on roles; `groups` as they were told: names, or distinguished names."""

    subject: str
    groups: tuple[str, ...] = ()
    client: str | None = None
    scopes: tuple[str, ...] = ()


def granted(table: Iterable[Rule], identity: Identity) -> tuple[Grant, ...]:
    """Return what the ordered table grants, in its order."""
    return tuple(rule.grant for rule in table if matches(rule, identity))


def matches(rule: Rule, identity: Identity) -> bool:
    """Tell whether all that a row names fits; groups fit by their whole name or by the CN of it, whatever the case."""
    fits: list[bool] = []
    if rule.group is not None:
        fits.append(rule.group.casefold() in {name for told in identity.groups for name in names(told)})
    if rule.client is not None:
        fits.append(rule.client == identity.client)
    if rule.scope is not None:
        fits.append(rule.scope in identity.scopes)
    return bool(fits) and all(fits)


def names(group: str) -> tuple[str, ...]:
    """Return what a group may be called by: as it was told, and the CN that a distinguished name begins with, casefolded."""
    whole = group.strip().casefold()
    cn = common_name(group)
    return (whole,) if cn is None else (whole, cn.casefold())


_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


def common_name(group: str) -> str | None:
    """Return the CN that a distinguished name begins with, unescaped (RFC 4514); None of what is no such name."""
    key, equals, rest = group.partition("=")
    if not equals or key.strip().casefold() != "cn":
        return None
    value, at, kept = bytearray(), 0, 0
    rest = rest.lstrip()
    while at < len(rest) and rest[at] not in ",+;":
        sign, escaped = rest[at], rest[at] == "\\"
        if escaped and (pair := _PAIR.match(rest, at + 1)):
            value += bytes.fromhex(pair[0])  # one byte of UTF-8
            at += 2
        else:
            at += escaped
            value += rest[at : at + 1].encode("utf-8", "surrogatepass")
        at += 1
        kept = len(value) if escaped or not sign.isspace() else kept  # spaces at the end are none of it, unless escaped
    return value[:kept].decode("utf-8", "replace")


def without_admin(table: Sequence[Rule]) -> str | None:
    """Return why nobody could administer with this table of roles, or None.

    A row helps nobody whose holders all have an earlier one that decides in its place.
    """
    for place, rule in enumerate(table):
        first = not any(_everywhere(one) and _for_all_of(one, rule) for one in table[:place])
        if first and _everywhere(rule) and rule.grant.carries(Right.ADMINISTER):
            return None
    return "no group has the role admin in all clusters: nobody could change the table again"


def _everywhere(rule: Rule) -> bool:
    return rule.grant.covers(None, None)


def _for_all_of(one: Rule, other: Rule) -> bool:
    """Tell whether whoever fits the other row fits this one."""
    group = one.group is None or (other.group is not None and one.group.casefold() in names(other.group))
    return group and one.client in {None, other.client} and one.scope in {None, other.scope}
