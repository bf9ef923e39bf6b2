"""Runs the app under uvicorn so that it stops at once although pages hold streams open."""

import asyncio
import socket
import ssl
import threading
from typing import Any, cast

import uvicorn

from celeriac.settings import ConsoleSettings
from celeriac.web.api.stream import Feed
from celeriac.web.app import Console
from celeriac.web.certificate import Certificate
from celeriac.web.protocol import HEAD_S, BoundedProtocol

GRACE_S = 2
KEEP_ALIVE_S = 10
BEHIND_PROXY_S = 100
"""Cloud Foundry's router keeps connections for 90 s, nginx for 60 s: one that we end first may cost a request (502)."""
HEAD_BYTES = 64 * 1024
"""What is read of a head before it is called too large; `limits` refuses smaller ones with a better word."""


class Loop(asyncio.SelectorEventLoop):
    """The event loop, whose TLS handshakes have no more time than a head; Python's own limit is 60 s."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Listen as ever."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = HEAD_S
        return await super().create_server(*args, **options)


class Server(uvicorn.Server):
    """A uvicorn that ends the streams when it begins to stop, instead of waiting for every page to go."""

    def __init__(self, app: Console, settings: ConsoleSettings) -> None:
        self._app = app
        self._feed = cast("Feed", app.state.feed)
        certificate = _certificate(settings)

        def tls(*_: object) -> ssl.SSLContext:
            assert certificate is not None  # noqa: S101 (uvicorn calls this only where it was given)
            return certificate.context()

        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="celeriac.web.server:Loop",
                http=BoundedProtocol,
                ws="none",
                ssl_context_factory=tls if certificate else None,
                # Prefix and proxies are the app's own middleware: uvicorn trusts this machine and adds the prefix twice.
                proxy_headers=False,
                log_config=None,
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_keep_alive=BEHIND_PROXY_S if settings.trusted_proxies else KEEP_ALIVE_S,
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


def _certificate(settings: ConsoleSettings) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)
