"""What passes between a console and an OpenID provider's relying party; none of it shows a token when it is printed."""

import re

from msgspec import Struct

from celeriac.core.access import Identity

OWN_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")
LONGEST_PATH = 2000


class Begun(Struct, frozen=True):
    """A sign-on at the provider that has begun: where to send the browser, and what must come back with it."""

    url: str
    state: str
    nonce: str
    verifier: str

    def __repr__(self) -> str:
        """Return it without what only this sign-on may know."""
        return "Begun()"


class SignedOn(Struct, frozen=True):
    """What a provider says of a person who has signed on; `groups_from` names where their groups were told, and how many.

    `refresh_in_s` is the time that the access token lives, None if it was not told. `groups_known` is false where a refresh
    gave new tokens and the groups could not be read afterwards: those of before hold on, and `groups_from` tells why.
    """

    identity: Identity
    name: str = ""
    groups_from: str = ""
    provider_session: str | None = None
    id_token: str | None = None
    refresh_token: str | None = None
    refresh_in_s: float | None = None
    groups_known: bool = True

    def __repr__(self) -> str:
        """Return it without its tokens."""
        return f"SignedOn({self.identity.subject!r}, groups_from={self.groups_from!r})"


class LoggedOut(Struct, frozen=True):
    """What a logout token says: whose sessions have ended at the provider, and the id that it is known by."""

    subject: str | None
    provider_session: str | None
    id: str


class Bearer(Struct, frozen=True):
    """What a program's token says, and until when."""

    identity: Identity
    until: float


def own_path(onward: str) -> str:
    """Return a path of our own to go on to: what leads anywhere else becomes the first page."""
    return onward if len(onward) <= LONGEST_PATH and OWN_PATH.fullmatch(onward) else "/"
