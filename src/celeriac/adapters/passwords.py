"""Passwords by argon2id, with the low-memory parameters of RFC 9106: 64 MB and some tens of milliseconds for each look."""

import contextlib
import threading
from collections.abc import Iterator

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from celeriac.access_ports import Passwords
from celeriac.core.errors import ThrottledError

LONGEST_BYTES = 1024
AT_ONCE = 2
"""Each takes 64 MB: nobody's wrong passwords fill the memory."""

WAITING_AT_MOST = 8
WAIT_S = 5.0

NOBODYS = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}"
"""What is looked at for a name that nobody has, so that it takes as long; no password is known to give all zeros."""


class Argon2Passwords:
    """`Passwords`: two are looked at at once, some wait for a moment, and more are told to come back."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING_AT_MOST, wait_s: float = WAIT_S) -> None:
        self._hasher = argon2.PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._within = threading.BoundedSemaphore(at_once + waiting)
        self._looking = threading.BoundedSemaphore(at_once)
        self._wait_s = wait_s

    def fits(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is the one; with no hash it takes as long and says no; raises ThrottledError."""
        given = _bytes(password)
        if len(given) > LONGEST_BYTES:
            return False
        with self._turn():
            return self._verified(given, hashed or NOBODYS) and hashed is not None

    def hash(self, password: str) -> str:
        """Return the hash of a new password; raises ValueError if it is too long."""
        given = _bytes(password)
        if len(given) > LONGEST_BYTES:
            raise ValueError(f"a password has at most {LONGEST_BYTES:,} bytes")
        return self._hasher.hash(given)

    def _verified(self, given: bytes, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, given)
        except (VerificationError, InvalidHashError):
            return False

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._within.acquire(blocking=False):
            raise self._too_many()
        try:
            if not self._looking.acquire(timeout=self._wait_s):
                raise self._too_many()
            try:
                yield
            finally:
                self._looking.release()
        finally:
            self._within.release()

    def _too_many(self) -> ThrottledError:
        return ThrottledError("Too many sign on at this moment; try again in some seconds.", after_s=self._wait_s)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _fits(one: Argon2Passwords) -> Passwords:
    """Let the type checker prove that the class fits its port."""
    return one
