"""Which tasks Redis holds: a walk through `unacked` and through the queues' lists, bounded in messages, bytes and time.

Messages enter a list on the left, and those that come back enter on either side; the walk goes from left to right and
reads again what was shifted, so what is there all the time is seen. A message goes from `unacked` into its list, so that
is read second.
"""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import redis

from celeriac.adapters.redis_broker import keys
from celeriac.core.casualties import Whereabouts

MOST_READ = 50_000
MOST_READ_MB = 64
LONGEST_S = 5.0
AT_ONCE = 500


class _Enough(Exception):  # noqa: N818 (no error: a bound is reached)
    """Ends the walk, with the reason."""


class Walk:
    """One walk; `clock` counts seconds."""

    def __init__(self, client: Any, wanted: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._wanted, self._clock = client, frozenset(wanted), clock
        self._until = clock() + LONGEST_S
        self._read = self._bytes = 0
        self._unacked: set[str] = set()
        self._queued: dict[str, str] = {}

    def through(self, queues: Collection[str]) -> Whereabouts:
        """Return what was found; the walk ends early when all is."""
        unknown = None
        try:
            for value in self._taken():
                if (task := keys.task_of_taken(value)) in self._wanted and task is not None:
                    self._unacked.add(task)
            for queue in queues:
                self._look_into(queue)
        except _Enough as bound:
            unknown = str(bound) or None
        except redis.exceptions.NoPermissionError as error:
            unknown = keys.refused(str(error))
        return Whereabouts(frozenset(self._unacked), self._queued, unknown)

    def _look_into(self, queue: str) -> None:
        for key in keys.lists(queue):
            start = 0
            while values := self._counted(self._client.lrange(key, start, start + AT_ONCE - 1)):
                for value in values:
                    if (task := keys.task_of_waiting(value)) in self._wanted and task is not None:
                        self._queued[task] = queue
                start += len(values)

    def _taken(self) -> Iterator[bytes]:
        cursor = 0
        while True:
            cursor, found = self._client.hscan(keys.UNACKED, cursor, count=AT_ONCE)
            yield from self._counted(list(found.values()))
            if not cursor:
                return

    def _counted(self, values: list[bytes]) -> list[bytes]:
        """Note what was read; raises `_Enough` at a bound, with no reason where all that is wanted was found."""
        if len(self._unacked) + len(self._queued) >= len(self._wanted):
            raise _Enough
        self._read += len(values)
        self._bytes += sum(map(len, values))
        if self._read > MOST_READ:
            raise _Enough(f"more than {MOST_READ:,} messages wait or are unacknowledged: not all were looked at")
        if self._bytes > MOST_READ_MB << 20:
            raise _Enough(f"messages of more than {MOST_READ_MB} MB wait or are unacknowledged: not all were looked at")
        if self._clock() > self._until:
            raise _Enough(f"Redis did not show all its messages within {LONGEST_S:.0f} s")
        return values
