"""One subscription on a connection of its own: the payloads that Redis pushes."""

import contextlib
import socket
import time

import hiredis
import redis

from celeriac.adapters.redis_events.drain import Drain
from celeriac.core.errors import RefusedError, UnreachableError

SLICE = 32 << 10
"""hiredis moves what is left of its buffer with each reply: fed with more at once it is up to three times slower."""

AT_ONCE = 256 << 10
"""So many bytes are handed over at most, so that the caller can fold and store in between."""

REFUSALS = ("NOPERM", "NOAUTH", "WRONGPASS")


class Subscription:
    """PSUBSCRIBE to a pattern: redis-py connects and logs in, then our own reader has the socket for itself.

    `bound` is how many bytes wait in memory at most, `within` how many seconds Redis has to confirm.
    """

    def __init__(self, pool: redis.ConnectionPool, pattern: str, *, bound: int, within: float) -> None:
        self._reader = hiredis.Reader()
        self._chunk, self._offset = b"", 0
        self.closed = False
        connection = pool.get_connection()
        with contextlib.ExitStack() as ending:
            ending.callback(pool.release, connection)
            ending.callback(connection.disconnect)
            connection.send_command("PSUBSCRIBE", pattern)  # type: ignore[no-untyped-call]
            self._drain = Drain(_socket_of(connection), bound=bound)
            ending.callback(self._drain.close)
            self._confirm(time.monotonic() + within)
            self._ending = ending.pop_all()

    @property
    def backlog(self) -> int:
        """Return the number of bytes that are received and not yet handed over."""
        return self._drain.backlog + len(self._chunk) - self._offset

    def payloads(self, within: float) -> list[bytes]:
        """Return the messages that came within so many seconds, as soon as one came.

        Raises UnreachableError when the server has ended the connection and everything that came before is handed over.
        """
        self._drain.step_aside()
        deadline = time.monotonic() + within
        found: list[bytes] = []
        size = 0
        while True:
            found += [one[3] for one in iter(self._reader.gets, False) if type(one) is list and len(one) == 4]
            if size >= AT_ONCE:
                return found
            fed = self._feed(0.0 if found else deadline - time.monotonic())
            if not fed:
                break
            size += fed
        if not found and self._drain.ended and not self.closed and not self.backlog:
            raise UnreachableError(f"Redis: {self._drain.ended}")
        return found

    def close(self) -> None:
        """End the connection; `payloads` still returns what came before."""
        self.closed = True
        self._ending.close()

    def _confirm(self, deadline: float) -> None:
        while (reply := self._reader.gets()) is False:
            if not self._feed(deadline - time.monotonic()):
                why = self._drain.ended or "the subscription is not confirmed in time"
                raise UnreachableError(f"Redis: {why}")
        if isinstance(reply, hiredis.ReplyError):
            kind = RefusedError if str(reply).startswith(REFUSALS) else UnreachableError
            raise kind(f"Redis refuses: {reply}")

    def _feed(self, within: float) -> int:
        """Give the parser its next slice, and return how long it is; 0 means that nothing came in time."""
        if self._offset >= len(self._chunk):
            self._chunk, self._offset = self._drain.take(within), 0
        size = min(SLICE, len(self._chunk) - self._offset)
        if size:
            self._reader.feed(self._chunk, self._offset, size)
            self._offset += size
        return size


def _socket_of(connection: redis.Connection) -> socket.socket:
    """Return the socket of a connection that has logged in; redis-py shows it nowhere else."""
    found = connection._sock  # noqa: SLF001
    if found is None:
        msg = "the connection is closed"
        raise redis.ConnectionError(msg)
    return found
