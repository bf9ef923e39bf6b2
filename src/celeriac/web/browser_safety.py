"""What a browser may be lured into, and what it is told to refuse by itself.

Two attacks reach the console through a person's own browser: a foreign name that resolves to its address (DNS
rebinding), which the check of the Host header ends, and a foreign page that sends a form, which the check of the origin
ends.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celeriac.settings import ConsoleSettings
from celeriac.web.own_address import OwnAddress, host_name, is_loopback
from celeriac.web.prefix import own_path
from celeriac.web.refusals import RefusedRequest, refused

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
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ONLY_TLS = "max-age=31536000"
FOREIGN_PAGE = "This order came from another site's page. Give it from the console itself."
BEARER = "bearer "


class BrowserSafety:
    """Middleware: puts the security headers on every answer, and refuses what a foreign page may have caused.

    A page of a listed origin (`console.cors_origins`) may use the API with a token of its own; cookies never count then.
    `refuse` answers a refused request; how an error looks is the business of `web.errors`.
    """

    def __init__(self, app: ASGIApp, console: ConsoleSettings, refuse: ASGIApp) -> None:
        self._app = app
        self._own = OwnAddress(console)
        self._listed = frozenset(console.cors_origins)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path, said = own_path(scope), headers.get("origin")
        shared = path.startswith("/api/v1/") and bool(self._listed)
        guest = said if shared and said in self._listed and not self._own.has_origin(said, scope) else None
        send = _with_headers(send, _strict(scope, headers), _shared(guest) if shared else {})
        if reason := self._foreign_host(path, headers):
            await refused(scope, receive, send, self._refuse, RefusedRequest(reason))
        elif guest and _is_preflight(scope, headers):
            await _let_ask(send)
        elif guest and _brings_token(headers):
            _drop_cookies(scope)
            await self._app(scope, receive, send)
        elif self._foreign_page(scope, headers):
            await refused(scope, receive, send, self._refuse, RefusedRequest(FOREIGN_PAGE))
        else:
            await self._app(scope, receive, send)

    def _foreign_host(self, path: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if path in ANY_HOST or self._own.has_name(host):
            return None
        return (
            f"This console does not answer to the name {host_name(host)!r}. "
            "If the name is yours, add it to the allowed hosts."
        )

    def _foreign_page(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether an order is another site's; programs that are no browser send neither header.

        Browsers keep `Sec-Fetch-Site` from pages, so it decides where it is. With our Referrer-Policy they give the
        origin of our own forms as `null` (Fetch, "append a request Origin header"), so it alone decides only else.
        """
        if scope["method"] in SAFE_METHODS:
            return False
        site, said = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site not in OWN_SITES
        return said is not None and not self._own.has_origin(said, scope)


def _strict(scope: Scope, headers: Headers) -> dict[str, str]:
    """Return HSTS for what came by TLS; not for localhost, whose other ports would be held to it too."""
    local = is_loopback(host_name(headers.get("host", "")))
    return {"Strict-Transport-Security": ONLY_TLS} if scope["scheme"] == "https" and not local else {}


def _shared(guest: str | None) -> dict[str, str]:
    allowed = {"Access-Control-Allow-Origin": guest, "Access-Control-Expose-Headers": "Retry-After"} if guest else {}
    return {"Vary": "Origin", **allowed}


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _brings_token(headers: Headers) -> bool:
    return headers.get("authorization", "").lower().startswith(BEARER)


def _drop_cookies(scope: Scope) -> None:
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"cookie"]


async def _let_ask(send: Send) -> None:
    """Answer a preflight; without `Allow-Credentials` no browser sends a cookie along."""
    told = [
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", b"Authorization, Content-Type"),
        (b"access-control-max-age", b"600"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": told})
    await send({"type": "http.response.body"})


def _with_headers(send: Send, *more: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for each in (SECURITY_HEADERS, *more):
                for name, value in each.items():
                    headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
