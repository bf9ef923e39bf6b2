"""Lines of the audit trail on standard output or to syslog (RFC 5424), from a thread of their own: nobody waits for either.

What does not go is tried again for a while; of what then waits only so many lines are kept, and the log says once that lines are
lost, and how many when they go again.
"""

import contextlib
import fcntl
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

import structlog

from celeriac.access_ports import Trail
from celeriac.processes import backoff

WAITING_AT_MOST = 10_000
TIME_LIMIT_S = 5.0
CLOSE_S = 2.0
FIRST_PAUSE_S = 0.2

PRIORITY = 13 * 8 + 6
"""Facility 13, log audit; severity 6, informational."""

APP_NAME, MESSAGE_ID = "celeriac", "audit"
LONGEST_DATAGRAM = 8_192
"""Bytes that syslog servers take in one datagram without being told to."""

CUT = b" [cut]"

log = structlog.get_logger()


class Way(Protocol):
    """How one line goes; raises OSError where it does not."""

    def send(self, line: bytes) -> None:
        """Send a line whole."""

    def close(self) -> None:
        """Let go of what it holds."""


class TrailLines:
    """`Trail` over one way; a daemon thread sends, so that a way that stands still holds up nobody, not even the end."""

    def __init__(self, way: Way, *, waiting: int = WAITING_AT_MOST) -> None:
        self._way, self._most = way, waiting
        self._lines: deque[bytes] = deque()
        self._change = threading.Condition()
        self._lost, self._lost_since = 0, 0
        self._closing = False
        threading.Thread(target=self._run, name="audit-lines", daemon=True).start()

    @property
    def lost(self) -> int:
        """Return how many lines were not sent."""
        return self._lost

    def tell(self, line: bytes) -> None:
        """Hand over one line; it is lost if too many wait."""
        with self._change:
            full = len(self._lines) >= self._most
            if not full:
                self._lines.append(line.replace(b"\r", b" ").replace(b"\n", b" "))
                self._change.notify_all()
        if full:
            self._lose("too many lines wait to be sent")

    def close(self, within: float = CLOSE_S) -> None:
        """Wait so long for what is on its way, and end."""
        with self._change:
            self._change.wait_for(lambda: not self._lines, within)
            self._closing = True
            self._change.notify_all()

    def _run(self) -> None:
        failures = 0
        while (line := self._next()) is not None:
            try:
                self._way.send(line)
            except OSError as error:
                failures += 1
                if failures == 1:
                    log.warning("audit lines do not go, and are tried again", why=str(error))
                self._pause(backoff(failures, first=FIRST_PAUSE_S))
                continue
            failures = 0
            self._sent()
        self._way.close()

    def _next(self) -> bytes | None:
        """Return the oldest line that waits, as soon as there is one, and leave it there; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._lines or self._closing)
            return None if self._closing else self._lines[0]

    def _sent(self) -> None:
        with self._change:
            self._lines.popleft()
            self._change.notify_all()
            lost = 0 if self._lines else self._lost_since  # said once it has caught up, not with each line between
            self._lost_since -= lost
        if lost:
            log.warning("audit lines go again; some were lost here, and are in the store alone", lost=lost)

    def _pause(self, seconds: float) -> None:
        with self._change:
            self._change.wait_for(lambda: self._closing, seconds)

    def _lose(self, why: str) -> None:
        with self._change:
            self._lost += 1
            self._lost_since += 1
            first = self._lost_since == 1
        if first:
            log.warning("audit lines are lost here, and are in the store alone", why=why)


class Output:
    """Standard output, or another descriptor: a line is one write, and whole also where processes share a pipe."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor

    def send(self, line: bytes) -> None:
        """Write one line; the kernel keeps only short ones together (PIPE_BUF)."""
        with self._alone():
            self._write(line + b"\n")

    def close(self) -> None:
        """It is not ours to close."""

    def _write(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody has set it so, and it is full
                select.select([], [self._descriptor], [], TIME_LIMIT_S)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep our other processes away; where a descriptor knows no locks, a long line may be parted."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


class Datagrams:
    """Syslog over UDP (RFC 5426): a line too long for it is cut, with a mark."""

    def __init__(self, host: str, port: int = 514) -> None:
        self._host, self._port = host, port
        self._socket: socket.socket | None = None

    def send(self, line: bytes) -> None:
        """Send one line; that it arrives is not known."""
        if self._socket is None:
            self._socket = self._connected()
        try:
            self._socket.send(_cut(message(line)))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        found = socket.socket(family, kind, protocol)
        found.settimeout(TIME_LIMIT_S)
        try:
            found.connect(address)
        except OSError:
            found.close()
            raise
        return found


class Stream:
    """Syslog over TCP (RFC 6587): each message stands behind its length."""

    def __init__(self, host: str, port: int = 514) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def send(self, line: bytes) -> None:
        """Send one line; a server that has gone is connected to anew."""
        whole = message(line)
        if self._socket is not None and _ended(self._socket):
            self.close()
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, TIME_LIMIT_S)
            self._socket.sendall(b"%d %b" % (len(whole), whole))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def message(line: bytes) -> bytes:
    """Return a line as a message of RFC 5424, of this moment and this process."""
    at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    host = "".join(sign for sign in socket.gethostname() if "!" <= sign <= "~")[:255] or "-"
    head = f"<{PRIORITY}>1 {at} {host} {APP_NAME} {os.getpid()} {MESSAGE_ID} - "
    return head.encode() + line


def _cut(whole: bytes) -> bytes:
    if len(whole) <= LONGEST_DATAGRAM:
        return whole
    return whole[: LONGEST_DATAGRAM - len(CUT)].decode("utf-8", "ignore").encode() + CUT


def _ended(connection: socket.socket) -> bool:
    """Tell whether the server has closed it: what is sent then is lost without an error."""
    connection.setblocking(False)
    try:
        return connection.recv(1024) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(TIME_LIMIT_S)


def stdout() -> TrailLines:
    """Return the trail on standard output."""
    return TrailLines(Output())


def syslog(host: str, port: int, *, tcp: bool) -> TrailLines:
    """Return the trail to a syslog server."""
    return TrailLines(Stream(host, port) if tcp else Datagrams(host, port))


def _fits(one: TrailLines) -> Trail:
    """Let the type checker prove that the class fits its port."""
    return one
