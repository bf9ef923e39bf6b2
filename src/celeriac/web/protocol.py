"""HTTP/1.1 on one connection: uvicorn's own, with the time limits and the bounds that it does not have.

A head has `HEAD_S` from its first byte (of a connection: from its beginning), a body `BODY_S` after its head, and a
client that reads nothing `STALL_S`. Answers have no time limit, so streams go on.
"""

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_S = 10.0
BODY_S = 20.0
STALL_S = 30.0
CONNECTIONS = 800
"""Below the 1,024 files that a process may usually have open."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which ends what does not arrive, and what is too much, with a clear status."""

    _awaited: str = ""
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or end it at once where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.", [(b"retry-after", b"5")])
        else:
            self._wait("head", HEAD_S, self._silent)

    def data_received(self, data: bytes) -> None:
        """Take what came; nothing counts once the connection has ended."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request; what is left of this one has its time from now."""
        self._rest()
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limits."""
        self._rest()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._stall = self._stall or self.loop.call_later(STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or a head that is too large; called where h11's error is being handled."""
        error = sys.exc_info()[1]
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else HTTPStatus.BAD_REQUEST
        self._end(HTTPStatus(hint), msg)

    def _watch(self) -> None:
        """Set the time limit of what is still to come of a request."""
        state = self.conn.their_state
        if self.transport.is_closing():
            self._rest()
        elif state is h11.IDLE:
            self._wait("next head", HEAD_S, self._late)
        elif state is h11.SEND_BODY:
            self._wait("body", BODY_S, self._late)
        else:
            self._rest()

    def _wait(self, what: str, seconds: float, late: Callable[[], None]) -> None:
        if what != self._awaited:
            self._rest()
            self._awaited, self._timer = what, self.loop.call_later(seconds, late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._awaited, self._timer = "", None

    def _silent(self) -> None:
        """End a connection that said nothing, without a word: browsers open some in advance."""
        self.transport.close()

    def _late(self) -> None:
        self._end(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")

    def _end(self, status: HTTPStatus, sentence: str, more: list[tuple[bytes, bytes]] | None = None) -> None:
        """Answer, if no answer has begun, and end the connection; the app, if it is at work, sees that nobody listens."""
        self._rest()
        cycle: RequestResponseCycle | None = self.cycle
        at_work = cycle is not None and not cycle.response_complete
        answered = at_work and self.cycle.response_started
        if at_work:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answered and self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._write(status, sentence.encode(), more or [])
        self.transport.close()

    def _write(self, status: HTTPStatus, body: bytes, more: list[tuple[bytes, bytes]]) -> None:
        headers: list[Any] = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
            *more,
        ]
        for event in (
            h11.Response(status_code=status.value, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
