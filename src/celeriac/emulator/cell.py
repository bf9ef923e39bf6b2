"""The cell: it makes containers on this host, finds them again by instance guid, and can end them all."""

import contextlib
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.container import CellTraits, Container, Ending, Listener
from celeriac.emulator.entities import Workload, stable_guid
from celeriac.emulator.environment import ADDRESS, Place, instance_environment
from celeriac.emulator.logcache import AppLog, LogCache
from celeriac.emulator.usage import Meter


class Cell:
    """Runs instances below a temporary folder of its own, which `close` removes; `listener` hears how they go on."""

    def __init__(self, config: EmulatorConfig, logs: LogCache, api_url: str, listener: Listener) -> None:
        self.cell_id = stable_guid(config.org, config.space, "cell")
        scales = Meter() if config.enforce_memory else None
        self._traits = CellTraits(self.cell_id, config.grace_seconds, config.start_seconds, scales)
        self._logs = logs
        self._api_url = api_url
        self._listener = listener
        self._root = Path(tempfile.mkdtemp(prefix="celeriac-emulator-"))
        self._containers: dict[str, Container] = {}
        self._ports: dict[str, int] = {}
        self._lock = threading.Lock()

    def run(self, workload: Workload, index: int, instance_guid: str) -> None:
        """Create an instance; returns at once."""
        with self._lock:
            port = self._ports[instance_guid] = self._free_port()
            place = Place(index, instance_guid, port, self._root / instance_guid)
            env = instance_environment(workload, place, self._api_url)
            log = AppLog(self._logs, workload, index=index, instance_guid=instance_guid)
            container = Container(workload, place, env, self._traits, log, self)
            self._containers[instance_guid] = container
        container.start()

    def stop(self, instance_guid: str) -> None:
        """Ask an instance to end, with the grace period; one that is gone already is no error."""
        with self._lock:
            container = self._containers.get(instance_guid)
        if container:
            container.stop()

    def close(self, seconds: float) -> None:
        """End all instances: SIGTERM at once, SIGKILL after so many seconds; then remove their folders."""
        with self._lock:
            containers = list(self._containers.values())
        for container in containers:
            container.stop()
        deadline = time.monotonic() + seconds
        for container in containers:
            if not container.wait(max(0.0, deadline - time.monotonic())):
                container.kill()
        for container in containers:
            container.wait(seconds)
        shutil.rmtree(self._root, ignore_errors=True)

    def started(self, instance_guid: str, pid: int, port: int) -> None:
        self._listener.started(instance_guid, pid, port)

    def ended(self, instance_guid: str, ending: Ending) -> None:
        with self._lock:
            del self._containers[instance_guid], self._ports[instance_guid]
        self._listener.ended(instance_guid, ending)

    def _free_port(self) -> int:
        taken = set(self._ports.values())
        while True:
            with contextlib.closing(socket.create_server((ADDRESS, 0))) as probe:
                port: int = probe.getsockname()[1]
            if port not in taken:
                return port
