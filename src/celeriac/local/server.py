"""The socket: each connection brings one JSON object in one line, and gets one back.

Only the user that runs the app can connect (mode 0600, in a directory of mode 0700). A request is
`{"do": "app" | "events" | "lines" | ..., ...}`, an answer `{"ok": ...}` or `{"error": kind, "text": sentence}`.
"""

import contextlib
import json
import os
import pwd
import socket
import socketserver
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from celeriac.local.errors import LocalError, OrderError
from celeriac.local.host import Actor, Host

LONGEST_REQUEST = 64 * 1024
MOST_LINES = 1000
CONNECTION_S = 5.0
MOST_CONNECTIONS = 32

Request = dict[str, Any]


class _Handler(socketserver.StreamRequestHandler):
    timeout = CONNECTION_S

    def handle(self) -> None:
        server = cast("_Server", self.server)
        with server.room, contextlib.suppress(OSError):  # who goes away gets no answer
            line = self.rfile.readline(LONGEST_REQUEST)
            self.wfile.write(json.dumps(_answer(server.host, line, _actor(self.connection))).encode() + b"\n")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, host: Host) -> None:
        self.host = host
        self.room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(str(path), _Handler)


@contextlib.contextmanager
def serving(host: Host, path: Path) -> Iterator[None]:
    """Answer on the socket until the block ends, and remove it then."""
    _make_room(path)
    before = os.umask(0o177)
    try:
        server = _Server(path, host)
    except OSError as error:
        raise LocalError(f"The socket {path} cannot be made: {error}; choose another with --socket.") from None
    finally:
        os.umask(before)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        path.unlink(missing_ok=True)


def _make_room(path: Path) -> None:
    """Make the directory, which must be our own, and remove a socket that nobody answers on."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = path.parent.stat()
    except OSError as error:
        raise LocalError(f"The directory of the socket {path} cannot be made: {error}.") from None
    if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise LocalError(f"The directory {path.parent} must be yours alone (mode 0700); choose another with --socket.")
    if not path.exists():
        return
    if not path.is_socket():
        raise LocalError(f"{path} is there and is no socket; choose another with --socket.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECTION_S)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise LocalError(f"Another `celeriac local` answers on {path}; stop it, or choose another name.")


def _answer(host: Host, line: bytes, actor: Actor) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"ok": _ASKED[request["do"]](host, request, actor)}
    except OrderError as error:
        return {"error": error.kind, "text": str(error)}
    except (ValueError, KeyError, TypeError) as error:
        return {"error": "refused", "text": f"the request cannot be read ({type(error).__name__}: {error})"}


def _lines(host: Host, request: Request, _: Actor) -> object:
    limit = max(1, min(int(request["limit"]), MOST_LINES))
    if "after" in request:
        return host.records.lines_after(float(request["after"]), limit)
    return host.records.newest_lines(limit, request.get("process"), request.get("index"))


def _restart_instance(host: Host, request: Request, actor: Actor) -> None:
    host.restart_instance(str(request["process"]), int(request["index"]), request.get("guid"), actor)


_ASKED: dict[str, Callable[[Host, Request, Actor], object]] = {
    "app": lambda host, _, __: host.view(),
    "events": lambda host, request, _: host.records.events_since(float(request["since"])),
    "lines": _lines,
    "environment": lambda host, _, __: host.environment(),
    "clock": lambda _, __, actor: {"now": time.time(), "user": actor.name},
    "restart_instance": _restart_instance,
    "restart": lambda host, _, actor: host.restart(actor),
    "scale": lambda host, request, actor: host.scale(str(request["process"]), int(request["instances"]), actor),
}


def _actor(connection: socket.socket) -> Actor:
    """Return who is at the other end: the kernel tells on Linux; elsewhere it can only be the user that owns the socket."""
    uid = os.geteuid()
    if hasattr(socket, "SO_PEERCRED"):
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        return Actor(pwd.getpwuid(uid).pw_name, uid)
    except KeyError:
        return Actor(f"uid {uid}", uid)
