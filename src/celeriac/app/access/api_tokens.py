"""Celeriac's own API tokens: a person gives a program a part of what they may do themselves, for a time.

A token keeps its own grant until it ends: what becomes of its maker's role does not change it, so a program does not stop
when a person changes teams. Administrators see who made each, and revoke any.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from celeriac.access_ports import ApiToken, ApiTokens
from celeriac.app.access.acting import UNKNOWN, Acting, Register, done
from celeriac.app.access.door import OWN_TOKEN
from celeriac.core.access import Actor, Grant, Means, Right, within
from celeriac.core.errors import ConflictError, MissingError, SignOnError
from celeriac.ports import AuditEntry, Outcome

SECRET_BYTES = 32
DAY_S = 86_400.0
LONGEST_DAYS = 365
USUAL_DAYS = 90
MOST_EACH = 50
"""One person has so many that stand."""

PEOPLE = frozenset({Means.PROVIDER, Means.PASSWORD})
"""How somebody has shown that they are a person of their own: the break-glass account is everybody's."""


class MadeToken(NamedTuple):
    """A new token and its secret: the one time that this is told."""

    secret: str
    token: ApiToken


class ApiTokenDesk:
    """Makes, lists and revokes tokens, and tells who holds one."""

    def __init__(self, kept: ApiTokens, register: Register, clock: Callable[[], float]) -> None:
        self._kept, self._register, self._clock = kept, register, clock

    def make(self, acting: Acting, name: str, grant: Grant, days: int = USUAL_DAYS) -> MadeToken:
        """Make a token; raises DeniedError where it would carry more than its maker has, or the role admin.

        Raises ConflictError if there are too many.
        """
        maker = acting.actor
        if why := self._no_token_for(maker, grant):
            raise acting.denied("make an API token", name, why, alike="any token")
        if not 1 <= days <= LONGEST_DAYS:
            raise ConflictError(f"An API token lasts from 1 to {LONGEST_DAYS} days.")
        now = self._clock()
        own = [one for one in self._kept.all() if one.made_by == maker.subject and _stands(one, now)]
        if len(own) >= MOST_EACH:
            raise ConflictError(f"You have {MOST_EACH} API tokens already: revoke one first.")
        secret = OWN_TOKEN + secrets.token_urlsafe(SECRET_BYTES)
        token = ApiToken(secrets.token_hex(8), name, grant, maker.subject, now, now + days * DAY_S, maker=maker.called)
        acting.note(done("make an API token", name, f"{token.id}: {grant.text}, for {days} days"))
        self._kept.keep(secret, token)
        return MadeToken(secret, token)

    def _no_token_for(self, maker: Actor, grant: Grant) -> str | None:
        if maker.means not in PEOPLE:
            return f"API tokens are made by people who have signed on themselves, not by way of {maker.means}."
        if not within(grant, maker.grants):
            held = "; ".join(one.text for one in maker.grants) or "no role"
            return f"This token would carry more than you have: {grant.text} is not within {held}."
        if grant.carries(Right.ADMINISTER):
            return "An API token outlives its maker's role, so none carries the role admin: give it responder at most."
        return None

    def listed(self, acting: Acting) -> list[ApiToken]:
        """Return the tokens that the actor has made, of an administrator all, the newest first."""
        return [one for one in self._kept.all() if _concerns(acting, one)]

    def revoke(self, acting: Acting, id: str) -> ApiToken:
        """Revoke one; raises MissingError, and DeniedError where it is somebody else's."""
        found = next((one for one in self._kept.all() if one.id == id), None)
        if found is None:
            raise MissingError(f"There is no API token {id[:64]!r}.")
        if not _concerns(acting, found):
            raise acting.denied("revoke an API token", id, "Only its maker and administrators revoke an API token.")
        if not _stands(found, self._clock()):
            raise ConflictError(f"The API token {found.name} has ended already.")
        acting.note(done("revoke an API token", found.name, f"{id}: made by {found.maker or found.made_by}"))
        self._kept.revoke(id, self._clock(), acting.actor.called)
        return next(one for one in self._kept.all() if one.id == id)

    def found(self, secret: str) -> ApiToken | None:
        """Return the token of a secret."""
        return self._kept.find(secret)

    def actor(self, token: str, address: str) -> Actor:
        """Return who holds a token; raises SignOnError where it is unknown, revoked or past its time."""
        found, now = self._kept.find(token), self._clock()
        if found is None:
            unknown = Actor(UNKNOWN, means=Means.API_TOKEN, address=address)
            self._refuse(unknown, "This API token is not known here: it was made up, or is forgotten.")
            raise SignOnError("This API token is not known here.")
        who = _holder(found, address)
        if found.revoked_at is not None:
            self._refuse(who, "the API token is revoked")
            raise SignOnError(f"This API token ({found.name}) was revoked by {found.revoked_by}.")
        if now >= found.until:
            self._refuse(who, "the API token is past its time")
            ended = datetime.fromtimestamp(found.until, UTC)
            raise SignOnError(f"This API token ({found.name}) ended on {ended:%Y-%m-%d at %H:%M} UTC: make another.")
        self._kept.used(found.id, now, address)
        return who

    def _refuse(self, who: Actor, why: str) -> None:
        self._register.seldom(who, AuditEntry(0.0, "", "sign on", "console", why, outcome=Outcome.DENIED))


def is_person(actor: Actor) -> bool:
    """Tell whether an actor is a person by themselves, who has sessions and tokens of their own."""
    return actor.means in PEOPLE


def _concerns(acting: Acting, token: ApiToken) -> bool:
    own = is_person(acting.actor) and token.made_by == acting.actor.subject
    return own or acting.may(Right.ADMINISTER)


def _stands(token: ApiToken, now: float) -> bool:
    return token.revoked_at is None and now < token.until


def _holder(token: ApiToken, address: str) -> Actor:
    """Return the program; its subject is the token's own, so that it is nobody's sessions and tokens that it sees."""
    return Actor(
        subject=f"API token {token.id}",
        grants=(token.grant,),
        means=Means.API_TOKEN,
        name=f"{token.name} (API token of {token.maker or token.made_by})",
        address=address,
        token=f"API token {token.id}",
    )
