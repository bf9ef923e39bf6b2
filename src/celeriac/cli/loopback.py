"""Where the browser comes back to: one answer at a port of this machine's own address (RFC 8252, section 7.3)."""

import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import parse_qs, urlsplit

ADDRESS = "127.0.0.1"
SILENCE_S = 5.0
"""One connection may be silent for so long; browsers open some that they never use."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Celeriac</title>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
DONE = PAGE.format(title="Back to the command line", text="It says how this went. You may close this tab.")
NOT_ASKED = PAGE.format(title="Nobody has asked for this", text="Run <code>celeriac login</code> again.")
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Connection": "close",
}


class Landing:
    """Waits for the browser; what does not bring the state that we gave it is not looked at."""

    def __init__(self, server: ThreadingHTTPServer, answers: "SimpleQueue[dict[str, str]]") -> None:
        self._server, self._answers = server, answers

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.server_address[1])

    def answer(self, within_s: float) -> dict[str, str] | None:
        """Return what the browser brought back, None if it did not come in time."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                # In short looks, so that Ctrl-C is heard at once on every system.
                return self._answers.get(timeout=min(left, 0.5))
            except Empty:
                continue
        return None


@contextmanager
def landing(state: str) -> Iterator[Landing]:
    """Listen until the block ends."""
    answers: SimpleQueue[dict[str, str]] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S
        server_version, sys_version = "celeriac", ""

        def do_GET(self) -> None:
            found = brought(self.path, state)
            if found is not None:
                answers.put(found)
            self._say(HTTPStatus.OK, DONE) if found is not None else self._say(HTTPStatus.BAD_REQUEST, NOT_ASKED)

        def _say(self, status: HTTPStatus, page: str) -> None:
            body = page.encode()
            self.send_response(status)
            for name, value in {**HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the interface's)
            """Say nothing: the code would stand in the log."""

    server = ThreadingHTTPServer((ADDRESS, 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, name="landing", daemon=True, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield Landing(server, answers)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def brought(path: str, state: str) -> dict[str, str] | None:
    """Return what an address brings along, None unless it has the state, once, and nothing twice."""
    parts = urlsplit(path)
    given = parse_qs(parts.query, max_num_fields=10) if parts.query.count("&") < 10 else {}
    if parts.path != "/" or any(len(each) != 1 for each in given.values()):
        return None
    told = {name: each[0] for name, each in given.items()}
    fits = hmac.compare_digest(told.get("state", "").encode(), state.encode())
    return told if fits and ("code" in told or "error" in told) else None
