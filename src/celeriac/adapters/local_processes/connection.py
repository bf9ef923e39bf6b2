"""One request and one answer over the socket of a `celeriac local`, within a time limit."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from celeriac.core.errors import ConflictError, MissingError, PortError, RefusedError, UnreachableError

LONGEST_ANSWER = 64 * 1024 * 1024
_ERRORS: dict[str, type[PortError]] = {"missing": MissingError, "refused": RefusedError, "conflict": ConflictError}


class Connection:
    """Where to ask; each request has a connection of its own, so it may be used by any thread. `timeout` is seconds."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        self._path, self._timeout = path, timeout

    def ask(self, do: str, **more: object) -> Any:
        """Return the answer; raise the port error that fits."""
        deadline = time.monotonic() + self._timeout
        try:
            text = self._exchange(json.dumps({"do": do, **more}).encode() + b"\n", deadline)
            answer = json.loads(text)
            if "ok" in answer:
                return answer["ok"]
            raise _ERRORS[answer["error"]](answer["text"])
        except PermissionError:
            raise RefusedError(f"the socket {self._path} is another user's; run Celeriac as the same user") from None
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
            raise UnreachableError(f"no `celeriac local` answers on {self._path} ({why})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UnreachableError(f"what answers on {self._path} is no `celeriac local` ({error})") from error

    def log_in(self) -> None:
        """Ask once whether we may; there is nothing to log in to."""
        self.ask("clock")

    def close(self) -> None:
        """Do nothing: no connection outlives its request."""

    def check(self, app: str) -> None:
        """Raise MissingError if another app answers on the socket by now: an order must not reach it."""
        with understood():
            runs = self.ask("app")["name"]
        if runs != app:
            raise MissingError(f"the app {app} does not run here any more; {runs} does")

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        parts, size = [], 0
        with socket.socket(socket.AF_UNIX) as connection:
            self._limit(connection, deadline)
            connection.connect(str(self._path))
            connection.sendall(request)
            while part := self._part(connection, deadline):
                parts.append(part)
                size += len(part)
                if size > LONGEST_ANSWER:
                    msg = "its answer does not end"
                    raise ValueError(msg)
        return b"".join(parts)

    def _part(self, connection: socket.socket, deadline: float) -> bytes:
        self._limit(connection, deadline)
        return connection.recv(65536)

    def _limit(self, connection: socket.socket, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            msg = f"no answer within {self._timeout:g} s"
            raise TimeoutError(msg)
        connection.settimeout(left)


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Turn what goes wrong while an answer is taken apart into an error."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UnreachableError(
            f"the answer of `celeriac local` cannot be read ({why}); is it of another version?"
        ) from error


def told(event: Mapping[str, Any]) -> str:
    """Return an event in words for people."""
    if event["kind"] == "crash":
        return (
            f"instance {event['index']} of process {event['process']} crashed: {event['text']} (crash {event['count']})"
        )
    return f"{event['actor']} {event['text']}"
