"""How long an event is on its way into the store: from its making until another program can read its task there."""

import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from benchmarks import brokers, observer
from benchmarks.bench import Bench
from benchmarks.generator import Sender, connect, ready, write
from benchmarks.lives import make_uuid, node
from benchmarks.measures import percentile
from benchmarks.rows.paced import judged
from benchmarks.table import Bar, Figure, Kind

EVERY_S = 0.05
WORKER = 900
"""The probes come from a worker of their own, whose clock is its own."""


def after(bench: Bench) -> Iterator[Figure]:
    """Send at half the highest rate, and beside it a task with the time of now every 50 ms."""
    rate = bench.top_rate / 2 if bench.top_rate else bench.size.durable_rate
    with (
        bench.corpora.paced(rate, bench.size.pace_s) as segments,
        bench.room() as room,
        brokers.redis(room) as url,
        observer.running(url, room / "store", room) as ours,
        observer.reading(ours.store) as connection,
        ready(url, segments, rate) as generator,
    ):
        probes = _Probes(connect(url))
        start = generator.start()
        while generator.sending():
            probes.step(connection)
        sent = generator.sent()
        probes.wait(connection)
        count, until = ours.settle(sent.events + probes.number)
    flaw = judged(bench.size, sent, rate, count - probes.number, until - start - sent.seconds) or probes.flaw()
    bench.say(
        f"durable: at {rate:,.0f} events/s {len(probes.ages)} probes, median {percentile(probes.ages, 0.5):.2f} s"
    )
    yield Figure(
        f"an event is durable after at most, at {rate:,.0f} events/s",
        "s",
        Bar(Kind.MOST, 1, aim=0.5),
        (max(probes.ages),) if probes.ages else (),
        flaw=flaw,
        no_flower="never" if bench.flower else "",
    )


@dataclass
class _Probes:
    """Tasks whose way is watched; `ages` are the seconds from an event's making until its task could be read."""

    sender: Sender
    number: int = 0
    ages: list[float] = field(default_factory=list)
    _waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    _chance: Random = field(default_factory=lambda: Random(0))  # noqa: S311 (no secret is drawn)

    def step(self, connection: sqlite3.Connection) -> None:
        """Send a probe if one is due, and look for those that are under way."""
        if time.time() - (self._waiting[-1][0] if self._waiting else 0.0) >= EVERY_S:
            self._send()
        self._look(connection)
        time.sleep(0.005)

    def wait(self, connection: sqlite3.Connection) -> None:
        """Wait for those that are still under way, for some seconds."""
        deadline = time.monotonic() + 10
        while self._waiting and time.monotonic() < deadline:
            self._look(connection)
            time.sleep(0.005)

    def flaw(self) -> str:
        return f"{len(self._waiting)} of {self.number} probes never came" if self._waiting else ""

    def _send(self) -> None:
        self.number += 1
        uuid, at = make_uuid(self._chance), time.time()
        text = (
            f'[{{"hostname": "{node(WORKER)}", "utcoffset": 0.0, "pid": 1, "clock": {self.number}, "uuid": "{uuid}", '
            f'"name": "bench.probe", "args": "()", "kwargs": "{{}}", "root_id": "{uuid}", "parent_id": null, "retries": 0, '
            f'"eta": null, "expires": null, "timestamp": {at!r}, "type": "task-received"}}]'
        )
        write(self.sender, self.sender.wire.encode("task.multi", node(WORKER), text))
        self._waiting.append((at, bytes.fromhex(uuid.replace("-", ""))))

    def _look(self, connection: sqlite3.Connection) -> None:
        """Probes are stored in the order of their sending, so the oldest one is asked for."""
        with suppress(sqlite3.OperationalError):
            newest = observer.partitions(connection)[:2]
            while self._waiting and any(_holds(connection, id, self._waiting[0][1]) for id in newest):
                self.ages.append(time.time() - self._waiting.popleft()[0])


def _holds(connection: sqlite3.Connection, partition: int, key: bytes) -> bool:
    query = f"SELECT 1 FROM tasks_{partition} WHERE key = ?"  # noqa: S608 (a number of the store's own)
    return connection.execute(query, (key,)).fetchone() is not None
