"""The recorder in a process of its own: what is folded here is written there, so neither waits for the other's core.

One Unix socket between the two, in a directory that only this user can enter; each frame is one batch in MessagePack, each
answer says that it is stored or why not. A writer that ends is started again, and the batch is handed over again.
"""

import contextlib
import os
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from celeriac.core.errors import PortError, UnreachableError
from celeriac.core.retention import Retention
from celeriac.ports import Batch, Opening, Recorder
from celeriac.processes import Child, spawn

START_S = 30.0
ANSWER_S = 60.0
SEND_S = 10.0
STOP_S = 5.0
TIDY_EVERY_S = 1.0


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
        self._asked_at: float | None = None
        self._rows = 0
        self._encode = msgspec.msgpack.Encoder().encode

    def open(self) -> Opening:
        """Start the writer if need be, and return what it found."""
        if self._link is None:
            self._start()
        answer = self._exchange(self._encode(self._job), START_S)
        if answer.opening is None:
            raise UnreachableError(answer.error or "the writer did not open the store")
        return answer.opening

    def record(self, batch: Batch) -> None:
        """Hand over one batch; a writer that has ended is started again first."""
        if self._link is None:
            self.open()
        self._send(self._encode(batch))
        self._asked_at = time.monotonic()

    def busy(self, within: float = 0.0) -> bool:
        """Tell whether the last batch is still on its way after so many seconds."""
        if self._asked_at is None:
            return False
        if not self._arrived(within):
            if time.monotonic() - self._asked_at > ANSWER_S:
                self._drop()
                raise UnreachableError(f"the writer has not answered for {ANSWER_S:.0f} s; it is started again")
            return True
        self._asked_at = None
        answer = self._receive()
        if answer.error is not None:
            raise UnreachableError(answer.error)
        self._rows += answer.rows
        return False

    def written(self) -> int:
        """Return how many rows of tasks were written so far."""
        return self._rows

    def close(self) -> None:
        """Wait a bounded time for the batch that is on its way, and end the writer."""
        if self._asked_at is not None:
            with contextlib.suppress(PortError):
                self.busy(STOP_S)
        if self._link is not None:
            self._link.close()  # the end of the file tells it to end
            self._link = None
        if self._child is not None:
            with contextlib.suppress(Exception):
                self._child.wait(STOP_S)
        self._drop()

    @property
    def pid(self) -> int | None:
        """Return the writer's process id while it runs."""
        return self._child.pid if self._child else None

    def _start(self) -> None:
        with tempfile.TemporaryDirectory(prefix="celeriac-") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = str(Path(folder) / "writer")
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.2)
            self._child = spawn(self._argv(path), name="writer")
            accepted = self._accept(listener)
        accepted.settimeout(None)
        seconds = struct.pack("ll", int(SEND_S), 0)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        self._link = Connection(accepted.detach())

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
        self._send(frame)
        if not self._arrived(within):
            self._drop()
            raise UnreachableError(f"the writer has not answered for {within:.0f} s")
        return self._receive()

    def _send(self, frame: bytes) -> None:
        try:
            self._linked().send_bytes(frame)
        except OSError:
            raise self._ended() from None

    def _arrived(self, within: float) -> bool:
        try:
            return self._linked().poll(within)
        except OSError:
            raise self._ended() from None

    def _receive(self) -> Answer:
        try:
            return msgspec.msgpack.decode(self._linked().recv_bytes(), type=Answer)
        except (OSError, EOFError):
            raise self._ended() from None

    def _linked(self) -> Connection:
        if self._link is None:
            raise UnreachableError("the writer's process is not there")
        return self._link

    def _ended(self) -> UnreachableError:
        self._drop()
        return UnreachableError("the writer's process has ended; it is started again")

    def _drop(self) -> None:
        self._asked_at = None
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
            while _tidied(writing, clock()) and not link.poll(0):
                pass


def _opened(link: Connection, start: Callable[[Job], Writing], encode: Callable[[object], bytes]) -> Writing:
    """Open the store that the job names, as often as it is asked for."""
    while True:
        job = msgspec.msgpack.decode(link.recv_bytes(), type=Job)
        try:
            writing = start(job)
            opening = writing.opening()
        except PortError as error:
            link.send_bytes(encode(Answer(error=str(error))))
        else:
            link.send_bytes(encode(Answer(opening=opening)))
            return writing


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
