import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from celeriac.oidc import RelyingParty
from standin.forger import NOW, Forger, forging


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = float(NOW)

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def forger() -> Iterator[Forger]:
    with forging() as one:
        one.give(None)
        yield one


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def party(forger: Forger, clock: Clock) -> RelyingParty:
    return RelyingParty(forger.registration(), now=clock, monotonic=clock)


@pytest.fixture
def make_party(forger: Forger, clock: Clock) -> Callable[..., RelyingParty]:
    def make(**changed: Any) -> RelyingParty:
        return RelyingParty(forger.registration(**changed), now=clock, monotonic=clock)

    return make


@pytest.fixture
def logout_tokens() -> Iterator[tuple[str, "queue.Queue[str]"]]:
    """Listen for logout tokens; give the address, and the tokens that came."""
    taken: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            taken.put(form["logout_token"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
