"""Health checks of an instance, as Diego probes them: often until the first success, then now and then.

The numbers are the platform's: a probe each 2 s until the start's time limit (60 s), then one each 30 s with 1 s for the
answer, and the first that fails ends the instance. All are real seconds, whatever the emulator's speed.
"""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

TYPES = ("process", "port", "http")
STARTUP_SECONDS = 2.0
DEFAULT_TIMEOUT = 60
MOST_TIMEOUT = 180
_OK = 200


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How one process type is probed; durations are seconds, None is the platform's own."""

    type: str = "process"
    endpoint: str = "/"
    invocation_timeout: int | None = None
    interval: int | None = None

    @property
    def answer_seconds(self) -> float:
        return float(self.invocation_timeout or 1)

    @property
    def pause_seconds(self) -> float:
        return float(self.interval or 30)


BY_PROCESS = HealthCheck()

Say = Callable[[str, str], None]
"""Writes a log line; the first argument is its source type, HEALTH or CELL."""


class Probe:
    """Asks one instance at its port; `ended` is set once its process has gone."""

    def __init__(self, check: HealthCheck, address: tuple[str, int], timeout: int, ended: threading.Event) -> None:
        self._check = check
        self._address = address
        self._timeout = timeout
        self._ended = ended

    def accompany(self, well: Callable[[], None], say: Say) -> str | None:
        """Return why the instance must end, or None when it has ended by itself; `well` is called at the first success."""
        say("CELL", "Starting health monitoring of container")
        if fault := self._start():
            if self._ended.is_set():
                return None
            say("HEALTH", fault)
            say("CELL", f"Failed after {_spoken(self._timeout)}: startup health check never passed.")
            return f"Instance never healthy after {_spoken(self._timeout)}: Startup check unsuccessful: {fault}"
        say("CELL", "Container became healthy")
        well()
        while not self._ended.wait(self._check.pause_seconds):
            if (fault := self.fault()) and not self._ended.is_set():
                say("HEALTH", fault)
                say("CELL", "Container became unhealthy")
                return f"Instance became unhealthy: Liveness check unsuccessful: {fault}"
        return None

    def _start(self) -> str | None:
        deadline = time.monotonic() + self._timeout
        while (fault := self.fault()) and not self._ended.is_set():
            if time.monotonic() >= deadline:
                return fault
            self._ended.wait(min(STARTUP_SECONDS, max(0.0, deadline - time.monotonic())))
        return fault

    def fault(self) -> str | None:
        """Probe once; return what was wrong, in the platform's words, or None."""
        return self._by_http() if self._check.type == "http" else self._by_port()

    def _by_port(self) -> str | None:
        host, port = self._address
        try:
            socket.create_connection(self._address, timeout=self._check.answer_seconds).close()
        except OSError as error:
            return f"failed to make TCP connection to {host}:{port}: {self._why(error)}"
        return None

    def _by_http(self) -> str | None:
        host, port = self._address
        what = f"failed to make HTTP request to '{self._check.endpoint}' on port {port}"
        connection = http.client.HTTPConnection(host, port, timeout=self._check.answer_seconds)
        try:
            connection.request("GET", self._check.endpoint, headers={"User-Agent": "diego-healthcheck"})
            with connection.getresponse() as response:
                status = response.status
        except (OSError, http.client.HTTPException) as error:
            return f"{what}: {self._why(error)}"
        finally:
            connection.close()
        return None if status == _OK else f"{what}: received status code {status}"

    def _why(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"timed out after {self._check.answer_seconds:.2f} seconds"
        if isinstance(error, ConnectionRefusedError):
            return "connection refused"
        return str(error) or type(error).__name__


def _spoken(seconds: int) -> str:
    """Return a duration as the platform writes it: 1m30s."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
