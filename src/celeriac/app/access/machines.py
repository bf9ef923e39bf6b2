"""Programs that bring an access token of the OpenID provider: the table of roles says what they may do."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from celeriac.access_ports import Bearers
from celeriac.app.access.acting import UNKNOWN, Register
from celeriac.app.access.pace import Pace, origin
from celeriac.core.access import Actor, Grant, Identity, Means
from celeriac.core.errors import DeniedError, NotTakenError, SignOnError, ThrottledError, UnreachableError
from celeriac.ports import AuditEntry, Outcome

REFUSED_OF_ONE = 20
"""So many tokens of one address that do not hold, and that only the provider can read, are asked for within a minute."""

PACE_S = 60.0
MOST_HELD = 1_000
JWT_DOTS = 2


class Machines:
    """Tells who holds a token of the provider; `grants` is what the table gives an identity, `clock` any timer."""

    def __init__(
        self,
        bearers: Bearers,
        grants: Callable[[Identity], tuple[Grant, ...]],
        register: Register,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bearers, self._grants, self._register, self._clock = bearers, grants, register, clock
        self._pace = Pace(REFUSED_OF_ONE, PACE_S)
        self._held: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def actor(self, token: str, address: str) -> Actor:
        """Return who holds a token; raises SignOnError, DeniedError without a role, UnreachableError while nobody can tell."""
        identity = self.identity(token, address)
        who = Actor(
            subject=identity.client or identity.subject,
            grants=self._grants(identity),
            means=Means.MACHINE,
            name=_called(identity),
            address=address,
        )
        if not who.grants:
            scopes = ", ".join(identity.scopes) or "none"
            text = f"No row of the table of roles fits {who.called}; the scopes of its token are: {scopes}."
            self._refuse(who, text)
            raise DeniedError(text)
        return who

    def identity(self, token: str, address: str) -> Identity:
        """Return what the provider says of a token's holder; raises as `actor` does, and ThrottledError."""
        paced = self._in_pace(token, address)
        try:
            identity = self._bearers.bearer(token).identity
        except NotTakenError as error:
            unknown = Actor(UNKNOWN, means=Means.MACHINE, address=address)
            self._refuse(unknown, str(error))
            raise SignOnError(str(error)) from None
        except UnreachableError as error:
            msg = (
                f"The provider's tokens cannot be checked now, as it does not answer ({error}). Try again in a minute."
            )
            raise UnreachableError(msg) from error
        if paced:
            self._pace.gave_back(origin(address))
            self._remember(token)
        return identity

    def _in_pace(self, token: str, address: str) -> bool:
        """Count a token that may be made up, before it is asked for; one that can be read here costs nobody anything."""
        if token.count(".") == JWT_DOTS or not address:
            return False
        with self._lock:
            if _digest(token) in self._held:
                return False
        if self._pace.took(origin(address), self._clock()):
            return True
        self._refuse(Actor(UNKNOWN, means=Means.MACHINE, address=address), "too many unknown tokens of one address")
        msg = "Too many tokens came from your address that the provider does not know. Try again in a minute."
        raise ThrottledError(msg, after_s=PACE_S)

    def _remember(self, token: str) -> None:
        """Keep that a token held once: whoever else is at its address, it is asked for as before."""
        with self._lock:
            self._held[_digest(token)] = None
            if len(self._held) > MOST_HELD:
                self._held.popitem(last=False)

    def _refuse(self, who: Actor, why: str) -> None:
        entry = AuditEntry(0.0, "", "sign on", "console", why, outcome=Outcome.DENIED)
        self._register.seldom(who, entry, known=who.subject != UNKNOWN)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _called(identity: Identity) -> str:
    """Return what incidents and pages call it: a program that acts for somebody is named with them."""
    if identity.client and identity.subject and identity.subject != identity.client:
        return f"{identity.subject} by {identity.client}"
    return identity.client or identity.subject
