"""What the provider publishes, kept and read again: no older than it may be, and never asked for without end."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from celeriac.core.errors import PortError, UnreachableError

T = TypeVar("T")

OLDEST_S = 600.0
"""A document older than this is read again: a key that the provider has withdrawn is trusted no longer than that."""
EVERY_S = 30.0
"""It is read again at most so often, whatever anybody sends to us."""
REST_S = 5.0
"""The same while there is none yet."""
PROBE_S = 15.0
"""How long it is taken for known whether the provider answers."""
LONGEST_S = 24 * 3600.0
"""What could not be read again for so long is not trusted any more."""


class Renewed(Generic[T]):
    """One document of the provider. Threads that come while it is read again get the one before; `what` is it in words."""

    def __init__(self, what: str, read: Callable[[], T], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what, self._read, self._monotonic = what, read, monotonic
        self._reading = threading.Lock()
        self._good: tuple[T, float] | None = None
        self._tried: tuple[bool, float] | None = None
        self._forced_at: float | None = None
        self._why = ""

    def get(self) -> T:
        """Return it, at most ten minutes old; the last good one while the provider does not give it."""
        good = self._good
        if good is not None and self._monotonic() - good[1] < OLDEST_S:
            return good[0]
        self._try(EVERY_S if good is not None else REST_S, wait=good is None)
        return self._last_good()

    def anew(self) -> T:
        """Return it as it is now, unless that was asked for within the last half minute."""
        with self._reading:
            now = self._monotonic()
            if self._forced_at is None or now - self._forced_at >= EVERY_S:
                self._forced_at = now
                self._ask()
        return self._last_good()

    def last(self) -> T | None:
        """Return the last good one, without asking."""
        return self._good[0] if self._good else None

    def answers(self) -> bool:
        """Tell whether the provider gives it; asked at most each 15 s, and by one thread at a time."""
        self._try(PROBE_S, wait=self._tried is None)
        return self._tried is not None and self._tried[0]

    def _try(self, every: float, *, wait: bool) -> None:
        """Ask, unless that was done so lately; a thread that need not wait for another that asks does not."""
        if not self._due(every) or not self._reading.acquire(blocking=wait):
            return
        try:
            if self._due(every):
                self._ask()
        finally:
            self._reading.release()

    def _due(self, every: float) -> bool:
        return self._tried is None or self._monotonic() - self._tried[1] >= every

    def _ask(self) -> None:
        try:
            self._good = (self._read(), self._monotonic())
            self._tried = (True, self._monotonic())
        except PortError as error:
            self._why = str(error)
            self._tried = (False, self._monotonic())

    def _last_good(self) -> T:
        if self._good is None:
            raise UnreachableError(self._why or f"{self._what} is being read")
        document, at = self._good
        if self._monotonic() - at > LONGEST_S:
            raise UnreachableError(f"{self._what} could not be read for a day: {self._why}")
        return document
