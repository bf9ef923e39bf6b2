"""Child processes that cannot outlive their parent, and their supervision.

Each child leads a session of its own, and beside it sleeps a shell that waits for the other end of a pipe to close. The
kernel closes that pipe when the parent ends, however it ends, and the shell then kills the whole group: no child of a
crashed or killed parent is left, even a stopped one. This needs nothing but POSIX (`PDEATHSIG` exists on Linux only, and
fires when the *thread* that forked ends).
"""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# The watcher keeps none of the child's output open, or a reader of that output would never see its end.
_GUARD = 'exec 3<&0 </dev/null; ( { read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & ); exec "$@" 3<&-'

Output = int | IO[bytes] | None


class Child:
    """One running child process; `pid` is the command's own and also its process group."""

    def __init__(self, popen: subprocess.Popen[bytes], lifeline: int, name: str) -> None:
        self._popen = popen
        self._lifeline: int | None = lifeline
        self._lock = threading.Lock()
        self.name = name

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._popen.stdout

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal), or None while it runs; what is left of the group is killed."""
        code = self._popen.poll()
        if code is not None:
            self._let_go()
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait at most `timeout` seconds for the exit code; raise `subprocess.TimeoutExpired` after that."""
        code = self._popen.wait(timeout)
        self._let_go()
        return code

    def terminate(self) -> None:
        """Send SIGTERM to the command itself, as a platform does."""
        self._send(os.kill, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the whole group."""
        self._send(os.killpg, signal.SIGKILL)

    def stop(self, grace: float) -> int:
        """Ask with SIGTERM, insist with SIGKILL after `grace` seconds, and return the exit code."""
        self.terminate()
        try:
            return self.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.wait()

    def _send(self, how: Callable[[int, int], None], signum: signal.Signals) -> None:
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                how(self.pid, signum)

    def _let_go(self) -> None:
        with self._lock:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None


def spawn(
    argv: Sequence[str],
    *,
    name: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: Output = None,
    stderr: Output = None,
) -> Child:
    """Start `argv` in a session of its own, with an empty standard input; it dies with the calling process."""
    read_end, lifeline = os.pipe()
    try:
        popen = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", *argv],
            stdin=read_end,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError:
        os.close(lifeline)
        raise
    finally:
        os.close(read_end)
    return Child(popen, lifeline, name or Path(argv[0]).name)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a process in order: also that of its closed terminal, unless it is ignored, as by `nohup`."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *(() if ignored else (signal.SIGHUP,)))


@contextlib.contextmanager
def running(child: Child, *, grace: float = 10.0) -> Iterator[Child]:
    """Stop `child` when the block ends, also when it ends by an error."""
    try:
        yield child
    finally:
        child.stop(grace)


def backoff(failures: int, *, first: float = 0.5, cap: float = 30.0) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, capped, between half and whole."""
    ceiling = min(cap, first * 2.0 ** min(64, max(0, failures - 1)))  # beyond 64 a float would overflow one day
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, not a secret)


@dataclass
class _Slot:
    start: Callable[[], Child]
    child: Child | None = None
    started_at: float = 0.0
    failures: int = 0
    due_at: float = field(default=0.0)


class Supervisor:
    """Keeps a set of named children running: one that ends is started again after a growing pause."""

    STEADY_SECONDS = 30.0  # a child that lived this long starts with a clean slate

    def __init__(
        self, starts: Mapping[str, Callable[[], Child]], *, on_exit: Callable[[str, int, float], None]
    ) -> None:
        self._slots = {name: _Slot(start) for name, start in starts.items()}
        self._on_exit = on_exit

    def run(self, stopping: threading.Event, *, tick: float = 0.1, grace: float = 10.0) -> None:
        """Start all, restart what ends, and stop all when `stopping` is set."""
        try:
            while not stopping.is_set():
                now = time.monotonic()
                for name, slot in self._slots.items():
                    self._look_after(name, slot, now)
                stopping.wait(tick)
        finally:
            stop_all([slot.child for slot in self._slots.values() if slot.child], grace)

    def _look_after(self, name: str, slot: _Slot, now: float) -> None:
        if slot.child is None:
            if now >= slot.due_at:
                self._start(name, slot, now)
            return
        code = slot.child.poll()
        if code is None:
            return
        self._ended(name, slot, code, now)

    def _start(self, name: str, slot: _Slot, now: float) -> None:
        try:
            slot.child, slot.started_at = slot.start(), now
        except OSError as error:  # no memory, no process left: that passes
            slot.started_at = now
            self._ended(name, slot, error.errno or 1, now)

    def _ended(self, name: str, slot: _Slot, code: int, now: float) -> None:
        slot.failures = 1 if now - slot.started_at > self.STEADY_SECONDS else slot.failures + 1
        pause = backoff(slot.failures)
        slot.child, slot.due_at = None, now + pause
        self._on_exit(name, code, pause)


def stop_all(children: Sequence[Child], grace: float) -> None:
    """Ask all at once with SIGTERM, then insist with SIGKILL on those that still run after `grace` seconds."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + grace
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
