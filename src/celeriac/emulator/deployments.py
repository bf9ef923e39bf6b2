"""Deployments: a new web process beside the old one, and in its place when it runs; then all others anew at once.

The platform's updater looks at them every 5 s of its clock, and so does `run`. One whose web instances never run stays
ACTIVE until somebody cancels it.
"""

import threading
from dataclasses import dataclass, replace

from celeriac.emulator.audit import AuditTrail, Party
from celeriac.emulator.clock import Clock
from celeriac.emulator.cloud_controller import CloudController
from celeriac.emulator.config import EmulatorConfig
from celeriac.emulator.entities import Process, new_guid
from celeriac.emulator.lrp import LrpState

UPDATER_SECONDS = 5.0
DEPLOYING, CANCELING = "DEPLOYING", "CANCELING"
_ACTIVE = (DEPLOYING, CANCELING)
_LEAST_PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment; `reason` is DEPLOYING, CANCELING, DEPLOYED, CANCELED or SUPERSEDED, `web_guid` is its web process's."""

    guid: str
    app_guid: str
    web_guid: str
    max_in_flight: int
    reason: str
    begun: bool
    created_at: int
    updated_at: int

    @property
    def value(self) -> str:
        return "ACTIVE" if self.reason in _ACTIVE else "FINALIZED"


class Deployments:
    """Holds the deployments of the space and moves the active ones."""

    def __init__(self, config: EmulatorConfig, controller: CloudController, audit: AuditTrail, clock: Clock) -> None:
        self._pause = max(_LEAST_PAUSE_SECONDS, UPDATER_SECONDS / config.speed)
        self._controller, self._audit, self._clock = controller, audit, clock
        self._all: dict[str, Deployment] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()

    def all(self) -> list[Deployment]:
        """Return every deployment, the oldest first."""
        with self._lock:
            return list(self._all.values())

    def busy(self, app_guid: str) -> bool:
        """Tell whether a deployment of an app is active."""
        with self._lock:
            return any(one.app_guid == app_guid for one in self._active())

    def create(self, app_guid: str, max_in_flight: int, actor: Party) -> Deployment:
        """Begin a rolling deployment; one that is active is superseded."""
        now = int(self._clock())
        with self._lock:
            for one in self._active():
                if one.app_guid == app_guid:
                    self._controller.drop_web(app_guid, one.web_guid)
                    self._move(one, "SUPERSEDED")
            made = Deployment(
                new_guid(), app_guid, new_guid(), max_in_flight, DEPLOYING, begun=False, created_at=now, updated_at=now
            )
            self._all[made.guid] = made
            self._audit.deployment("create", self._controller.workload(app_guid), actor)
            return made

    def cancel(self, guid: str, actor: Party) -> bool:
        """End an active deployment with the updater's next look; False if it is not active."""
        with self._lock:
            one = self._all[guid]
            if one.reason != DEPLOYING:
                return False
            self._move(one, CANCELING)
            self._audit.deployment("cancel", self._controller.workload(one.app_guid), actor)
            return True

    def update(self) -> None:
        """Move every active deployment by one step."""
        with self._lock:
            for one in self._active():
                self._step(one)

    def run(self) -> None:
        """Update every 5 s of the platform's clock until `close`."""
        while not self._closing.wait(self._pause):
            self.update()

    def close(self) -> None:
        """Stop updating."""
        self._closing.set()

    def _step(self, one: Deployment) -> None:
        if one.reason == CANCELING:
            self._controller.drop_web(one.app_guid, one.web_guid)
            self._move(one, "CANCELED")
            return
        if not one.begun:
            self._controller.begin_web(one.app_guid, one.web_guid)
            self._all[one.guid] = replace(one, begun=True)
        web = self._controller.process(one.web_guid)
        if web is None or (one.begun and self._runs(web)):  # what has just begun is looked at the next time
            self._controller.keep_web(one.app_guid, one.web_guid)
            self._controller.renew_others(one.app_guid)
            self._move(replace(one, begun=True), "DEPLOYED")

    def _runs(self, process: Process) -> bool:
        slots = self._controller.observe(process).slots
        return sum(slot.state is LrpState.RUNNING for slot in slots.values()) == process.instances

    def _active(self) -> list[Deployment]:
        return [one for one in self._all.values() if one.value == "ACTIVE"]

    def _move(self, one: Deployment, reason: str) -> None:
        self._all[one.guid] = replace(one, reason=reason, updated_at=int(self._clock()))
