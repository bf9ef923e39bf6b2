"""Who asks: what a request brings along becomes an actor, or is refused. Each request passes here."""

from typing import NamedTuple, Protocol

from msgspec.structs import replace

from celeriac.access_ports import SessionKind
from celeriac.app.access.sessions import COMMAND_LINE, SessionDesk
from celeriac.core.access import EVERYTHING, Actor
from celeriac.core.errors import SignOnError

ANYBODY = Actor("someone on this machine", EVERYTHING)
"""Who asks where there is no sign-on."""

OWN_TOKEN = "clt_"  # noqa: S105 (how a token begins, no token)
"""How the API tokens begin that are made here."""


class Brought(NamedTuple):
    """What a request brings along; `active` tells that a person did something, and not their page by itself."""

    address: str
    cookie: str | None = None
    bearer: str | None = None
    active: bool = True

    @property
    def nothing(self) -> bool:
        """Tell whether it brings nothing to know anybody by."""
        return self.cookie is None and self.bearer is None


class Tokens(Protocol):
    """Who holds a token."""

    def actor(self, token: str, address: str) -> Actor:
        """Return who holds a token; raises SignOnError where it is not taken."""


class Door:
    """Finds out who asks. `own` knows the API tokens made here, `machines` those of the provider, where there are any."""

    def __init__(self, desk: SessionDesk, own: Tokens, machines: Tokens | None = None) -> None:
        self._desk, self._own, self._machines = desk, own, machines

    def actor(self, brought: Brought) -> Actor:
        """Return who asks; raises SignOnError, and DeniedError where they have no role."""
        if brought.bearer is not None:
            return self._by_token(brought.bearer, brought)
        if brought.cookie is not None:
            return self._by_session(brought.cookie, brought, SessionKind.BROWSER)
        raise SignOnError("Sign on first, or send a token as `Authorization: Bearer`.")

    def _by_token(self, token: str, brought: Brought) -> Actor:
        if token.startswith(COMMAND_LINE):
            return self._by_session(token, brought, SessionKind.COMMAND_LINE)
        if token.startswith(OWN_TOKEN):
            return self._own.actor(token, brought.address)
        if self._machines is None:
            raise SignOnError("This token was not made here, and the provider's tokens are not taken.")
        return self._machines.actor(token, brought.address)

    def _by_session(self, secret: str, brought: Brought, kind: SessionKind) -> Actor:
        return self._desk.actor(secret, brought.address, active=brought.active, kind=kind)


class OpenDoor:
    """Lets everybody in who reaches it, as there is no sign-on."""

    def actor(self, brought: Brought) -> Actor:
        """Return `ANYBODY`, with the address that they come from."""
        return replace(ANYBODY, address=brought.address)


AnyDoor = Door | OpenDoor
