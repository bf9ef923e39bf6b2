"""The observer: the event stream of one cluster, folded and handed to its recorder; it knows when it cannot hear.

Every 2 s it sends an event to itself. Only while that echo comes back does a worker's silence mean anything: a broken
connection, a late echo and a pause of our own each end the flow, and silence counts anew from its next beginning.

What the broker keeps for us is settled when it is stored. While the recorder is busy changes gather in the state, one row
a task, up to its bounds; what finds no room is counted. What was lost is remembered: a new observer begins with the last
word of the one before it.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from celeriac.app.flush import Flush
from celeriac.core.errors import PortError
from celeriac.core.events import Event, decode
from celeriac.core.fold import ECHO, ClusterState
from celeriac.core.model import Incarnation
from celeriac.core.occupancy import Load
from celeriac.core.queues import QueueSample
from celeriac.core.snapshot import Stream, resumed
from celeriac.core.tasks import Task
from celeriac.ports import Condition, EventStream, Opening, Recorder
from celeriac.processes import backoff

ECHO_EVERY_S = 2.0
FLUSH_EVERY_S = 0.25
WORD_EVERY_S = 0.5
"""How often the observer says that it is there when nothing has changed."""

FLUSH_ROWS = 20_000
MOST_BYTES = 256 << 20
"""Of messages whose rows wait; then further tasks find no room."""

AT_ONCE = 5_000
"""More tasks than one `receive` may bring."""

RECEIVE_S = 0.1
PAUSE_S = 5.0
BREATH_S = 0.1
DEAF_S = 10.0
"""A connection whose echo is missing for so long is dropped and made anew: it may be half open."""

EVENTS_A_TASK = 3
"""A task that is begun and lost to us was received, begun and ended: three events."""

log = structlog.get_logger()

Samples = tuple[Sequence[QueueSample], Sequence[Load]]
Sampled = Callable[[Sequence[Task], Sequence[Incarnation], float | None], Samples]
"""What goes with a flush: what `Sampler.take` and `LoadWatch.take` return."""


class Observer:
    """One cluster's observer; call `step` in a loop, or `run` until told to stop."""

    def __init__(
        self,
        cluster: str,
        stream: EventStream,
        recorder: Recorder,
        opening: Opening,
        clock: Callable[[], float],
        sampled: Sampled = lambda *_: ((), ()),
    ) -> None:
        self._cluster, self._stream, self._recorder, self._clock = cluster, stream, recorder, clock
        self._name = f"celeriac@{cluster}.{opening.identity}"
        self._sampled = sampled
        self._state = ClusterState()
        self._state.restore(opening.incarnations, clock())
        self._seen = self._before = _begun(opening.stream, stream.condition(), clock())
        self._losses = self._seen.losses
        self._held: Flush | None = None
        self._echoes = self._failures = self._waiting_bytes = self._store_failures = 0
        self._heard_echo: int | None = None
        self._mark = stream.mark()
        self._on_its_way = False
        self._awake_at = self._echo_due_at = self._flush_due_at = self._word_due_at = clock()
        self._retry_at = self._retry_store_at = clock()
        self._connected_at: float | None = None

    def run(self, stopping: threading.Event, seen: Callable[[Stream], None] = lambda _: None) -> None:
        """Observe until told to stop, then store what is left; `seen` is told after each step how well we hear."""
        while not stopping.is_set():
            if not self.step():
                stopping.wait(RECEIVE_S)
            seen(self._seen)
        self._stop()
        seen(self._seen)

    def step(self) -> bool:
        """Store what is due, then echo, receive and fold; False means that the broker is away and a pause is in place."""
        now = self._awake()
        self._flush(now)
        return now >= self._retry_at and self._listen(self._clock())

    def _awake(self) -> float:
        """Return the time; a pause of our own since we last looked, wherever it struck, ends the flow."""
        now = self._clock()
        pause, self._awake_at = now - self._awake_at, now
        if pause > PAUSE_S:
            log.warning("the observer itself paused", cluster=self._cluster, seconds=round(pause, 1))
            self._note(flowing_since=None)
        return now

    # Hearing

    def _listen(self, now: float) -> bool:
        if self._full() and self._stream.condition().keeps:
            self._lose("memory is full while the store takes nothing; the broker keeps what comes")
            return False
        try:
            if now >= self._echo_due_at:
                self._echo_due_at = now + ECHO_EVERY_S
                self._send_echo(now)
            bodies = self._stream.receive(RECEIVE_S)
        except PortError as error:
            self._lose(str(error))
            return False
        self._awake()
        if bodies:
            self._take(bodies)
        self._connected(self._clock())
        return True

    def _full(self) -> bool:
        return self._waiting_bytes > MOST_BYTES or self._state.changed > self._state.max_tasks - AT_ONCE

    def _send_echo(self, now: float) -> None:
        event: dict[str, object] = {
            "type": ECHO,
            "hostname": self._name,
            "timestamp": now,
            "pid": os.getpid(),
            "clock": self._echoes + 1,
        }
        self._stream.send(event)
        self._echoes += 1

    def _take(self, bodies: list[bytes]) -> None:
        now, seen = self._clock(), self._seen
        self._state.closed = self._waiting_bytes > MOST_BYTES
        self._waiting_bytes += sum(map(len, bodies))
        events, malformed = decode(bodies)
        echoes = self._state.fold(events, now)
        heard = len(events) - len(echoes)
        self._note(
            events=seen.events + heard,
            malformed=seen.malformed + malformed,
            last_event_at=now if heard else seen.last_event_at,
        )
        for echo in echoes:
            self._hear_echo(echo, now)

    def _hear_echo(self, event: Event, now: float) -> None:
        if event.pid != os.getpid() or event.hostname != self._name:
            return
        lag = max(0.0, now - event.timestamp)
        # One sent before a pause proves nothing about the time since.
        since = self._seen.flowing_since or (now if lag <= PAUSE_S else None)
        missed = self._heard_echo is not None and event.clock > self._heard_echo + 1  # a full queue drops its oldest
        self._heard_echo = event.clock
        self._note(echo_at=now, lag_s=lag, flowing_since=since, gaps=self._seen.gaps + missed)

    def _connected(self, now: float) -> None:
        if self._connected_at is None:
            self._connected_at = now
            log.info("listening to the broker", cluster=self._cluster)
        if self._seen.error is not None:
            self._note(error=None)
        self._failures = 0
        late = now - max(self._seen.echo_at or 0.0, self._connected_at)
        if late > PAUSE_S and self._seen.flowing_since is not None:
            self._note(flowing_since=None)
        if late > DEAF_S and not self._stream.condition().backlog_bytes:
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
        self._connected_at = self._heard_echo = None
        self._note(error=why, flowing_since=None, reconnects=reconnects)

    # Storing

    def _flush(self, now: float) -> None:
        """Hand over what is due, and settle what is stored; an error leaves the batch to be handed over again."""
        try:
            if now < self._retry_store_at or self._recorder.busy():
                return
            self._settle()
            changed = self._state.changed
            if self._held or changed >= FLUSH_ROWS or now >= (self._flush_due_at if changed else self._word_due_at):
                self._hand_over(now)
        except PortError as error:
            self._keep(str(error), now)

    def _settle(self) -> None:
        """What was on its way is stored; when it was the last part of a flush, the broker may forget it."""
        held = self._held
        if held is None or not self._on_its_way:
            return
        held.store()
        self._on_its_way, self._store_failures = False, 0
        if not held.done:
            return
        self._held = None
        if self._seen.store_error is not None:
            log.info("the store takes everything again", cluster=self._cluster, dropped=self._state.dropped)
            self._note(store_error=None)
        try:
            self._stream.settle(held.mark)
        except PortError as error:  # it comes again
            self._lose(str(error))

    def _hand_over(self, now: float, *, last: bool = False) -> None:
        if self._held is None:
            before, self._mark = self._mark, self._stream.mark()
            last = last or self._state.changed > self._state.max_tasks // 2  # soon there would be no room
            tasks, lives = self._state.changes() if last else self._state.due()
            self._waiting_bytes = 0
            queues, loads = self._sampled(tasks, lives, self._seen.flowing_since)
            # Everything of before the last flush is in this one; of what came since, some is passed over.
            self._held = Flush(self._mark if last else before, tasks, lives, queues, loads)
        self._look_around(now)
        self._recorder.record(self._held.part(self._seen))
        self._on_its_way = True
        self._flush_due_at, self._word_due_at = now + FLUSH_EVERY_S, now + WORD_EVERY_S

    def _keep(self, why: str, now: float) -> None:
        """The batch was not stored: it is handed over again after a pause."""
        if why != self._seen.store_error:  # once, not with every try: the log may share the full disk
            log.error("the store takes nothing", cluster=self._cluster, why=why)
        self._on_its_way = False
        self._store_failures += 1
        self._retry_store_at = now + backoff(self._store_failures, cap=5.0)
        self._note(store_error=why)

    def _look_around(self, now: float) -> None:
        state, condition, before = self._state, self._stream.condition(), self._before
        lost_tasks = before.lost_tasks + state.missed
        self._note(
            observed_at=now,
            reader=condition.reader,
            unknown_types=before.unknown_types + state.unknown_types,
            task_events=before.task_events + state.task_events,
            sent_events=before.sent_events + state.sent_events,
            dropped=before.dropped + state.dropped,
            lost_tasks=lost_tasks,
            lost_events=lost_tasks * EVENTS_A_TASK,
            cuts=before.cuts + (0 if condition.keeps else condition.cuts),
            refused=before.refused + condition.refused,
            backlog_bytes=condition.backlog_bytes,
            rows=before.rows + self._recorder.written(),
        )
        losses, self._losses = self._losses, self._seen.losses
        if self._losses > losses:
            self._note(lost_at=now)

    def _stop(self) -> None:
        """Hand over what is left, and wait until it is stored; a store that is away is tried for a few seconds."""
        deadline, said = self._clock() + PAUSE_S, False
        while self._clock() < deadline:
            try:
                if self._recorder.busy(within=BREATH_S):
                    continue
                self._settle()
                if said and self._held is None and not self._state.changed:
                    break
                self._hand_over(self._clock(), last=True)
                said = True  # the last word is stored also when nothing has changed
            except PortError as error:
                self._keep(str(error), self._clock())
                time.sleep(BREATH_S)
        self._stream.close()
        self._recorder.close()

    def _note(self, **changes: object) -> None:
        self._seen = replace(self._seen, **changes)


def _begun(before: Stream | None, condition: Condition, now: float) -> Stream:
    if before is None:
        return Stream(observed_at=now, reader=condition.reader)
    return resumed(before, now, reader=condition.reader, kept=condition.keeps)
