"""What a one-time passcode leaves: its refresh token, kept in a file for the next start and for our other processes.

The file is readable by its owner only, as the one in which `cf` keeps its own.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


class KeptLogin:
    """The refresh token of one passcode; another passcode begins anew."""

    def __init__(self, path: Path, passcode: str) -> None:
        self._path, self._mark = path, hashlib.sha256(passcode.encode()).hexdigest()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time log in: a passcode is good for one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def token(self) -> str | None:
        """Return what is kept of this passcode."""
        try:
            found = json.loads(self._path.read_text())
            return str(found["refresh_token"]) if found["passcode"] == self._mark else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, token: str) -> None:
        """Keep the newest token in place of the last."""
        new = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"passcode": self._mark, "refresh_token": token}, file)
        new.replace(self._path)
