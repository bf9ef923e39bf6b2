"""Runs the app under uvicorn so that it stops at once although pages hold streams open."""

import socket
import threading
from typing import cast

import uvicorn

from celeriac.web.api.stream import Feed
from celeriac.web.app import Console

GRACE_S = 2


class Server(uvicorn.Server):
    """A uvicorn that ends the streams when it begins to stop, instead of waiting for every page to go."""

    def __init__(self, app: Console, host: str = "127.0.0.1", port: int = 5555, root_path: str = "") -> None:
        self._app = app
        self._feed = cast("Feed", app.state.feed)
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                root_path=root_path,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    def run_until(self, stopping: threading.Event) -> None:
        """Serve until told to stop; uvicorn itself takes SIGTERM and SIGINT, and no other signal."""

        def stop() -> None:
            stopping.wait()
            self.should_exit = True

        threading.Thread(target=stop, name="stopping", daemon=True).start()
        self.run()

    def describe(self) -> dict[str, object]:
        """Return the OpenAPI document of what this serves."""
        return self._app.openapi()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams end first; what takes longer than `GRACE_S` is cancelled."""
        self._feed.stop()
        await super().shutdown(sockets)
