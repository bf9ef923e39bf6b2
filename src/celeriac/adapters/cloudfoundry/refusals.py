"""For how long a refused login rests, so that a wrong password does not keep its account locked.

UAA locks an account for five minutes after five failures within an hour, by default. Which login was refused counts: another one
is tried at once.
"""

from collections.abc import Callable, Hashable

from celeriac.core.errors import RefusedError

FIRST_S = 60.0
LONGEST_S = 3600.0
LOCKED = "locked"
"""UAA: "Your account has been locked because of too many failed attempts to login."."""


class Refusals:
    """Remembers the last refusal; each further one of the same login doubles the rest, up to the longest."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.forget()

    def forget(self) -> None:
        """Begin anew: a login has succeeded."""
        self._login: Hashable = None
        self._text, self._rest_s, self._until = "", 0.0, 0.0

    def heed(self, login: Hashable) -> None:
        """Raise RefusedError as long as this login rests; `login` tells one from another."""
        if login != self._login:
            self.forget()
            self._login = login
        if self._monotonic() < self._until:
            raise RefusedError(self._text)

    def note(self, text: str, why: str) -> None:
        """Let the login rest that was heeded last: at once for the longest where its account is locked."""
        doubled = min(LONGEST_S, self._rest_s * 2 or FIRST_S)
        self._rest_s = LONGEST_S if LOCKED in why.lower() else doubled
        self._text, self._until = text, self._monotonic() + self._rest_s
