"""One index of a process type: its process is started, read, started again after it ended, and stopped when told to.

The back-off is Diego's, so that what is tried here behaves as on Cloud Foundry: the first two crashes are followed by a start
at once, then by pauses of 30 s, doubled up to 16 min; a life of more than 5 min, and an ordered restart, forget what was before. It never gives up.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celeriac.local.ports import free_port
from celeriac.local.records import LONGEST_LINE, Records
from celeriac.processes import Child, spawn

STEADY_S = 300.0
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 960.0
FIRST_DELAYED_CRASH = 3
OUTPUT_S = 1.0  # a stray descendant may hold the output open


def pause_after(crashes: int) -> float:
    """Return the seconds to wait after so many crashes in a row."""
    if crashes < FIRST_DELAYED_CRASH:
        return 0.0
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(crashes - FIRST_DELAYED_CRASH, 16))


@dataclass(frozen=True)
class Program:
    """What all indexes of one process type run; `grace` is seconds between SIGTERM and SIGKILL."""

    process: str
    command: str
    folder: Path
    environment: Callable[[int, str, int], dict[str, str]]
    """Of an index, its instance guid and its port."""

    grace: float

    @property
    def source(self) -> str:
        return f"APP/PROC/{self.process.upper()}"


class Slot:
    """One index, looked after by a thread of its own; `before` is what still ends at the same index."""

    def __init__(self, program: Program, index: int, records: Records, before: "Slot | None" = None) -> None:
        self.index = index
        self._program, self._records, self._before = program, records, before
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._child: Child | None = None
        self._guid: str | None = None
        self._state, self._since, self._details = "STARTING", time.monotonic(), ""
        self._crashes = self._port = 0
        self._asked = self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"{program.process}.{index}", daemon=True)
        self._thread.start()

    def view(self) -> dict[str, Any]:
        """Return what is told of this index."""
        with self._lock:
            runs = self._child is not None
            return {
                "index": self.index,
                "state": self._state,
                "guid": self._guid if runs else None,
                "uptime": time.monotonic() - self._since if runs else None,
                "details": self._details or None,
            }

    @property
    def guid(self) -> str | None:
        with self._lock:
            return self._guid if self._child is not None else None

    def restart(self) -> None:
        """Stop the process, and start another as soon as it has ended, or at once if none runs."""
        self._end(closing=False)

    def close(self) -> None:
        """Stop the process for good; `wait` tells when it has ended."""
        self._end(closing=True)

    def wait(self, within: float | None = None) -> bool:
        """Wait until a closed slot has ended."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def _end(self, *, closing: bool) -> None:
        with self._lock:
            self._closing = self._closing or closing
            again, self._asked = self._asked, True
            child = self._child
            if child is not None:
                self._state = "STOPPING"
            self._wake.set()
        if child is not None and not again:
            child.terminate()
            threading.Thread(target=self._insist, args=(child,), daemon=True).start()

    def _insist(self, child: Child) -> None:
        deadline = time.monotonic() + self._program.grace
        while child.poll() is None:
            if time.monotonic() >= deadline:
                self._say(f"Did not end within {self._program.grace:g} s of SIGTERM: killed")
                child.kill()
                return
            time.sleep(0.05)

    def _run(self) -> None:
        if self._before is not None:
            self._before.wait()
        while self._may_start():
            started = time.monotonic()
            text = self._live()
            if self._unasked():
                self._crashed(text, time.monotonic() - started)

    def _may_start(self) -> bool:
        with self._lock:
            if self._closing:
                return False
            if self._asked:  # an order begins anew
                self._crashes = 0
            self._asked = False
            self._wake.clear()
            self._state, self._details = "STARTING", ""
            return True

    def _unasked(self) -> bool:
        with self._lock:
            return not (self._asked or self._closing)

    def _live(self) -> str:
        guid = str(uuid.uuid4())
        try:
            child, readers = self._launch(guid)
        except OSError as error:
            with self._lock:
                self._guid = guid
            return f"cannot be started: {error.strerror or error}"
        self._say(f"Started instance {guid} (pid {child.pid}, port {self._port})")
        code = child.wait()
        with self._lock:
            self._child = None
        for reader in readers:
            reader.join(OUTPUT_S)
        status = 128 - code if code < 0 else code
        self._say(f"Exit status {status}")
        return f"{self._program.source}: Exited with status {status}"

    def _launch(self, guid: str) -> tuple[Child, list[threading.Thread]]:
        self._port = free_port(self._port)
        (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe()
        try:
            with self._lock:  # an order that comes meanwhile waits, and finds the process
                child = spawn(
                    ["/bin/sh", "-c", self._program.command],
                    name=guid,
                    env=self._program.environment(self.index, guid, self._port),
                    cwd=self._program.folder,
                    stdout=out_write,
                    stderr=err_write,
                )
                self._child, self._guid, self._since = child, guid, time.monotonic()
                self._state = "RUNNING"
                late = self._asked
        except OSError:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
        if late:  # ordered between the last look and the start
            child.terminate()
            threading.Thread(target=self._insist, args=(child,), daemon=True).start()
        return child, [self._reader(out_read, error=False), self._reader(err_read, error=True)]

    def _reader(self, descriptor: int, *, error: bool) -> threading.Thread:
        def read() -> None:
            with os.fdopen(descriptor, "rb") as stream:
                while line := stream.readline(LONGEST_LINE):
                    text = line.rstrip(b"\n").decode(errors="replace")
                    self._records.line(self._program.source, text, self._program.process, self.index, error=error)

        thread = threading.Thread(target=read, name=f"output of {self._program.process}.{self.index}", daemon=True)
        thread.start()
        return thread

    def _crashed(self, text: str, lived: float) -> None:
        self._crashes = 1 if lived > STEADY_S else self._crashes + 1
        pause = pause_after(self._crashes)
        self._records.event(
            "crash",
            text,
            process=self._program.process,
            index=self.index,
            instance=self._guid,
            count=self._crashes,
        )
        with self._lock:
            self._state, self._details = (
                ("CRASHED", f"{text}; starts again in {pause:g} s") if pause else ("STARTING", text)
            )
        self._wake.wait(pause)

    def _say(self, text: str) -> None:
        self._records.line("HOST", text, self._program.process, self.index)
