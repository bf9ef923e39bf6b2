"""Work for the app of `late_orders`, sent all the time from a thread, and the account of what became of each task."""

import contextlib
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import redis
from celery import Celery

from live_cluster import LiveCluster

QUICK_S, MEDIUM_S = 0.02, 1.0
PAUSE_S = 0.05


@dataclass(frozen=True)
class Run:
    """One run of a task, as its worker recorded it at its beginning or at its end; times are seconds since the epoch."""

    id: str
    node: str
    seconds: float
    at: float


@dataclass
class Load:
    """Sends tasks until told to stop, mostly quick ones, and some that take `longest_s` seconds."""

    cluster: LiveCluster
    longest_s: float = MEDIUM_S
    sent: list[str] = field(default_factory=list)
    last_at: float = 0.0
    trouble: list[Exception] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._celery = Celery(broker=self.cluster.broker, backend=self.cluster.results, set_as_current=False)
        self._records = redis.Redis(port=self.cluster.redis_port, db=2, socket_timeout=5)
        self._broker = redis.Redis(port=self.cluster.redis_port, db=0, socket_timeout=5)
        self._results = redis.Redis(port=self.cluster.redis_port, db=1, socket_timeout=5)
        self._thread = threading.Thread(target=self._send_or_tell, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a sender that failed meanwhile fails the test."""
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the sender hangs"
        assert self.trouble == []

    def begun(self) -> list[Run]:
        return self._recorded("begun")

    def done(self) -> list[Run]:
        return self._recorded("done")

    def unfinished(self) -> list[str]:
        """Return the tasks sent that have not ended with SUCCESS, by their own record and by Celery's result backend."""
        done, sent = {one.id for one in self.done()}, list(self.sent)
        results = self._results.mget([f"celery-task-meta-{one}" for one in sent])
        well = {
            id for id, result in zip(sent, results, strict=True) if result and json.loads(result)["status"] == "SUCCESS"
        }
        return [one for one in sent if one not in done or one not in well]

    def traces(self) -> str:
        """Tell of each unfinished task what is known: its runs, its result, its message, and what Celeriac heard of it."""
        queue = [json.loads(one)["headers"]["id"] for one in self._broker.lrange("orders", 0, -1)]
        unacked = [json.loads(one)[0]["headers"]["id"] for one in self._broker.hvals("unacked")]
        told = []
        for id in self.unfinished():
            runs = [one for one in (*self.begun(), *self.done()) if one.id == id]
            result, heard = (
                self._results.get(f"celery-task-meta-{id}"),
                self.cluster.client.tasks(search=id, limit=5).items,
            )
            where = f"in the queue {queue.count(id)} times, unacknowledged {unacked.count(id)} times"
            told.append(f"{id}: {where}\n  runs: {runs}\n  result: {result}\n  heard: {heard}")
        return "\n".join(told)

    def twice(self) -> list[str]:
        """Return the tasks that were begun more than once."""
        return [id for id, times in Counter(one.id for one in self.begun()).items() if times > 1]

    def _send_or_tell(self) -> None:
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 (it is told to the thread that stops it)
            self.trouble.append(error)

    def _send(self) -> None:
        for number in itertools.count(1):
            seconds = self.longest_s if number % 100 == 0 else MEDIUM_S if number % 20 == 0 else QUICK_S
            self._celery.send_task("late.work", (seconds,), queue="orders", task_id=f"order-{number}")
            self.sent.append(f"order-{number}")
            self.last_at = time.time()
            if self._stopping.wait(PAUSE_S):
                return

    def _recorded(self, what: str) -> list[Run]:
        return [Run(**json.loads(one)) for one in self._records.lrange(what, 0, -1)]


@contextlib.contextmanager
def load_on(cluster: LiveCluster, longest_s: float = MEDIUM_S) -> Iterator[Load]:
    """Send tasks until the block ends."""
    load = Load(cluster, longest_s)
    try:
        yield load
    finally:
        load.stop()
