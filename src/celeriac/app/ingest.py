"""The observer: the event stream of one cluster, folded and stored in batches; it knows when it cannot hear.

Every 2 s it sends an event to itself. Only while that echo comes back does a worker's silence mean anything: a broken
connection, a late echo and a pause of our own each end the flow, and silence counts anew from its next beginning.
"""

import os
import threading
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from celeriac.core import events
from celeriac.core.errors import PortError
from celeriac.core.fold import ECHO, ClusterState
from celeriac.core.model import Incarnation
from celeriac.core.snapshot import Stream
from celeriac.core.tasks import Task
from celeriac.ports import Batch, EventStream, History
from celeriac.processes import backoff

ECHO_EVERY_S = 2.0
FLUSH_EVERY_S = 0.5
RECEIVE_S = 0.2
PAUSE_S = 5.0
DEAF_S = 10.0
"""A connection whose echo is missing for so long is dropped and made anew: it may be half open."""

log = structlog.get_logger()


class Observer:
    """One cluster's observer; call `step` in a loop, or `run` until told to stop."""

    def __init__(self, cluster: str, stream: EventStream, history: History, clock: Callable[[], float]) -> None:
        self._cluster, self._stream, self._history, self._clock = cluster, stream, history, clock
        self._state = ClusterState()
        self._seen = Stream(observed_at=clock(), reader=type(stream).__name__)
        self._batch: tuple[list[Task], list[Incarnation]] | None = None
        self._echoes = 0
        self._failures = 0
        self._awake_at = self._echo_due_at = self._flush_due_at = self._retry_at = clock()
        self._connected_at: float | None = None
        self._restored = False
        self._store_error: str | None = None

    def run(self, stopping: threading.Event) -> None:
        """Observe until told to stop; the last batch is stored before it returns."""
        while not stopping.is_set():
            if not self.step():
                stopping.wait(RECEIVE_S)
        self._flush(self._clock())
        self._stream.close()

    def step(self) -> bool:
        """Store what is due, then echo, receive and fold; False means that the broker is away and a pause is in place."""
        now = self._awake()
        if now >= self._flush_due_at:
            self._flush_due_at = now + FLUSH_EVERY_S
            self._flush(now)
        return now >= self._retry_at and self._listen(self._clock())

    def _awake(self) -> float:
        """Return the time; a pause of our own since we last looked, wherever it struck, ends the flow."""
        now = self._clock()
        pause, self._awake_at = now - self._awake_at, now
        if pause > PAUSE_S:
            log.warning("the observer itself paused", cluster=self._cluster, seconds=round(pause, 1))
            self._note(flowing_since=None, longest_pause_s=max(pause, self._seen.longest_pause_s))
        return now

    def _listen(self, now: float) -> bool:
        try:
            if now >= self._echo_due_at:
                self._echo_due_at = now + ECHO_EVERY_S
                self._send_echo(now)
            bodies = self._stream.receive(RECEIVE_S)
        except PortError as error:
            self._lose(str(error))
            return False
        self._awake()
        self._take(bodies)
        self._connected(self._clock())
        return True

    def _send_echo(self, now: float) -> None:
        self._echoes += 1
        event: dict[str, object] = {
            "type": ECHO,
            "hostname": f"celeriac@{self._cluster}",
            "timestamp": now,
            "pid": os.getpid(),
            "clock": self._echoes,
        }
        self._stream.send(event)

    def _take(self, bodies: list[bytes]) -> None:
        now = self._clock()
        for body in bodies:
            found, malformed = events.decode(body)
            self._note(events=self._seen.events + len(found), malformed=self._seen.malformed + malformed)
            for event in found:
                if event.type == ECHO:
                    self._hear_echo(event, now)
                else:
                    self._state.fold(event, now)

    def _hear_echo(self, event: events.Event, now: float) -> None:
        if event.pid == os.getpid() and event.hostname == f"celeriac@{self._cluster}":
            # One sent before a pause proves nothing about the time since.
            fresh = now - event.timestamp <= PAUSE_S
            self._note(echo_at=now, flowing_since=self._seen.flowing_since or (now if fresh else None))

    def _connected(self, now: float) -> None:
        if self._connected_at is None:
            self._connected_at = now
            log.info("listening to the broker", cluster=self._cluster)
        self._note(error=None)
        self._failures = 0
        late = now - max(self._seen.echo_at or 0.0, self._connected_at)
        if late > PAUSE_S:
            self._note(flowing_since=None)
        if late > DEAF_S:
            self._lose(f"our own event has not come back for {late:.0f} s")

    def _lose(self, why: str) -> None:
        self._stream.close()
        self._failures += 1
        pause = backoff(self._failures, cap=10.0)
        self._awake_at = self._clock()  # waiting for a broker that is away is no pause of ours
        self._retry_at = self._echo_due_at = self._awake_at + pause
        if self._seen.error != why:
            log.warning("the broker cannot be read", cluster=self._cluster, why=why, retry_in_s=round(pause, 1))
        reconnects = self._seen.reconnects + (self._connected_at is not None)
        self._connected_at = None
        self._note(error=why, flowing_since=None, reconnects=reconnects)

    def _flush(self, now: float) -> None:
        """Store what changed; what cannot be stored now waits in the state, up to its bound, and is then counted."""
        self._note(observed_at=now, unknown_types=self._state.unknown_types, dropped=self._state.dropped)
        try:
            self._restore()
            if self._batch is None:
                self._batch = self._state.changes()
            self._history.record(Batch(self._seen, *self._batch))
        except PortError as error:
            if str(error) != self._store_error:  # once, not with every try: the log may share the full disk
                self._store_error = str(error)
                log.error("the store takes nothing", cluster=self._cluster, why=self._store_error)
            return
        self._batch, self._store_error = None, None

    def _restore(self) -> None:
        """Take up the incarnations of an earlier observer, once: a worker that died meanwhile must still be missed."""
        if not self._restored:
            self._state.restore(self._history.incarnations(), self._clock())
            self._restored = True

    def _note(self, **changes: object) -> None:
        self._seen = replace(self._seen, **changes)
