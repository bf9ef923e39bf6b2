"""Sends a corpus to a broker as fast as it takes it, or paced, in a process of its own: one raw socket, nothing waited for.

.venv/bin/python -m benchmarks.generator redis://127.0.0.1:6379/0 --tasks 10000 --rate 2000
"""

import argparse
import contextlib
import json
import multiprocessing
import select
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import amqp

from benchmarks.corpus import EVENTS_A_TASK, Recipe, Segment, build, place
from benchmarks.lives import node, worker_event
from benchmarks.wire import EXCHANGE, AmqpWire, RedisWire, Wire

BEAT_EVERY_S = 2.0
STUCK_S = 30.0


@dataclass(frozen=True)
class Sent:
    """What was sent. `unheard` counts PUBLISHes that Redis gave to nobody: a subscriber was cut off by then."""

    tasks: int
    events: int
    worker_events: int
    seconds: float
    began_at: float
    unheard: int = 0

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Sender(Protocol):
    """A connection to a broker that takes ready-made bytes."""

    wire: Wire
    socket: socket.socket
    unheard: int

    def take(self, data: bytes) -> None:
        """Take up what the broker has answered."""

    def finish(self, messages: int) -> None:
        """Return when the broker has handed out all that was sent."""


class RedisSender:
    """Counts the replies: each says how many subscribers the message went to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.wire: Wire = RedisWire(int(parts.path.strip("/") or 0))
        self.socket = socket.create_connection((parts.hostname, parts.port or 6379), timeout=STUCK_S)
        self.unheard = self._replies = 0
        self._rest = b""

    def take(self, data: bytes) -> None:
        lines, _, self._rest = (self._rest + data).rpartition(b"\r\n")
        lines += b"\r\n" if lines else b""
        if b"-" in lines:
            message = f"Redis refuses: {lines[:200]!r}"
            raise ConnectionError(message)
        self._replies += lines.count(b"\r\n")
        self.unheard += lines.count(b":0\r\n")

    def finish(self, messages: int) -> None:
        while self._replies < messages:
            if not select.select([self.socket], [], [], STUCK_S)[0]:
                raise TimeoutError("Redis does not answer")
            self.take(self.socket.recv(1 << 18))


class AmqpSender:
    """py-amqp shakes hands; the bytes after that are ours."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.wire: Wire = AmqpWire()
        self.unheard = 0
        self._connection = amqp.Connection(
            f"{parts.hostname}:{parts.port or 5672}",
            userid=parts.username or "guest",
            password=parts.password or "guest",
            virtual_host=unquote(parts.path[1:]) or "/",
            heartbeat=0,
            connect_timeout=STUCK_S,
        )
        self._connection.connect()
        self._channel = self._connection.channel(1)
        self._declare()
        self.socket = self._connection.transport.sock

    def take(self, data: bytes) -> None:
        message = f"RabbitMQ speaks out of turn: {data[:200]!r}"
        raise ConnectionError(message)

    def finish(self, messages: int) -> None:  # noqa: ARG002 (RabbitMQ answers in order, so one answer stands for all)
        self.socket.setblocking(True)
        self._declare()
        self._connection.close()

    def _declare(self) -> None:
        self._channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)


def connect(url: str) -> Sender:
    """Return a sender for this broker."""
    sender: Sender = RedisSender(url) if url.startswith("redis") else AmqpSender(url)
    sender.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sender.socket.setblocking(False)
    return sender


def write(sender: Sender, data: bytes | memoryview) -> None:
    """Write all of it, and take up answers as they come, so that neither side ever waits for the other."""
    left = memoryview(data)
    while left:
        readable, writable, _ = select.select([sender.socket], [sender.socket], [], STUCK_S)
        if not readable and not writable:
            raise TimeoutError("the broker takes nothing")
        if readable:
            answer = sender.socket.recv(1 << 18)
            if not answer:
                raise ConnectionError("the broker closed the connection")
            sender.take(answer)
        if writable:
            with contextlib.suppress(BlockingIOError):
                left = left[sender.socket.send(left[: 1 << 18]) :]


def send(sender: Sender, segments: Sequence[Segment], rate: float = 0.0) -> Sent:
    """Send the segments at so many events a second (0: as fast as the broker takes them), and heartbeats beside them."""
    workers = segments[0].workers
    events = messages = beats = 0

    def all_say(type_: str) -> None:
        nonlocal beats
        for worker in range(workers):
            text = worker_event(type_, worker, clock=events + 2, processed=events // 3 // workers)
            write(sender, sender.wire.encode(type_.replace("-", "."), node(worker), text))
        beats += workers

    all_say("worker-online")
    began_at, start = time.time(), time.perf_counter()
    beat_at = start + BEAT_EVERY_S
    for segment in segments:
        for data, held, more in segment.read():
            if rate:
                time.sleep(max(0.0, start + events / rate - time.perf_counter()))
            if time.perf_counter() >= beat_at:
                beat_at += BEAT_EVERY_S
                all_say("worker-heartbeat")
            write(sender, data)
            messages, events = messages + held, events + more
    seconds = time.perf_counter() - start
    all_say("worker-heartbeat")
    sender.finish(messages + beats)
    return Sent(sum(one.tasks for one in segments), events, beats, seconds, began_at, sender.unheard)


class Generator:
    """A process that has everything ready; `start` lets it go, `sent` waits until all is sent."""

    def __init__(self, process: multiprocessing.process.BaseProcess, pipe: Connection) -> None:
        self._process, self._pipe = process, pipe

    def start(self) -> float:
        """Let it send; returns the time by the monotonic clock."""
        self._pipe.send("go")
        return time.perf_counter()

    def sending(self) -> bool:
        """Tell whether it still sends."""
        return not self._pipe.poll()

    def sent(self) -> Sent:
        """Wait until all is sent, and return what that was."""
        result = self._pipe.recv()
        if isinstance(result, Exception):
            raise result
        return result


@contextlib.contextmanager
def ready(url: str, segments: Sequence[Segment], rate: float = 0.0) -> Iterator[Generator]:
    """Have a generator connected to this broker; it ends with the block."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_send_when_told, args=(theirs, url, list(segments), rate), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield Generator(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def _send_when_told(pipe: Connection, url: str, segments: Sequence[Segment], rate: float) -> None:
    sender = connect(url)
    pipe.send("ready")
    pipe.recv()
    try:
        pipe.send(send(sender, segments, rate))
    except (OSError, ConnectionError) as error:
        pipe.send(error)


def main() -> None:
    """Encode and send what the command line asks for, and print what was sent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="redis://host:port/db or amqp://user:password@host:port/vhost")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="events a second; 0 is as fast as the broker takes them"
    )
    parser.add_argument("--profile", default=None, help="single, redis, rabbitmq or full")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    broker = "redis" if wanted.url.startswith("redis") else "rabbitmq"
    pace = wanted.rate / EVENTS_A_TASK or 2_000.0
    profile = wanted.profile or broker
    recipe = Recipe(broker, profile, wanted.tasks, pace, wanted.seed, time.time(), wanted.workers)
    with tempfile.TemporaryDirectory(dir=place()) as folder:
        sent = send(connect(wanted.url), [build(recipe, Path(folder) / "events")], wanted.rate)
    json.dump(asdict(sent), sys.stdout)
    print()


if __name__ == "__main__":
    main()
