"""One app on this host: its process types with their indexes, and the orders that change them."""

import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celeriac.core.secret_words import SecretVariables
from celeriac.local.errors import OrderError
from celeriac.local.records import Records
from celeriac.local.slot import Program, Slot

MOST_INSTANCES = 100
GIVEN = ("CF_INSTANCE_GUID", "INSTANCE_GUID", "CF_INSTANCE_INDEX", "INSTANCE_INDEX", "INDEX")
_SECRETS = SecretVariables()


@dataclass(frozen=True)
class Actor:
    """Who gives an order: the user at the other end of the socket."""

    name: str
    uid: int


@dataclass
class _Type:
    program: Program
    slots: list[Slot] = field(default_factory=list)
    ending: dict[int, Slot] = field(default_factory=dict)
    """By index, what was closed: the next one there waits for its end."""


class Host:
    """Runs the app from `start` to `stop`; every order is taken from any thread, one at a time."""

    def __init__(
        self,
        name: str,
        commands: Mapping[str, str],
        env: Mapping[str, str],
        folder: Path,
        grace: float,
        records: Records,
    ) -> None:
        self.name, self.records = name, records
        self.guid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"celeriac-local:{name}"))
        self._env = dict(env)
        self._grace = grace
        self._lock = threading.Lock()
        self._version = str(uuid.uuid4())
        self._stopped = False
        self._types = {
            process: _Type(Program(process, command, folder, self._environment, grace))
            for process, command in commands.items()
        }

    def start(self, scale: Mapping[str, int]) -> None:
        """Start every process type, with one instance where `scale` names no other number."""
        with self._lock:
            for process, kind in self._types.items():
                self._resize(kind, scale.get(process, 1))

    def stop(self) -> None:
        """Stop everything, and return when it has ended: at the latest soon after the grace period."""
        with self._lock:
            self._stopped = True
            slots = [one for kind in self._types.values() for one in (*kind.slots, *kind.ending.values())]
        for slot in slots:
            slot.close()
        deadline = time.monotonic() + self._grace + 5
        for slot in slots:
            slot.wait(max(0.0, deadline - time.monotonic()))

    def view(self) -> dict[str, Any]:
        """Return the app with every index of every process type."""
        with self._lock:
            processes = [
                {"type": process, "instances": [one.view() for one in kind.slots]}
                for process, kind in self._types.items()
            ]
            return {"name": self.name, "guid": self.guid, "version": self._version, "processes": processes}

    def restart_instance(self, process: str, index: int, guid: str | None, actor: Actor) -> None:
        """Restart one index; with `guid` only if that instance still runs there."""
        with self._lock:
            slots = self._kind(process).slots
            if not 0 <= index < len(slots):
                raise OrderError("missing", f"{self.name} has no index {index} of process {process}")
            if guid is not None and slots[index].guid != guid:
                raise OrderError("conflict", f"index {index} of process {process} is another instance by now")
            text = f"restarted instance {index} of process {process}"
            self._note("restart", text, actor, process=process, index=index)
            slots[index].restart()

    def restart(self, actor: Actor) -> None:
        """Restart every index of every process type at once."""
        with self._lock:
            self._running()
            self._version = str(uuid.uuid4())
            self._note("restart", "restarted the app", actor)
            for kind in self._types.values():
                for slot in kind.slots:
                    slot.restart()

    def scale(self, process: str, instances: int, actor: Actor) -> None:
        """Run so many instances of a process type; the highest indexes end first."""
        with self._lock:
            kind = self._kind(process)
            if not 0 <= instances <= MOST_INSTANCES:
                raise OrderError("refused", f"instances must be 0 to {MOST_INSTANCES}, and not {instances}")
            self._note("scale", f"scaled process {process} to {instances}", actor, process=process)
            self._resize(kind, instances)

    def environment(self) -> list[dict[str, str | None]]:
        """Return the variables by name; those of this host's own environment, and what may be a secret, without a value."""
        port = {"PORT": "(of each instance)"}
        given = dict.fromkeys(GIVEN, "(of each instance)")
        inherited: dict[str, str | None] = dict.fromkeys(os.environ)
        told = {name: None if _SECRETS.has(name, value) else value for name, value in self._env.items()}
        return [
            {"name": name, "value": value} for name, value in sorted({**inherited, **port, **told, **given}.items())
        ]

    def _environment(self, index: int, guid: str, port: int) -> dict[str, str]:
        given = {name: guid if name.endswith("GUID") else str(index) for name in GIVEN}
        return {**os.environ, "PORT": str(port), **self._env, **given}

    def _resize(self, kind: _Type, instances: int) -> None:
        while len(kind.slots) > instances:
            slot = kind.slots.pop()
            slot.close()
            kind.ending[slot.index] = slot
        for index in range(len(kind.slots), instances):
            kind.slots.append(Slot(kind.program, index, self.records, kind.ending.pop(index, None)))

    def _kind(self, process: str) -> _Type:
        self._running()
        if process not in self._types:
            raise OrderError("missing", f"{self.name} has no process {process}; there are: {', '.join(self._types)}")
        return self._types[process]

    def _running(self) -> None:
        if self._stopped:
            raise OrderError("conflict", f"{self.name} is being stopped")

    def _note(self, kind: str, text: str, actor: Actor, **more: Any) -> None:
        self.records.event(kind, text, actor=actor.name, uid=actor.uid, **more)
