"""Writes what a monitor could see of a cluster while it is broken: a recording, as `docs/reference/recordings.md` has it.

It listens, pings and samples by itself and asks Celeriac nothing but the pids. Workers are called by their node names: two
lives of one place are two workers.
"""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from amqp.exceptions import AMQPError, NotFound
from celery import Celery
from celery.events.event import get_exchange
from kombu import Connection, Consumer, Queue
from kombu.exceptions import OperationalError

from celeriac.adapters.cloudfoundry import Session
from celeriac.core.errors import PortError
from faults.processes import process

PING_S, SAMPLE_S, LOGS_S = 4.0, 2.0, 0.5
CLEANUP = "cleanup begins"
_EXIT = "Exit status "
_SIGNALLED = 128
_TROUBLE = (OperationalError, OSError, redis.RedisError, AMQPError)


class Recorder:
    """Records one cluster into one file from now on, until `close`."""

    def __init__(
        self, path: Path, broker: str, session: Session, apps: list[str], pids: Callable[[], dict[str, int]]
    ) -> None:
        self._out = path.open("w", encoding="utf-8")
        self._broker, self._session, self._apps, self._pids = broker, session, apps, pids
        self._lock, self._begun = threading.Lock(), time.time()
        self._stopping = threading.Event()
        self._app = Celery("recorder", broker=broker, set_as_current=False)
        self._app.conf.update(broker_connection_timeout=2)
        self._redis = redis.Redis.from_url(broker, socket_timeout=2) if broker.startswith("redis") else None
        self._read_to: dict[str, int] = {}
        jobs = ((self._listen, 0.5), (self._ping, PING_S), (self._sample, SAMPLE_S), (self._read_logs, LOGS_S))
        self._threads = [threading.Thread(target=self._again, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def mark(self, what: str, **more: object) -> None:
        """Write down what is done to whom."""
        self._write("mark", what=what, **more)

    def close(self) -> None:
        """Say that from here on things are tidied up, and end."""
        self.mark(CLEANUP)
        self._stopping.set()
        for thread in self._threads:
            thread.join(5)
        self._app.close()
        with self._lock:
            self._out.close()

    def _write(self, kind: str, **fields: object) -> None:
        wall = time.time()
        line = {"t": round(wall - self._begun, 3), "wall": round(wall, 6), "kind": kind, **fields}
        with self._lock:
            if not self._out.closed:
                self._out.write(json.dumps(line) + "\n")

    def _again(self, job: Callable[[], None], every_s: float) -> None:
        while not self._stopping.wait(every_s):
            with contextlib.suppress(*_TROUBLE, PortError):  # it is broken on purpose
                job()

    def _listen(self) -> None:
        """Write each event as it came, until the connection ends."""
        with Connection(self._broker, connect_timeout=2) as connection:
            queue = Queue(
                f"recorder.{self._begun}",
                exchange=get_exchange(connection),
                routing_key="#",
                auto_delete=True,
                durable=False,
            )
            with Consumer(connection, [queue], callbacks=[self._hear], accept=["json"], no_ack=True):
                self.mark("event receiver connected")
                while not self._stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        connection.drain_events(timeout=1)

    def _hear(self, body: Any, message: Any) -> None:
        several = isinstance(body, list)
        told = {
            "rk": message.delivery_info.get("routing_key"),
            "hdr_hostname": (message.headers or {}).get("hostname"),
            "batch": len(body) if several else 0,
        }
        for event in body if several else [body]:
            self._write("event", **told, event=event)

    def _ping(self) -> None:
        begun = time.monotonic()
        try:
            reply = self._app.control.inspect(timeout=1).ping()
        except _TROUBLE as error:
            self._write("ping", took=round(time.monotonic() - begun, 3), error=repr(error))
        else:
            self._write("ping", took=round(time.monotonic() - begun, 3), reply=reply)

    def _sample(self) -> None:
        procs = {node: seen for node, pid in self._pids().items() if (seen := process(pid))}
        try:
            queue = self._redis_queue(self._redis) if self._redis else self._amqp_queue()
        except _TROUBLE as error:
            queue = {"error": repr(error)}
        self._write("sample", procs=procs, queue=queue)

    @staticmethod
    def _redis_queue(client: redis.Redis) -> dict[str, int]:
        clients = client.client_list()
        return {
            "llen_celery": client.llen("celery"),
            "unacked": client.hlen("unacked"),
            "unacked_index": client.zcard("unacked_index"),
            "brpop_clients": sum(one["cmd"] == "brpop" for one in clients),
            "pubsub_clients": sum(one["cmd"] in {"psubscribe", "subscribe"} for one in clients),
            "clients": len(clients),
            "omem_max": max((int(one["omem"]) for one in clients), default=0),
        }

    def _amqp_queue(self) -> dict[str, int]:
        """RabbitMQ tells what waits, of a queue that is there; what is on its way AMQP does not tell."""
        with Connection(self._broker, connect_timeout=2) as connection:
            try:
                declared = connection.default_channel.queue_declare("celery", passive=True)
            except NotFound:
                return {}
        return {"llen_celery": declared.message_count}

    def _read_logs(self) -> None:
        """Write new lines of workers, and of each that has ended how it ended: the platform's log has both."""
        base = self._session.link("log_cache")
        for app in self._apps:
            start = self._read_to.get(app, 0)
            answer = self._session.get_from(
                base, f"/api/v1/read/{app}", start_time=start, limit=1000, envelope_types="LOG"
            )
            for one in answer["envelopes"]["batch"]:
                self._read_to[app] = int(one["timestamp"]) + 1
                self._take_log(one)

    def _take_log(self, envelope: dict[str, Any]) -> None:
        tags = envelope["tags"]
        if not tags["source_type"].startswith("APP"):
            return
        worker = f"w{tags['instance_id']}@{tags.get('process_instance_id', '')}"
        line = base64.b64decode(envelope["log"]["payload"]).decode(errors="replace").rstrip()
        if line.startswith(_EXIT):
            status = int(line.removeprefix(_EXIT).split()[0])
            self._write("exit", worker=worker, rc=_SIGNALLED - status if status > _SIGNALLED else status)
        else:
            self._write("log", worker=worker, line=line)
