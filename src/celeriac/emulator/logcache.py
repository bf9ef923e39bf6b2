"""The log cache: for each app a bounded ring of log envelopes in the form that log-cache's JSON API gives them.

Timestamps rise strictly within an app, so that a reader who continues at the last one plus 1 ns misses nothing.
"""

import base64
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from celeriac.emulator.clock import Clock
from celeriac.emulator.entities import Workload

Envelope = dict[str, Any]


class _Ring:
    def __init__(self, size: int) -> None:
        self.envelopes: deque[Envelope] = deque(maxlen=size)
        self.expired = 0
        self.last = 0

    def add(self, envelope: Envelope) -> None:
        self.expired += len(self.envelopes) == self.envelopes.maxlen
        self.envelopes.append(envelope)


class LogCache:
    """Keeps the newest `size` envelopes of each source; a source is an app's guid."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._size, self._clock = size, clock
        self._rings: dict[str, _Ring] = {}
        self._lock = threading.Lock()

    def log(self, source_id: str, tags: Mapping[str, str], line: bytes, *, error: bool = False) -> None:
        """Add one line of output."""
        payload = base64.b64encode(line).decode("ascii")
        with self._lock:
            ring = self._rings.setdefault(source_id, _Ring(self._size))
            ring.last = max(self.now_ns(), ring.last + 1)
            envelope = {
                "timestamp": str(ring.last),
                "source_id": source_id,
                "instance_id": tags["instance_id"],
                "deprecated_tags": {},
                "tags": dict(tags),
                "log": {"payload": payload, "type": "ERR" if error else "OUT"},
            }
            ring.add(envelope)

    def now_ns(self) -> int:
        """Return the time in nanoseconds, as the foundation has it."""
        return int(self._clock() * 1e9)

    def read(self, source_id: str, *, start: int, end: int, limit: int, descending: bool) -> list[Envelope]:
        """Return at most `limit` envelopes of [start, end) in nanoseconds: the oldest, or from the newest down."""
        with self._lock:
            ring = self._rings.get(source_id)
            kept = list(ring.envelopes) if ring else []
        ordered: Iterable[Envelope] = reversed(kept) if descending else kept
        return list(itertools.islice((each for each in ordered if start <= int(each["timestamp"]) < end), limit))

    def meta(self) -> dict[str, dict[str, str]]:
        """Describe each source; like log-cache's own answer it leaves out zeros."""
        with self._lock:
            return {source: _meta(ring) for source, ring in self._rings.items() if ring.envelopes}


def _meta(ring: _Ring) -> dict[str, str]:
    meta = {"count": str(len(ring.envelopes))}
    if ring.expired:
        meta["expired"] = str(ring.expired)
    meta["oldestTimestamp"] = str(ring.envelopes[0]["timestamp"])
    meta["newestTimestamp"] = str(ring.envelopes[-1]["timestamp"])
    return meta


class AppLog:
    """Writes the lines of one instance, or of the platform about it, with the tags that log-cache readers map by."""

    def __init__(self, cache: LogCache, workload: Workload, *, index: int = 0, instance_guid: str = "") -> None:
        self._cache = cache
        self._app_guid = workload.app.guid
        self._source = workload.source
        self._tags = {
            "app_id": workload.app.guid,
            "app_name": workload.app.name,
            "instance_id": str(index),
            "organization_id": workload.org.guid,
            "organization_name": workload.org.name,
            "origin": "rep" if instance_guid else "cloud_controller",
            "process_id": workload.process.guid,
            "process_type": workload.process.type,
            "source_id": workload.app.guid,
            "space_id": workload.space.guid,
            "space_name": workload.space.name,
        }
        if instance_guid:
            self._tags["process_instance_id"] = instance_guid

    def output(self, line: bytes, *, error: bool = False) -> None:
        """Add a line that the process wrote."""
        self._cache.log(self._app_guid, self._tags | {"source_type": self._source}, line, error=error)

    def platform(self, source: str, line: str) -> None:
        """Add a line that the platform wrote about it; `source` is CELL, HEALTH or API."""
        self._cache.log(self._app_guid, self._tags | {"source_type": source}, line.encode())
