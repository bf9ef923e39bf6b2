"""One running instance: a guarded child process, the threads that read its output, and its orderly or forced end.

It knows nothing of schedules or desired states; it reports what happened and its owner decides.
"""

import functools
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from celeriac.emulator.entities import Workload
from celeriac.emulator.environment import ADDRESS, Place
from celeriac.emulator.health import DEFAULT_TIMEOUT, Probe
from celeriac.emulator.logcache import AppLog
from celeriac.emulator.usage import Meter
from celeriac.processes import Child, spawn, stop_all

_LINE_BYTES = 60 * 1024  # the platform splits longer lines as well
_UNPUSHED = shutil.ignore_patterns(".git", ".hg", ".svn", ".venv", "__pycache__", "manifest.yml")
_MIB = 1024 * 1024
_WEIGHING_SECONDS = 0.5
_OUTPUT_SECONDS = 1.0  # a stray descendant may hold the output open


@dataclass(frozen=True, slots=True)
class Ending:
    """How an instance ended; `asked` tells a stop from a crash."""

    asked: bool
    description: str


class Listener(Protocol):
    """Who wants to know of an instance; called from the instance's own thread."""

    def started(self, instance_guid: str, pid: int, port: int) -> None: ...

    def ended(self, instance_guid: str, ending: Ending) -> None: ...


@dataclass(frozen=True, slots=True)
class CellTraits:
    """What all instances of a cell share; durations are seconds, and with `scales` no instance may outgrow its memory."""

    cell_id: str
    grace: float
    start_delay: float
    scales: Meter | None = None


class Container:
    """One instance of a workload; `start` once, then `stop` or `kill` any time and from any thread."""

    def __init__(
        self, workload: Workload, place: Place, env: dict[str, str], traits: CellTraits, log: AppLog, listener: Listener
    ) -> None:
        self._workload = workload
        self._place = place
        self._env = env
        self._traits = traits
        self._log = log
        self._listener = listener
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._beside: list[Child] = []
        self._stopping = threading.Event()
        self._exited = threading.Event()
        self._done = threading.Event()
        self._killed = False
        self._outgrown = False
        self._unhealthy: str | None = None

    def start(self) -> None:
        """Begin to create the instance; the listener hears of the rest."""
        _thread(self._run, f"instance {self._place.instance_guid}")

    def stop(self) -> None:
        """Ask with SIGTERM, and insist with SIGKILL to the whole group after the grace period; returns at once."""
        with self._lock:
            if self._stopping.is_set() or self._exited.is_set():
                return
            self._stopping.set()
            child = self._child
        self._cell_log("stopping instance")
        if child:
            for one in (child, *self._beside):
                one.terminate()
            _thread(self._insist, f"grace of {self._place.instance_guid}")

    def kill(self) -> None:
        """Send SIGKILL to the whole group at once."""
        self.stop()
        self._kill_group()

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the instance has ended and its folder is gone."""
        return self._done.wait(timeout)

    def _insist(self) -> None:
        if not self._exited.wait(self._traits.grace):
            self._killed = True
            self._kill_group()

    def _kill_group(self) -> None:
        with self._lock:
            child = self._child
        if child:
            child.kill()

    def _run(self) -> None:
        self._cell_log("creating container for instance")
        try:
            ending = self._live()
        except OSError as error:
            ending = self._end(f"failed to create container: {error}")
        self._cell_log("destroying container for instance")
        shutil.rmtree(self._place.folder, ignore_errors=True)
        self._cell_log("successfully destroyed container for instance")
        self._listener.ended(self._place.instance_guid, ending)
        self._done.set()

    def _live(self) -> Ending:
        self._stopping.wait(self._traits.start_delay)
        with self._lock:
            launched = None if self._stopping.is_set() else self._launch()
            if launched:
                self._child = launched[0]
        return self._accompany(*launched) if launched else self._end("")

    def _accompany(self, child: Child, readers: list[threading.Thread]) -> Ending:
        self._cell_log("successfully created container for instance")
        watch = _thread(lambda: self._watch(child), f"health of {self._place.instance_guid}")
        if scales := self._traits.scales:
            _thread(functools.partial(self._weigh, scales, child.pid), f"memory of {self._place.instance_guid}")
        for one in self._beside:
            _thread(functools.partial(self._mind, one, child), f"sidecar {one.name} of {self._place.instance_guid}")
        code = child.wait()
        self._exited.set()
        stop_all(self._beside, 0)
        watch.join()  # its last probe has a time limit, and nothing may be heard of an instance after its end
        ending = self._end(self._unhealthy or self._describe(code))
        for reader in readers:
            reader.join(_OUTPUT_SECONDS)
        self._log_exit(code)
        return ending

    def _watch(self, child: Child) -> None:
        """Tell when the instance runs, and end it at the first failed probe after that."""

        def well() -> None:
            self._listener.started(self._place.instance_guid, child.pid, self._place.port)

        process = self._workload.process
        if process.health_check.type == "process":
            well()
            return
        address = (ADDRESS, self._place.port)
        timeout = process.health_check_timeout or DEFAULT_TIMEOUT
        self._unhealthy = Probe(process.health_check, address, timeout, self._exited).accompany(
            well, self._log.platform
        )
        if self._unhealthy and not self._stopping.is_set():
            child.terminate()
            self._insist()

    def _mind(self, beside: Child, child: Child) -> None:
        """End the instance when a sidecar ends, which is a crash as well."""
        code = beside.wait()
        if not self._exited.is_set() and not self._stopping.is_set():
            self._unhealthy = self._describe(code, f"/SIDECAR/{beside.name.upper()}")
            child.terminate()
            self._insist()

    def _weigh(self, scales: Meter, session: int) -> None:
        """Kill what holds more memory than it may, as the kernel does on the platform."""
        most = self._workload.process.memory_mb * _MIB
        while not self._exited.wait(_WEIGHING_SECONDS):
            if scales.read(session).mem > most:
                self._outgrown = True
                self._kill_group()
                return

    def _launch(self) -> tuple[Child, list[threading.Thread]]:
        if self._workload.app.files:
            shutil.copytree(self._workload.app.files, self._place.home, ignore=_UNPUSHED, symlinks=True)
        else:
            self._place.home.mkdir(parents=True)
        self._place.tmp.mkdir()
        (out_read, out_write), (err_read, err_write) = os.pipe(), os.pipe()
        process = self._workload.process
        commands = {self._place.instance_guid: process.command}
        commands |= {one.name: one.command for one in self._workload.app.sidecars if process.type in one.process_types}
        children: list[Child] = []
        try:
            for name, command in commands.items():
                argv, cwd = ["/bin/sh", "-c", command], self._workload.app.cwd or self._place.home
                children.append(spawn(argv, name=name, env=self._env, cwd=cwd, stdout=out_write, stderr=err_write))
        except OSError:
            stop_all(children, 0)
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
        child, *self._beside = children
        return child, [self._reader(out_read, error=False), self._reader(err_read, error=True)]

    def _reader(self, descriptor: int, *, error: bool) -> threading.Thread:
        def read() -> None:
            with os.fdopen(descriptor, "rb") as stream:
                while line := stream.readline(_LINE_BYTES):
                    self._log.output(line.rstrip(b"\n"), error=error)

        return _thread(read, f"output of {self._place.instance_guid}")

    def _end(self, description: str) -> Ending:
        with self._lock:
            self._exited.set()
            return Ending(self._stopping.is_set(), description)

    def _describe(self, code: int, beside: str = "") -> str:
        if code == 0:
            return "Codependent step exited"
        return f"{self._workload.source}{beside}: Exited with status {_status(code)}{self._memory_note()}"

    def _log_exit(self, code: int) -> None:
        grace = f" (exceeded {self._traits.grace:g}s graceful shutdown interval)" if self._killed else ""
        self._log.output(f"Exit status {_status(code)}{grace}{self._memory_note()}".encode())

    def _memory_note(self) -> str:
        return " (out of memory)" if self._outgrown else ""

    def _cell_log(self, what: str) -> None:
        self._log.platform("CELL", f"Cell {self._traits.cell_id} {what} {self._place.instance_guid}")


def _status(code: int) -> int:
    """Return the exit status as a shell and the platform give it: a signal counts from 128 up."""
    return 128 - code if code < 0 else code


def _thread(target: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
