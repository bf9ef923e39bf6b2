"""What a trusted proxy may say of the client: its address and whether it came by TLS; nobody else may say anything."""

import ipaddress
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class TrustedProxies:
    """Middleware: takes `X-Forwarded-For` and `-Proto` from the proxies of these networks, and from nobody else.

    The client is the rightmost address of the list that is no proxy's: what stands left of it, anybody may have sent.
    Afterwards `client` of the scope is the client and `peer` who holds the connection.
    """

    def __init__(self, app: ASGIApp, networks: Collection[str]) -> None:
        self._app = app
        self._reading = ProxyHeadersMiddleware(self._addressed, list(networks))  # type: ignore[arg-type]  # types of its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["peer"] = scope.get("client")
        await self._reading(scope, receive, send)  # type: ignore[arg-type]

    async def _addressed(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("client") and not _is_address(scope["client"][0]):
            scope["client"] = scope["peer"]
        await self._app(scope, receive, send)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
