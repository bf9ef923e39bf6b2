"""Who is asking, and whether a browser was lured into asking.

There is no sign-on yet, so Celeriac listens on the loopback address and everybody who reaches it is `ANYBODY`. Two
attacks reach a loopback port through a person's own browser: a foreign name that resolves to it (DNS rebinding), which
the check of the Host header ends, and a foreign page that sends a form, which the check of the origin ends.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANYBODY = "someone on this machine"
"""The actor of every order until there is a sign-on."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
ANY_HOST = frozenset({"/healthz"})
"""Asked by platforms under whatever address they know; it says nothing about the clusters."""

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def actor(request: Request) -> str:  # noqa: ARG001 (the person who signed on, once there is a sign-on)
    """Return who gives this order, as incidents and the journal name them."""
    return ANYBODY


class RefusedRequest(Exception):  # noqa: N818 (it is no failure of ours)
    """A request that a browser may have been lured into; the text says what would be accepted."""


class BrowserSafety:
    """Middleware: puts the security headers on every answer, and refuses what a foreign page may have caused.

    `refuse` answers a refused request; how an error looks is the business of `web.errors`.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str], refuse: ASGIApp) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed_hosts)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = self._foreign_host(own_path(scope), headers) or foreign_origin(scope["method"], headers)
        app = self._app
        if reason:
            scope["refused"] = RefusedRequest(reason)
            app = self._refuse
        await app(scope, receive, _with_headers(send))

    def _foreign_host(self, path: str, headers: Headers) -> str | None:
        host = host_name(headers.get("host", ""))
        if path in ANY_HOST or is_loopback(host) or host in self._allowed:
            return None
        return f"This console does not answer to the name {host!r}. If the name is yours, add it to the allowed hosts."


def own_path(scope: Scope) -> str:
    """Return the path below the prefix that a proxy strips."""
    path, prefix = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(prefix)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


def foreign_origin(method: str, headers: Headers) -> str | None:
    """Return why an order is taken for another site's, or None; programs that are no browser send neither header."""
    if method in SAFE_METHODS:
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        own = site in OWN_SITES
    else:
        own = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return None if own else "This order came from another site's page. Give it from the console itself."


def host_name(host: str) -> str:
    """Return the name of a Host header: without port, brackets and case."""
    name = host.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def is_loopback(name: str) -> bool:
    """Tell whether a host's name or address means this very machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
