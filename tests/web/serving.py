"""A console over a store in memory, on a real socket."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

import harness
from celeriac.app.access.signing_on import SigningOn
from celeriac.settings import ConsoleSettings
from celeriac.web.app import create_app
from celeriac.web.server import Server
from web.samples import World


@dataclass
class Console:
    """One running console."""

    url: str
    server: Server
    thread: threading.Thread
    port: int

    def stop(self) -> None:
        """Tell the server to stop, as a signal would."""
        self.server.should_exit = True

    def stopped(self) -> bool:
        return not self.thread.is_alive()


@contextlib.contextmanager
def serving(
    world: World,
    port: int | None = None,
    app: FastAPI | None = None,
    signing_on: SigningOn | None = None,
    **settings: Any,
) -> Iterator[Console]:
    """Serve a world until the block ends, or another app; further words are those of `[console]`."""
    console = ConsoleSettings(port=port or harness.free_port(), **settings)
    server = Server(app or create_app(world.service, signing_on, console=console), console)
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    scheme = "https" if console.tls_cert else "http"
    running = Console(f"{scheme}://127.0.0.1:{console.port}", server, thread, console.port)
    harness.wait_until(lambda: server.started, 10, "the console listens")
    try:
        yield running
    finally:
        running.stop()
        harness.wait_until(running.stopped, 10, "the console has stopped")
