"""What sessions stand on, as settings, table of roles and users file are now: when that goes, they end."""

import hashlib

from celeriac.access_ports import Session, Users
from celeriac.app.access.password_sign_on import Account
from celeriac.app.access.roles import Roles
from celeriac.app.access.sessions import Ground
from celeriac.core.access import Grant, Means, Role

BREAK_GLASS = (Grant(Role.ADMIN),)
"""What the break-glass account may: everything but see payloads."""


class Footing:
    """Tells what a session stands on, and what its person may; `issuer` is the provider's, None where there is none."""

    def __init__(self, roles: Roles, issuer: str | None, users: Users | None, glass: Account | None) -> None:
        self._roles, self._issuer, self._users, self._glass = roles, issuer, users, glass

    def of(self, session: Session, address: str) -> str | None:
        """Return what must stay the same while a session lasts; None where it cannot hold, or not from this address."""
        if session.means is Means.PROVIDER:
            return self._issuer
        if session.means is Means.BREAK_GLASS:
            account = self._glass_of(session)
            return _digest(account.hash) if account and account.reachable_from(address) else None
        user = self._users.find(session.identity.subject) if self._users else None
        return _digest(user.hash) if user else None

    def grants(self, session: Session) -> tuple[Grant, ...]:
        """Return what the person of a session may do now."""
        if session.means is Means.PROVIDER:
            return self._roles.grants(session.identity) if self._issuer else ()
        if session.means is Means.BREAK_GLASS:
            return BREAK_GLASS if self._glass_of(session) else ()
        user = self._users.find(session.identity.subject) if self._users else None
        return (user.grant,) if user else ()

    def _glass_of(self, session: Session) -> Account | None:
        return self._glass if self._glass and self._glass.name == session.identity.subject else None


def _digest(hashed: str) -> str:
    """Return a text that changes with a password, and gives nothing to guess at: the salt of its hash is not told."""
    return hashlib.sha256(hashed.encode()).hexdigest()


def _fits(one: Footing) -> Ground:
    """Let the type checker prove that the class fits its protocol."""
    return one
