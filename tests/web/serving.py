"""A console over a store in memory, on a real socket."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import harness
from celeriac.web.app import create_app
from celeriac.web.server import Server
from web.samples import World


@dataclass(frozen=True)
class Console:
    """One running console."""

    url: str
    server: Server
    thread: threading.Thread

    def stop(self) -> None:
        """Tell the server to stop, as a signal would."""
        self.server.should_exit = True

    def stopped(self) -> bool:
        return not self.thread.is_alive()


@contextlib.contextmanager
def serving(world: World, port: int | None = None) -> Iterator[Console]:
    """Serve a world until the block ends."""
    port = port or harness.free_port()
    server = Server(create_app(world.queries, world.commands), "127.0.0.1", port)
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    running = Console(f"http://127.0.0.1:{port}", server, thread)
    harness.wait_until(lambda: server.started, 10, "the console listens")
    try:
        yield running
    finally:
        running.stop()
        harness.wait_until(running.stopped, 10, "the console has stopped")
