"""A Cloud Foundry that misbehaves as told: a real HTTP server with scripted answers, which records every request."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SILENCE = "silence"
"""An answer that never comes."""

ROOT = "/"
TOKEN = "/oauth/token"
PAGE = "<html><body>502: the router says no</body></html>"
TOKENS = {"access_token": "access-1", "refresh_token": "refresh-1", "token_type": "bearer", "expires_in": 1199}


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What the server says; a dict or list is sent as JSON, a text as a page, with `pause` seconds after each byte."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes | str):
            return self.body if isinstance(self.body, bytes) else self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()

    @property
    def kind(self) -> str:
        return "text/html" if isinstance(self.body, str) else "application/json"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # else the ninth client that comes at once waits a second

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a client that hung up is what some tests are about."""


class FaultyFoundation:
    """Discovery and login work unless `script` says otherwise; every other path is scripted or 404."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        links = {name: {"href": self.url} for name in ("self", "login", "uaa", "log_cache")}
        self.script(ROOT, {"links": links | {"credhub": None}})
        self.script(TOKEN, TOKENS)

    def script(self, path: str, *answers: Any) -> None:
        """Answer `path` with these, one after the other; the last one stays. A function is asked each time."""
        done = (Answer, Callable)
        self._scripts[path] = [one if isinstance(one, done) or one == SILENCE else Answer(body=one) for one in answers]

    def asked(self, path: str) -> list[Request]:
        """Return the requests that came for `path`."""
        return [one for one in self.requests if one.path == path]

    def lines(self) -> list[str]:
        """Return all requests, in the order in which they came."""
        return [one.line for one in self.requests]

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, request: Request) -> Answer | None:
        with self._lock:
            self.requests.append(request)
            script = self._scripts.get(request.path, [Answer(404, {"errors": [{"detail": "Unknown request"}]})])
            answer = script[0] if len(script) == 1 else script.pop(0)
        if callable(answer):
            return answer(request)
        if isinstance(answer, Answer):
            return answer
        self._released.wait(30)
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        foundation = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                url, length = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
                form = dict(parse_qsl(self.rfile.read(length).decode()))
                query = dict(parse_qsl(url.query, keep_blank_values=True))
                said = foundation._answer(Request(self.command, url.path, query, dict(self.headers), form))
                if said is None:
                    return
                self.send_response_only(said.status)
                usual = {"Date": self.date_time_string(), "Content-Type": said.kind}
                for name, value in (usual | said.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                step = 1 if said.pause else max(1, len(said.content))
                for begin in range(0, len(said.content), step):
                    self.wfile.write(said.content[begin : begin + step])
                    if said.pause and foundation._released.wait(said.pause):
                        return

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 (the standard library's names)

            def log_message(self, *_: Any) -> None:
                """Write nothing to standard error."""

        return Handler
