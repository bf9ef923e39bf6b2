"""A thread that empties a socket into memory, so that Redis never sees a slow subscriber."""

import queue
import socket
import threading
import time
from contextlib import suppress

CHUNK = 1 << 20
ROOM_S = 1.0
JOIN_S = 5.0
BURST = 2 << 20
BREATH_S = 0.01
BREATHS = 50
PING = b"*1\r\n$4\r\nPING\r\n"


class Drain:
    """What a connected socket receives, up to `bound` bytes; beyond that it is not read, and Redis will cut it off.

    Silence of as many seconds as the socket's own time limit is answered with a PING; another such silence ends the
    connection. The thread alone uses the socket, since TLS cannot be read and written at once; it ends with the
    connection or with `close`.
    """

    def __init__(self, sock: socket.socket, *, bound: int) -> None:
        self._socket, self._bound = sock, bound
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._room = threading.Event()
        self._closing = False
        # One thread writes each of these: a sum that both wrote would lose counts.
        self._received = self._taken = self._noted = 0
        self.ended: str | None = None
        """Why no more comes."""
        self._thread = threading.Thread(target=self._run, name="redis-drain", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        return self._received - self._taken

    def step_aside(self) -> None:
        """Wait while a burst comes, at most half a second: the thread must not wait for the interpreter then.

        Beside a caller that works on, one burst in four of a million events a second ended the connection (measured on
        two cores that were busy with other work); beside one that steps aside, none did.
        """
        for _ in range(BREATHS):
            came, self._noted = self._received - self._noted, self._received
            if came < BURST or self.backlog >= self._bound or self.ended is not None:
                return
            time.sleep(BREATH_S)

    def take(self, within: float) -> bytes:
        """Return what came next, waiting so many seconds for it; b"" means that nothing came, or that it has ended."""
        if self.ended is not None and not self.backlog:
            return b""
        try:
            chunk = self._chunks.get(timeout=within) if within > 0 else self._chunks.get_nowait()
        except queue.Empty:
            return b""
        self._taken += len(chunk)
        if not self._room.is_set():
            self._room.set()
        return chunk

    def close(self) -> None:
        """End the connection and the thread; what came before can still be taken."""
        self._closing = True
        self._room.set()
        with suppress(OSError):
            # Not the TLS socket's own: that one takes its state from under the thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        why = "the reading thread has failed"
        try:
            why = self._empty()
        except (OSError, ValueError) as error:
            why = str(error) or type(error).__name__
        finally:
            self.ended = why
            self._chunks.put(b"")  # wakes who waits

    def _empty(self) -> str:
        """Receive until nothing more comes, and return why."""
        asked, size = False, min(CHUNK, self._bound)
        while not self._closing:
            try:
                chunk = self._socket.recv(size)
            except TimeoutError:
                if asked:
                    return "no answer to a PING"
                self._socket.sendall(PING)
                asked = True
                continue
            if not chunk:
                return "the connection was closed by the server"
            asked = False
            self._received += len(chunk)
            self._chunks.put(chunk)
            self._wait_for_room()
        return "closed"

    def _wait_for_room(self) -> None:
        while self.backlog >= self._bound and not self._closing:
            self._room.clear()
            if self.backlog >= self._bound and not self._closing:
                self._room.wait(ROOM_S)
