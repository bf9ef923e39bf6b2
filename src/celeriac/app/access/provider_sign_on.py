"""Signing on at an OpenID provider: a person is sent there and comes back, in as many tabs at once as they like."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple

from celeriac.access_ports import Kept, Once, Provider
from celeriac.app.access.acting import UNKNOWN, Register
from celeriac.app.access.pace import Pace, origin
from celeriac.app.access.sessions import Opened, SessionDesk, Visitor
from celeriac.core.access import Actor, Means
from celeriac.core.errors import NotTakenError, PortError, RefusedError, ThrottledError, UnreachableError
from celeriac.core.signon import Begun, LoggedOut, SignedOn, own_path
from celeriac.ports import AuditEntry, Outcome

PATIENCE_S = 600.0
"""A person has so long to sign on at the provider."""

REPLAY_S = 900.0
"""Longer than a logout token is taken, so that none is taken twice."""

OF_ONE_ORIGIN = 300
"""So many sign-ons of one address begin within a quarter of an hour: behind one a whole office may sit in the morning."""

PACE_S = 900.0
FULL_S = 60.0
LONGEST_ONWARD = 1_000


class Return(NamedTuple):
    """A person who has come back signed on, and where they were going."""

    opened: Opened
    onward: str


class ProviderSignOn:
    """The sign-on of people at one provider; `back_to` is where it sends them back to, as it is registered there."""

    def __init__(
        self, provider: Provider, once: Once, desk: SessionDesk, register: Register, clock: Callable[[], float]
    ) -> None:
        self._provider, self._once, self._desk = provider, once, desk
        self._register, self._clock = register, clock
        self._begun, self._finished = Pace(OF_ONE_ORIGIN, PACE_S), Pace(OF_ONE_ORIGIN, PACE_S)

    def begin(self, browser: str, back_to: str, onward: str, visitor: Visitor) -> str:
        """Return where to send the browser; raises UnreachableError and ThrottledError with what to tell its person."""
        self._in_pace(self._begun, visitor)
        try:
            begun = self._provider.begin(back_to)
        except UnreachableError as error:
            msg = (
                f"The sign-on provider does not answer ({error}). Who is signed on stays so; new sign-ons wait until it "
                "answers. Try again in a minute."
            )
            raise UnreachableError(msg) from error
        kept = {
            "nonce": begun.nonce,
            "verifier": begun.verifier,
            "browser": _digest(browser),
            "onward": own_path(onward if len(onward) <= LONGEST_ONWARD else "/"),
        }
        self._keep(begun.state, json.dumps(kept))
        return begun.url

    def _keep(self, state: str, text: str) -> None:
        now = self._clock()
        try:
            self._once.put(_key(state), Kept(text, now + PATIENCE_S), now)
        except RefusedError as error:
            msg = "Too many sign-ons have begun and not ended. Try again in a minute."
            raise ThrottledError(msg, after_s=FULL_S) from error

    def _in_pace(self, pace: Pace, visitor: Visitor) -> None:
        """Count one sign-on of an address; raises ThrottledError where there were too many lately."""
        if not pace.took(origin(visitor.address), self._clock()):
            self._refuse("too many sign-ons of one address", visitor)
            msg = "Too many sign-ons have begun from your address. Wait a quarter of an hour, then sign on again."
            raise ThrottledError(msg, after_s=PACE_S)

    def finish(self, browser: str, back_to: str, answer: Mapping[str, str], visitor: Visitor) -> Return:
        """Return the session of a person who came back; all that it raises is told to the audit trail.

        Raises NotTakenError, ThrottledError, DeniedError, and PortError where the provider does not do its part.
        """
        self._in_pace(self._finished, visitor)
        try:
            begun, onward = self._taken(browser, answer.get("state", ""))
            told = self._told(begun, back_to, answer)
        except NotTakenError as error:
            self._refuse(str(error), visitor)
            raise
        except PortError as error:
            self._refuse(str(error), visitor, Outcome.FAILED)
            raise
        return Return(self._desk.open(told, Means.PROVIDER, visitor), onward)

    def _told(self, begun: Begun, back_to: str, answer: Mapping[str, str]) -> SignedOn:
        try:
            return self._provider.finish(begun, back_to, answer)
        except UnreachableError as error:
            msg = f"The sign-on provider did not answer, so nobody was signed on ({error}). Sign on again in a minute."
            raise UnreachableError(msg) from error
        except PortError as error:
            msg = (
                f"The sign-on provider refused what the console asked of it, so nobody was signed on ({error}). An "
                "administrator must see to it, in the settings access.oidc or at the provider."
            )
            raise RefusedError(msg) from error

    def _refuse(self, why: str, visitor: Visitor, outcome: Outcome = Outcome.DENIED) -> None:
        unknown = Actor(UNKNOWN, means=Means.PROVIDER, address=visitor.address)
        self._register.seldom(unknown, AuditEntry(0.0, "", "sign on", "console", why, outcome=outcome))

    def _taken(self, browser: str, state: str) -> tuple[Begun, str]:
        text = self._once.take(_key(state), self._clock()) if state else None
        if text is None:
            raise NotTakenError("This sign-on was not begun here, is too old, or was used already. Sign on again.")
        kept = json.loads(text)
        if not browser or not hmac.compare_digest(kept["browser"], _digest(browser)):
            raise NotTakenError("This sign-on was begun in another browser. Sign on again here.")
        return Begun("", state, kept["nonce"], kept["verifier"]), kept["onward"]

    def leave(self, id_token: str | None, back_to: str) -> str | None:
        """Return where to send a browser whose person signs off, None where the provider cannot be told."""
        try:
            return self._provider.leave(id_token, back_to)
        except UnreachableError:
            return None

    def logged_out(self, logout_token: str, address: str) -> int:
        """End the sessions that a logout token names, and return how many they were; raises NotTakenError."""
        try:
            told = self._provider.logged_out(logout_token)
            self._first(told)
        except NotTakenError as error:
            who = Actor(UNKNOWN, means=Means.PROVIDER, address=address)
            entry = AuditEntry(0.0, "", "sign off by the provider", "console", str(error), outcome=Outcome.DENIED)
            self._register.seldom(who, entry)
            raise
        subject = None if told.provider_session else told.subject
        return self._desk.end_those_of(told.provider_session, subject, address)

    def _first(self, told: LoggedOut) -> None:
        now = self._clock()
        if not self._once.first(f"logout:{_digest(told.id)}", now, now + REPLAY_S):
            raise NotTakenError("This logout token was taken before.")


def new_browser() -> str:
    """Return a text that tells one browser from all others."""
    return secrets.token_urlsafe(32)


def _key(state: str) -> str:
    return f"sign-on:{_digest(state)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
