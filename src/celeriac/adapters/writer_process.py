"""The recorder in a process of its own: what is folded here is written there, so neither waits for the other's core.

One Unix socket between the two, in a directory that only this user can enter; each frame is one batch in MessagePack, each
answer says that it is stored or why not. A writer that ends is started again, and the batch is handed over again. A thread
hands over and waits: a writer that stands still or has to be started does not hold up whoever listens to the broker.
"""

import contextlib
import os
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Protocol

import msgspec
from msgspec import Struct

from celeriac.core.errors import PortError, UnreachableError
from celeriac.core.retention import Retention
from celeriac.ports import Batch, Opening, Recorder
from celeriac.processes import Child, spawn

START_S = 30.0
ANSWER_S = 60.0
STOP_S = 5.0
TIDY_EVERY_S = 1.0
TIDY_S = 0.1
"""Upkeep gets so much time after each batch while there is any: else a flood would end it, and fill the disk."""


class Job(Struct, frozen=True):
    """What a writer is told first."""

    database: str
    payloads: str
    secret_words: tuple[str, ...] = ()
    retention: Retention = Retention()
    migrate: bool = False
    """Whether it may bring the schema up to date itself."""


class Answer(Struct, frozen=True):
    """What a writer says of the frame before: rows written, or why nothing is stored."""

    rows: int = 0
    error: str | None = None
    opening: Opening | None = None


_answer = msgspec.msgpack.Decoder(Answer).decode


class Writing(Protocol):
    """What the writer's process does with a store."""

    def opening(self) -> Opening:
        """Return what an observer takes up; raises UnreachableError if the store cannot be used."""

    def record(self, batch: Batch) -> int:
        """Store one batch, all or nothing, and return the number of rows written."""

    def tidy(self, now: float) -> bool:
        """Do one short piece of upkeep; False if there is nothing to do now."""


class WriterProcess:
    """`Recorder` over a child process; `argv` starts it, given the path of our socket."""

    def __init__(self, job: Job, argv: Callable[[str], Sequence[str]]) -> None:
        self._job, self._argv = job, argv
        self._child: Child | None = None
        self._link: Connection | None = None
        self._ready = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._stored: Future[Answer] | None = None
        self._rows = 0
        self._encode = msgspec.msgpack.Encoder().encode

    def open(self) -> Opening:
        """Start the writer if need be, and return what it found."""
        return self._thread.submit(self._opening).result()

    def record(self, batch: Batch) -> None:
        """Hand over one batch; a writer that has ended is started again first."""
        self._stored = self._thread.submit(self._deliver, self._encode(batch))

    def busy(self, within: float = 0.0) -> bool:
        """Tell whether the last batch is still on its way after so many seconds."""
        if self._stored is None:
            return False
        if not self._stored.done() and not wait([self._stored], within).done:
            return True
        stored, self._stored = self._stored, None
        self._rows += stored.result().rows
        return False

    def written(self) -> int:
        """Return how many rows of tasks were written so far."""
        return self._rows

    def close(self) -> None:
        """Wait a bounded time for the batch that is on its way, and end the writer."""
        if self._stored is not None:
            wait([self._stored], STOP_S)
            if not self._stored.done() and (child := self._child):
                child.kill()  # the thread notices
        self._thread.shutdown()
        if self._link is not None:
            self._link.close()  # the end of the file tells it to end
            self._link = None
        if self._child is not None:
            with contextlib.suppress(TimeoutExpired):
                self._child.wait(STOP_S)
        self._drop()

    @property
    def pid(self) -> int | None:
        """Return the writer's process id while it runs."""
        child = self._child
        return child.pid if child else None

    # In the thread

    def _deliver(self, frame: bytes) -> Answer:
        if not self._ready:
            self._opening()
        answer = self._exchange(frame, ANSWER_S)
        if answer.error is not None:
            raise UnreachableError(answer.error)
        return answer

    def _opening(self) -> Opening:
        if self._link is None:
            self._start()
        answer = self._exchange(self._encode(self._job), START_S)
        if answer.opening is None:
            raise UnreachableError(answer.error or "the writer did not open the store")
        self._ready = True
        return answer.opening

    def _start(self) -> None:
        try:
            self._link = self._connected()
        except OSError as error:  # no room for the socket, no process left: the store is as good as away
            self._drop()
            raise UnreachableError(f"the writer's process cannot be started: {error}") from error

    def _connected(self) -> Connection:
        with tempfile.TemporaryDirectory(prefix="celeriac-") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = str(Path(folder) / "writer")
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.2)
            self._child = spawn(self._argv(path), name="writer")
            accepted = self._accept(listener)
        accepted.settimeout(None)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(ANSWER_S), 0))
        return Connection(accepted.detach())

    def _accept(self, listener: socket.socket) -> socket.socket:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                return listener.accept()[0]
            if self._child is None or self._child.poll() is not None:
                break
        self._drop()
        raise UnreachableError("the writer's process did not start; its own message is in the log")

    def _exchange(self, frame: bytes, within: float) -> Answer:
        """Send one frame and return the answer; what goes wrong ends the writer, so that the next one begins anew."""
        try:
            if self._link is None:
                raise EOFError
            self._link.send_bytes(frame)
            if self._link.poll(within):
                return _answer(self._link.recv_bytes())
        except BlockingIOError:
            pass  # it does not read either
        except (OSError, EOFError):
            self._drop()
            raise UnreachableError("the writer's process has ended; it is started again") from None
        self._drop()
        raise UnreachableError(f"the writer has not answered for {within:.0f} s; it is started again")

    def _drop(self) -> None:
        self._ready = False
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


def serve(path: str, start: Callable[[Job], Writing], clock: Callable[[], float]) -> None:
    """Be the writer: take frames from the observer's socket until it closes."""
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect(path)
        link = Connection(os.dup(connecting.fileno()))
    encode = msgspec.msgpack.Encoder().encode
    with link, contextlib.suppress(EOFError, OSError):
        writing = _opened(link, start, encode)
        decode = msgspec.msgpack.Decoder(Batch).decode
        while True:
            if link.poll(TIDY_EVERY_S):
                link.send_bytes(encode(_stored(writing, decode(link.recv_bytes()))))
            begun = time.monotonic()
            while _tidied(writing, clock()) and (time.monotonic() - begun < TIDY_S or not link.poll(0)):
                pass


def _opened(link: Connection, start: Callable[[Job], Writing], encode: Callable[[object], bytes]) -> Writing:
    """Open the store that the job names, as often as it is asked for."""
    job = msgspec.msgpack.Decoder(Job).decode
    writing = start(job(link.recv_bytes()))
    while True:
        try:
            link.send_bytes(encode(Answer(opening=writing.opening())))
        except PortError as error:
            link.send_bytes(encode(Answer(error=str(error))))
        else:
            return writing
        job(link.recv_bytes())  # the same again


def _stored(writing: Writing, batch: Batch) -> Answer:
    try:
        return Answer(rows=writing.record(batch))
    except PortError as error:
        return Answer(error=str(error))


def _tidied(writing: Writing, now: float) -> bool:
    try:
        return writing.tidy(now)
    except PortError:  # the next batch says so, and what is left over is done later
        return False


def _fits(recorder: WriterProcess) -> Recorder:
    """Let the type checker prove that the class fits its port."""
    return recorder
