"""The sign-on of the command line: a person allows it in their browser, and it trades a code for a session of its own.

As RFC 8252 and RFC 7636 have it: the code goes to a port of the person's own machine, and is worth nothing without the
verifier that only the command has.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from urllib.parse import urlencode

from msgspec import Struct

from celeriac.access_ports import Attempts, Kept, Once, SessionKind
from celeriac.app.access.acting import Acting, Register, done
from celeriac.app.access.pace import origin
from celeriac.app.access.sessions import Opened, SessionDesk, Visitor
from celeriac.core.access import Actor, Means
from celeriac.core.errors import NotTakenError, RefusedError, SignOnError, ThrottledError
from celeriac.ports import AuditEntry, Outcome

CODE_S = 60.0
WRONG_CODES = 20
"""So many wrong codes of one address within a quarter of an hour, and no more are looked at."""

LOCKED_S = 900.0
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Asked(Struct, frozen=True):
    """What a command asks for in the browser; `host` is what it calls its machine, which nobody has checked."""

    port: int
    challenge: str
    state: str
    host: str = ""

    def back(self, **answer: str) -> str:
        """Return the address on the person's own machine that the browser goes back to."""
        return f"http://127.0.0.1:{self.port}/?{urlencode({**answer, 'state': self.state})}"


class CommandLineSignOn:
    """Gives out codes and takes them back once."""

    def __init__(
        self, kept: tuple[Once, Attempts], desk: SessionDesk, register: Register, clock: Callable[[], float]
    ) -> None:
        self._once, self._attempts = kept
        self._desk, self._register, self._clock = desk, register, clock

    def allow(self, acting: Acting, secret: str | None, asked: Asked) -> str:
        """Return where to send the browser of a person who lets a command act as them."""
        self.person(acting.actor, secret)
        code, now = secrets.token_urlsafe(32), self._clock()
        acting.note(
            done("let a command line sign on", asked.host or "a machine", f"port {asked.port} of the browser's machine")
        )
        kept = json.dumps({"browser": secret, "challenge": asked.challenge})
        try:
            self._once.put(_key(code), Kept(kept, now + CODE_S), now)
        except RefusedError as error:
            msg = "Too many command lines are signing on. Run `celeriac login` again in a minute."
            raise ThrottledError(msg, after_s=CODE_S) from error
        return asked.back(code=code)

    def person(self, actor: Actor, secret: str | None) -> None:
        """Raise SignOnError unless whoever asks is a person in their browser: no token makes another one.

        Nor does break-glass, whose sign-ons are from listed networks and seen each.
        """
        if secret is not None:
            session = self._desk.session(secret, actor.address)
            own = session.kind is SessionKind.BROWSER and actor.token == f"session {session.id}"
            if own and session.means is not Means.BREAK_GLASS:
                return
        raise SignOnError(
            "A command line is allowed in a browser, by a person who has signed on there, and not as break-glass."
        )

    def trade(self, code: str, verifier: str, visitor: Visitor) -> Opened:
        """Open the session of a command; raises NotTakenError, and ThrottledError after too many wrong codes."""
        key, now = f"code:{origin(visitor.address)}", self._clock()
        if self._attempts.tried(key, now, WRONG_CODES) is None:
            self._refuse("too many wrong codes of one address", visitor)
            msg = "There were too many wrong codes. Wait a quarter of an hour, then run `celeriac login` again."
            raise ThrottledError(msg, after_s=LOCKED_S)
        text = self._once.take(_key(code), now)
        kept = json.loads(text) if text else None
        if kept is None or not _fits(verifier, kept["challenge"]):
            why = "was made up, is too old, or was used already" if kept is None else "was given to another command"
            self._refuse(f"the code {why}", visitor)
            raise NotTakenError(f"This code {why}. Run `celeriac login` again.")
        self._attempts.take_back(key)
        return self._desk.open_beside(kept["browser"], visitor)

    def _refuse(self, why: str, visitor: Visitor) -> None:
        who = Actor("a command line", address=visitor.address)
        self._register.seldom(who, AuditEntry(0.0, "", "sign on", "console", why, outcome=Outcome.DENIED))


def challenge_of(verifier: str) -> str:
    """Return the challenge of a verifier, by S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _fits(verifier: str, challenge: str) -> bool:
    return VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(challenge_of(verifier), challenge)


def _key(code: str) -> str:
    return f"command-line:{hashlib.sha256(code.encode()).hexdigest()}"
