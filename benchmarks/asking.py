"""How long an HTTP server takes to answer, on one connection that stays open."""

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measures import percentile

PATIENCE_S = 900
"""Flower answers nobody while it is behind with events, and at a million tasks that may take minutes."""


class Caller:
    """One connection to a server on this machine."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        """Return the body; raises RuntimeError for any answer but 200."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            message = f"GET {path} answers {answer.status}: {body[:300].decode(errors='replace')}"
            raise RuntimeError(message)
        return body

    def json(self, path: str) -> Any:
        """Return the body's value."""
        return json.loads(self.get(path))

    def took_ms(self, path: str) -> float:
        """Return the milliseconds from the request until the whole body is there."""
        start = time.perf_counter()
        self.get(path)
        return 1000 * (time.perf_counter() - start)

    def p95_ms(self, paths: Sequence[str], times: int = 60, most_s: float = 30.0) -> float:
        """Ask for each path in turn, after one round that does not count; stop early after `most_s` seconds."""
        for path in paths:
            self.get(path)
        taken: list[float] = []
        while len(taken) < times and (len(taken) < 3 or sum(taken) < 1000 * most_s):
            taken.append(self.took_ms(paths[len(taken) % len(paths)]))
        return percentile(taken, 0.95)
