"""One request and its whole answer, bounded in time and size: httpx2 itself bounds each step alone, and a slow trickle never ends."""

import time
from typing import Any

import httpx2

from celeriac.core.errors import UnreachableError

MOST_BYTES = 64_000_000
"""A longer answer is not read to its end: several times as much as 5,000 processes with their instances."""

AS_SENT = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers on how a body is sent, which do not hold for one that has been read."""


class Wire:
    """The connections to one foundation; `timeout` (seconds) bounds each request from its beginning to its last byte."""

    def __init__(self, timeout: float, verify: Any) -> None:
        limits = httpx2.Timeout(timeout, connect=min(5.0, timeout))
        self._http = httpx2.Client(timeout=limits, verify=verify, follow_redirects=False)
        self._timeout = timeout

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, url: str, **sent: Any) -> httpx2.Response:
        """Return the answer, read whole; raises httpx2's errors, and UnreachableError for one that is too long or too slow."""
        until = time.monotonic() + self._timeout
        with self._http.stream(method, url, **sent) as answer:
            body = self._body(answer, until)
        headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in AS_SENT]
        return httpx2.Response(answer.status_code, headers=headers, content=body, request=answer.request)

    def _body(self, answer: httpx2.Response, until: float) -> bytes:
        body, host = bytearray(), answer.request.url.host
        for part in answer.iter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise UnreachableError(f"{host} answers with more than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > until:
                raise UnreachableError(f"{host} timed out: its answer goes on after {self._timeout:g} s")
        return bytes(body)
