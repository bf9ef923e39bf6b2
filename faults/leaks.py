"""Nothing of a run may outlive it: every process that it starts carries a mark, and at the end none may be there."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

MARK = "FAULTS_RUN"
PATIENCE_S = 10.0


def carrying(mark: str) -> dict[int, str]:
    """Return the living processes, but for this one, whose environment holds the mark, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError, IndexError):
            ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
            if not ended and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Mark what the block starts; raise RuntimeError if any of it is alive a few seconds after the block's end.

    A port is bound only as long as a process lives, so this is also the proof that no port of the run is taken.
    """
    mark = os.environ[MARK] = uuid.uuid4().hex
    try:
        yield
    finally:
        end = time.monotonic() + PATIENCE_S
        while (left := carrying(mark)) and time.monotonic() < end:
            time.sleep(0.2)
        if left:
            message = "these processes outlived the run: " + "; ".join(f"{pid} {argv}" for pid, argv in left.items())
            raise RuntimeError(message)
