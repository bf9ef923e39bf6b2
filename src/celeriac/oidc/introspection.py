"""Tokens that only the provider can read: it is asked (RFC 7662), and what it says is remembered for some seconds."""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from celeriac.core.errors import NotTakenError, ThrottledError

HOLDS_S = 60.0
"""How long a token that holds is not asked for again: one that is revoked is taken for so long at most."""
ENDED_S = 10.0
"""The same of one that does not."""
MOST = 1000
"""So many answers are remembered of tokens that hold, and so many of others: made-up ones push no good one out."""
UNKNOWN_EACH_MINUTE = 60
"""So many tokens that have not held before are asked for within a minute, less those that turn out to hold."""
MINUTE_S = 60.0
LONGEST = 8_000


class _Answer(Struct, frozen=True):
    claims: dict[str, Any] | None
    until: float


class Introspection:
    """Asks for tokens, each at most once in a while; `now` gives seconds since the epoch."""

    def __init__(self, ask: Callable[[str], dict[str, Any]], now: Callable[[], float] = time.time) -> None:
        self._ask, self._now = ask, now
        self._lock = threading.Lock()
        self._good: OrderedDict[bytes, _Answer] = OrderedDict()
        self._refused: OrderedDict[bytes, _Answer] = OrderedDict()
        self._minute, self._unknown = now(), 0

    def claims(self, token: str) -> dict[str, Any]:
        """Return what the provider says of a token that holds; raises ThrottledError after too many that do not."""
        if not token or len(token) > LONGEST or not (token.isascii() and token.isprintable()) or " " in token:
            raise NotTakenError("this is no token")
        key = hashlib.sha256(token.encode()).digest()
        answer = self._known(key) or self._asked(key, token)
        if answer.claims is None:
            raise NotTakenError(
                "the provider says that this token does not hold: it has ended, was revoked or never was"
            )
        return answer.claims

    def _known(self, key: bytes) -> _Answer | None:
        with self._lock:
            answer = self._good.get(key) or self._refused.get(key)
        return answer if answer is not None and self._now() < answer.until else None

    def _asked(self, key: bytes, token: str) -> _Answer:
        budgeted = self._budgeted(key)
        answer = self._judged(self._ask(token))
        with self._lock:
            if answer.claims is not None and budgeted:
                self._unknown = max(0, self._unknown - 1)
            this, that = (self._good, self._refused) if answer.claims is not None else (self._refused, self._good)
            that.pop(key, None)
            this[key] = answer
            this.move_to_end(key)
            if len(this) > MOST:
                this.popitem(last=False)
        return answer

    def _budgeted(self, key: bytes) -> bool:
        """Count a token before it is asked for, unless it has held before; raises ThrottledError."""
        now = self._now()
        with self._lock:
            if key in self._good:
                return False
            if not 0 <= now - self._minute < MINUTE_S:
                self._minute, self._unknown = now, 0
            if self._unknown >= UNKNOWN_EACH_MINUTE:
                msg = "Too many tokens came that the provider does not know. Try again in a minute."
                raise ThrottledError(msg, after_s=MINUTE_S - (now - self._minute))
            self._unknown += 1
            return True

    def _judged(self, told: dict[str, Any]) -> _Answer:
        now, end = self._now(), told.get("exp", math.inf)
        if told.get("active") is not True or isinstance(end, bool) or not isinstance(end, int | float) or not end > now:
            return _Answer(None, now + ENDED_S)
        until = min(now + HOLDS_S, end)
        return _Answer({"exp": until} | told, until)
