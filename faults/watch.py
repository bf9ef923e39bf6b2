"""Watching what Celeriac says of a cluster, once a second, and what the platform says was done: the story of a row."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from celeriac.client import Celeriac, ClientError, Incident, Worker
from celeriac.core.errors import CeleriacError

EVERY_S = 1.0


@dataclass(frozen=True)
class Look:
    """What was shown of a worker from some time on, in seconds since the epoch."""

    at: float
    worker: str
    verdict: str
    suspect: bool
    notes: tuple[str, ...]
    guid: str | None


class StageError(CeleriacError):
    """A row could not be set up or carried out here: that says nothing about Celeriac."""


@dataclass
class Watch:
    """Looks until stopped; keeps changes only."""

    client: Celeriac
    looks: list[Look] = field(default_factory=list)
    workers: dict[str, Worker] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    oldest_beat: dict[str, float] = field(default_factory=dict)
    """The greatest age of each worker's last heartbeat."""

    first_beats: dict[str, float] = field(default_factory=dict)
    """When the worker in a container, by its guid, was first heard to beat: a node bears its container's guid."""

    notes: dict[str, float] = field(default_factory=dict)
    """The notes of the whole cluster, and when each was first seen."""

    approve: Callable[[Incident], bool] = lambda _: False
    """Whether a person approves of what an incident waits for."""

    approved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(15)

    def healthy(self, names: Iterable[str]) -> bool:
        """Tell whether all of these are healthy now, are not suspect, and have said what they are."""
        found = [self.workers.get(name) for name in names]
        return all(one and one.verdict == "healthy" and not one.suspect and one.pool for one in found)

    def verdict(self, name: str) -> str:
        """Return a worker's verdict now."""
        worker = self.workers.get(name)
        return worker.verdict if worker else "unknown"

    def stories(self, names: Iterable[str]) -> list[Incident]:
        """Return the incidents of these workers, the oldest first."""
        known = set(names)
        return sorted(
            (one for one in self.incidents.values() if one.worker_name in known), key=lambda one: one.opened_at
        )

    def until(self, condition: Callable[[], Any], within: float, why: str) -> Any:
        """Wait until something is true, and return it; raises StageError with `why` if it takes too long."""
        end = time.monotonic() + within
        while not (answer := condition()):
            if time.monotonic() > end:
                shown = ", ".join(f"{one.name} {one.verdict}" for one in self.workers.values()) or "no worker"
                message = f"after {within:.0f} s still not: {why} ({shown})"
                raise StageError(message)
            self._stopping.wait(0.2)
        return answer

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                workers, incidents = self.client.workers(), self.client.incidents()
                clusters = self.client.clusters()
            except ClientError:
                continue
            for one in workers:
                self._take(one)
            self.workers = {one.name: one for one in workers}
            self.incidents.update({one.id: one for one in incidents})
            for text in (note for one in clusters for note in one.notes):
                self.notes.setdefault(text, time.time())
            self._decide(incidents)

    def _take(self, one: Worker) -> None:
        before = self.workers.get(one.name)
        guid = one.instance.guid if one.instance else None
        if one.heartbeat_age_s is not None:
            self.oldest_beat[one.name] = max(self.oldest_beat.get(one.name, 0.0), one.heartbeat_age_s)
        if guid and one.last_heartbeat_at and guid in (one.node or ""):
            self.first_beats.setdefault(guid, one.last_heartbeat_at.timestamp())
        new = Look(time.time(), one.name, one.verdict, one.suspect, tuple(one.notes), guid)
        last = before and Look(
            new.at,
            before.name,
            before.verdict,
            before.suspect,
            tuple(before.notes),
            before.instance.guid if before.instance else None,
        )
        if new != last:
            self.looks.append(new)

    def _decide(self, incidents: list[Incident]) -> None:
        for one in incidents:
            if one.approvable and one.id not in self.approved and self.approve(one):
                self.approved.add(one.id)
                try:
                    self.client.approve(one.id)
                except ClientError:
                    self.approved.discard(one.id)
