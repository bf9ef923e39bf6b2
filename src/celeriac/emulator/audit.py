"""Audit events: who did what to which app, and every crash, the newest ten thousand of them."""

import json
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from celeriac.emulator.clock import Clock
from celeriac.emulator.entities import App, Process, Workload, new_guid
from celeriac.emulator.logcache import AppLog, LogCache

_KEPT = 10_000
_REQUEST_NAMES = {
    "instances": "instances",
    "memory_mb": "memory_in_mb",
    "disk_mb": "disk_in_mb",
    "log_bytes_per_second": "log_rate_limit_in_bytes_per_second",
}
_DESCRIPTION_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Party:
    """An actor or a target."""

    guid: str
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event; `created_at` is in whole epoch seconds, as the platform stores it."""

    guid: str
    created_at: int
    type: str
    actor: Party
    target: Party
    data: Mapping[str, Any]
    space_guid: str
    organization_guid: str


@dataclass(frozen=True, slots=True)
class Crash:
    """An exit that nobody asked for."""

    instance_guid: str
    index: int
    cell_id: str
    description: str
    crash_count: int


class AuditTrail:
    """Keeps the events, and writes the log line that the platform writes beside each."""

    def __init__(self, logs: LogCache, clock: Clock) -> None:
        self._logs, self._clock = logs, clock
        self._events: deque[AuditEvent] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def events(self) -> list[AuditEvent]:
        """Return all kept events, the oldest first."""
        with self._lock:
            return list(self._events)

    def app_action(self, verb: str, workload: Workload, actor: Party) -> None:
        """Record the start, stop or restart of an app."""
        self._record(f"audit.app.{verb}", workload, actor, {})
        said = {"start": "Starting", "stop": "Stopping", "restart": "Restarted"}[verb]
        self._say(workload, f"{said} app with guid {workload.app.guid}")

    def deployment(self, verb: str, workload: Workload, actor: Party) -> None:
        """Record the beginning or the cancelling of a deployment."""
        self._record(f"audit.app.deployment.{verb}", workload, actor, {"strategy": "rolling"})
        said = {"create": "Creating deployment for", "cancel": "Cancelling deployment for"}[verb]
        self._say(workload, f"{said} app with guid {workload.app.guid}")

    def scale(self, workload: Workload, wanted: Mapping[str, int], actor: Party) -> None:
        """Record a change of what a process shall have."""
        request = {_REQUEST_NAMES[name]: value for name, value in wanted.items()}
        data = _of_process(workload.process) | {"request": request}
        self._record("audit.app.process.scale", workload, actor, data)
        self._say(workload, f'Scaling process: "{workload.process.type}"')

    def update(self, workload: Workload, names: Sequence[str], actor: Party) -> None:
        """Record a change of what people set on an app; values stay out of it, as on the platform."""
        self._record("audit.app.update", workload, actor, {"request": dict.fromkeys(names, "[PRIVATE DATA HIDDEN]")})
        self._say(workload, f"Updated app with guid {workload.app.guid}")

    def show(self, what: str, workload: Workload, actor: Party) -> None:
        """Record that somebody has read the environment or the variables of an app."""
        self._record(f"audit.app.{what}.show", workload, actor, {})

    def terminate(self, workload: Workload, index: int, actor: Party) -> None:
        """Record the restart of one instance."""
        data = _of_process(workload.process) | {"process_index": index}
        self._record("audit.app.process.terminate_instance", workload, actor, data)
        self._say(workload, f'Terminating process: "{workload.process.type}", index: "{index}"')

    def crash(self, workload: Workload, crash: Crash) -> None:
        """Record both events that the platform writes for one crash."""
        app, process = workload.app, workload.process
        place = {"instance": crash.instance_guid, "index": crash.index, "cell_id": crash.cell_id}
        ending = {"reason": "CRASHED", "exit_description": crash.description[:_DESCRIPTION_CHARACTERS]}
        counts = {
            "crash_count": crash.crash_count,
            "crash_timestamp": int(self._clock() * 1e9),
            "version": process.version,
        }
        payload = place | ending | counts
        self._record("app.crash", workload, Party(app.guid, "app", app.name), place | ending)
        self._record("audit.app.process.crash", workload, Party(process.guid, "process", process.type), payload)
        inspected = ", ".join(f"{json.dumps(key)}=>{json.dumps(value)}" for key, value in payload.items())
        self._say(workload, f"App instance exited with guid {app.guid} payload: {{{inspected}}}")
        self._say(workload, f'Process has crashed with type: "{process.type}"')

    def _record(self, kind: str, workload: Workload, actor: Party, data: Mapping[str, Any]) -> None:
        event = AuditEvent(
            guid=new_guid(),
            created_at=int(self._clock()),
            type=kind,
            actor=actor,
            target=_target(workload.app),
            data=data,
            space_guid=workload.space.guid,
            organization_guid=workload.org.guid,
        )
        with self._lock:
            self._events.append(event)

    def _say(self, workload: Workload, line: str) -> None:
        AppLog(self._logs, workload).platform("API", line)


def _target(app: App) -> Party:
    return Party(app.guid, "app", app.name)


def _of_process(process: Process) -> dict[str, Any]:
    return {"process_guid": process.guid, "process_type": process.type}
