"""Who may come in. Flower has no roles: whoever is in does whatever it can do, and sees every argument and result."""

from celeriac.contrib.flower_ping.settings import Entry
from celeriac.core.access import RIGHTS, Actor, Means, Right, Role, granted
from celeriac.core.errors import DeniedError
from celeriac.core.signon import SignedOn


def least(entry: Entry, *, read_only: bool) -> Role:
    """Return the role that it takes: Flower stops workers and resizes pools, unless it is for reading only."""
    return entry.least or (Role.VIEWER if read_only else Role.RESPONDER)


def check(entry: Entry, told: SignedOn, *, read_only: bool) -> Actor:
    """Return who comes in; raises DeniedError with what they lack."""
    actor = Actor(told.identity.subject, granted(entry.table, told.identity), Means.PROVIDER, told.name)
    if not actor.grants:
        raise DeniedError(
            f"You have signed on as {actor.called}, and no group of yours has a role. Groups were read from: "
            f"{told.groups_from}. An administrator of Celeriac can give one a role."
        )
    role = least(entry, read_only=read_only)
    lacking = _lacking(actor, role, entry.cluster)
    if lacking is not None:
        where = f"cluster {entry.cluster}" if entry.cluster else "all clusters"
        held = "; ".join(one.text for one in actor.grants)
        raise DeniedError(
            f"You have signed on as {actor.called}. Flower takes the role {role} and the right to see payloads, in all of "
            f"{where}, as it shows and does everything for everybody who is in. You have: {held}. "
            f"What is lacking is the right to {lacking}."
        )
    return actor


def _lacking(actor: Actor, role: Role, cluster: str | None) -> Right | None:
    """Return the first right that somebody lacks anywhere in a cluster; an app of it may have a row of its own."""
    places = (None, *(app for one in actor.grants for app in one.apps))
    for right in Right:
        if right in RIGHTS[role] and not all(actor.may(right, cluster, place) for place in places):
            return right
    return None if actor.may(Right.PAYLOADS, cluster) else Right.PAYLOADS
