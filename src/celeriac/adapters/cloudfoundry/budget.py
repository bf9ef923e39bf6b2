"""How many requests one account may send to one foundation: a bucket of tokens that all its polls share.

A foundation that limits requests grants 2,000 an hour by default. Whatever is asked counts; only polls ever wait. As long as
the bucket holds a reserve a poll passes at once. Below that each kind of poll has its turn once per round, and a round is
so long that all of them together stay within the allowance.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

from celeriac.core.errors import SparedError

FULL_MIN = 15.0
"""The bucket holds a quarter of an hour's allowance, so that suspicion may go faster for minutes."""

RESERVE = 0.2
LOW = 0.2
"""The share of the foundation's own limit below which polls take turns, whatever the bucket holds."""

FORGOTTEN_S = 300.0
FIRST_COST = 3


class Budget:
    """Counts what one process sends; safe to use from several threads."""

    def __init__(self, per_minute: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._monotonic = per_minute / 60, monotonic
        self._full = per_minute * FULL_MIN
        self._tokens, self._at = self._full, monotonic()
        self._low_until = self._rate_left = 0.0
        self._turns: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()
        self._mine = threading.local()

    @contextmanager
    def poll(self, key: str) -> Iterator[None]:
        """Let a poll pass, or raise SparedError with the time until its turn; what it sends within is its cost."""
        with self._lock:
            self._admit(key)
        self._mine.sent = 0
        try:
            yield
        finally:
            with self._lock:
                self._turns[key] = (self._turns[key][0], max(1, self._mine.sent))

    def count(self) -> None:
        """Note that a request is sent."""
        with self._lock:
            self._fill()
            self._tokens = max(-self._full, self._tokens - 1)
        self._mine.sent = getattr(self._mine, "sent", 0) + 1

    def heed(self, headers: httpx2.Headers, now: float) -> None:
        """Mind what the foundation says is left of its own limit (in steps of a tenth, rounded down)."""
        try:
            limit, left = float(headers["X-RateLimit-Limit"]), float(headers["X-RateLimit-Remaining"])
            reset_s = float(headers["X-RateLimit-Reset"]) - now
        except (KeyError, ValueError):
            return
        if limit > 0 and left / limit <= LOW and 0 < reset_s < 86400:
            with self._lock:
                self._low_until = self._monotonic() + reset_s
                self._rate_left = max(left, limit / 20) / reset_s

    def _fill(self) -> float:
        now = self._monotonic()
        self._tokens = min(self._full, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return now

    def _admit(self, key: str) -> None:
        now = self._fill()
        self._turns = {one: turn for one, turn in self._turns.items() if now - turn[0] < FORGOTTEN_S}
        last, cost = self._turns.get(key, (-FORGOTTEN_S, FIRST_COST))
        low = now < self._low_until
        if low or self._tokens < self._full * RESERVE:
            others = sum(turn[1] for one, turn in self._turns.items() if one != key)
            rate = min(self._rate, self._rate_left) if low else self._rate
            wait = last + (others + cost) / rate - now
            if wait > 0:
                raise SparedError(
                    f"not asked, to keep within the request budget; its turn comes in {wait:.0f} s", after_s=wait
                )
        self._turns[key] = (now, cost)
