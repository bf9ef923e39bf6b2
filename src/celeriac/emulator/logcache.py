"""The log cache: for each app bounded rings of log lines and gauges in the form that log-cache's JSON API gives them.

Timestamps rise strictly within an app, so that a reader who continues at the last one plus 1 ns misses nothing.
"""

import base64
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from celeriac.emulator.clock import Clock
from celeriac.emulator.entities import Workload

Envelope = dict[str, Any]
Metric = tuple[str, float]


LOG, GAUGE = "log", "gauge"
KINDS = (LOG, GAUGE)
"""The kinds of envelopes that exist here, each named by the key that holds its content."""


class _Ring:
    """The newest envelopes of one source; lines and gauges have rings of their own, so that neither displaces the other."""

    def __init__(self, size: int) -> None:
        self._kept: dict[str, deque[Envelope]] = {kind: deque(maxlen=size) for kind in KINDS}
        self.expired = 0
        self.last = 0

    def add(self, kind: str, envelope: Envelope) -> None:
        ring = self._kept[kind]
        self.expired += len(ring) == ring.maxlen
        ring.append(envelope)

    def envelopes(self, kinds: Collection[str] = KINDS) -> list[Envelope]:
        """Return those of some kinds, the oldest first."""
        return list(heapq.merge(*(self._kept[kind] for kind in kinds), key=_time))


class LogCache:
    """Keeps the newest `size` lines and as many gauges of each source; a source is an app's guid."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._size, self._clock = size, clock
        self._rings: dict[str, _Ring] = {}
        self._lock = threading.Lock()

    def log(self, source_id: str, tags: Mapping[str, str], line: bytes, *, error: bool = False) -> None:
        """Add one line of output."""
        payload = base64.b64encode(line).decode("ascii")
        self._add(LOG, source_id, tags, {"payload": payload, "type": "ERR" if error else "OUT"})

    def gauge(self, source_id: str, tags: Mapping[str, str], metrics: Mapping[str, Metric]) -> None:
        """Add what was measured at one moment: a unit and a value by name."""
        shown = {name: {"unit": unit, "value": value} for name, (unit, value) in metrics.items()}
        self._add(GAUGE, source_id, tags, {"metrics": shown})

    def _add(self, kind: str, source_id: str, tags: Mapping[str, str], content: dict[str, Any]) -> None:
        with self._lock:
            ring = self._rings.setdefault(source_id, _Ring(self._size))
            ring.last = max(self.now_ns(), ring.last + 1)
            envelope = {
                "timestamp": str(ring.last),
                "source_id": source_id,
                "instance_id": tags["instance_id"],
                "deprecated_tags": {},
                "tags": dict(tags),
                kind: content,
            }
            ring.add(kind, envelope)

    def now_ns(self) -> int:
        """Return the time in nanoseconds, as the foundation has it."""
        return int(self._clock() * 1e9)

    def read(
        self, source_id: str, *, start: int, end: int, limit: int, descending: bool, kinds: Collection[str] = KINDS
    ) -> list[Envelope]:
        """Return at most `limit` envelopes of [start, end) in nanoseconds: the oldest, or from the newest down."""
        with self._lock:
            ring = self._rings.get(source_id)
            kept = ring.envelopes(kinds) if ring else []
        ordered: Iterable[Envelope] = reversed(kept) if descending else kept
        return list(itertools.islice((each for each in ordered if start <= _time(each) < end), limit))

    def meta(self) -> dict[str, dict[str, str]]:
        """Describe each source; like log-cache's own answer it leaves out zeros."""
        with self._lock:
            return {source: _meta(ring) for source, ring in self._rings.items()}


def _time(envelope: Envelope) -> int:
    return int(envelope["timestamp"])


def _meta(ring: _Ring) -> dict[str, str]:
    kept = ring.envelopes()
    meta = {"count": str(len(kept))}
    if ring.expired:
        meta["expired"] = str(ring.expired)
    meta["oldestTimestamp"] = str(kept[0]["timestamp"])
    meta["newestTimestamp"] = str(kept[-1]["timestamp"])
    return meta


class AppLog:
    """Writes lines and gauges of one instance, or lines of the platform about it, with the tags that log-cache readers map by."""

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

    def gauge(self, metrics: Mapping[str, Metric]) -> None:
        """Add what the instance uses, and what it may use."""
        self._cache.gauge(self._app_guid, self._tags, metrics)
