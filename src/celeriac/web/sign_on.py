"""Who asks: puts an actor on every request before any route sees it. A route that is not named here needs one.

A person's browser brings a cookie, a program a token. The cookie holds nothing but a random text: it is `__Host-` and
`Secure` wherever the address is, or may be, encrypted, and for this machine's own addresses without.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import URL, Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celeriac.app.access.door import ANYBODY, AnyDoor, Brought
from celeriac.core.access import NOBODY, Actor
from celeriac.core.errors import AccessError, CeleriacError, SignOnError, StaleSignOnError
from celeriac.web.own_address import is_loopback
from celeriac.web.prefix import own_path

__all__ = ["ANYBODY", "OPEN_TO_ALL", "Cookies", "SignOn"]

OPEN_TO_ALL = frozenset(
    {
        "/healthz",
        "/readyz",
        "/login",
        "/login/break-glass",
        "/signed-off",
        "/auth/begin",
        "/auth/callback",
        "/auth/backchannel-logout",
    }
)
OPEN_TO_POST = frozenset({"/api/v1/sessions", "/logout"})
"""Open as an order alone: a command line trades its code, and whoever has no session any more may drop its cookie."""

OPEN_FOLDER = "/static/"
ASKS_NOBODY = frozenset({"/healthz"})
"""Here nobody's name matters, and with `OPEN_FOLDER` it is not looked for: platforms end what does not answer."""

THREADS = 32
"""So many requests may wait at a time to be told who they are: for the store, or the provider."""

ASKED_EACH_S = 10.0
"""A stream that ends with its session does so within this time and its next beat."""

BY_ITSELF = ("/fragments", "/api/v1/stream")
"""What pages ask for without their person's doing anything."""


class Cookies(NamedTuple):
    """The names of our cookies on one connection, and whether they are for encrypted ones only."""

    session: str
    browser: str
    secure: bool

    @classmethod
    def of(cls, scope: Scope) -> "Cookies":
        """Return those for the connection of a request."""
        plain = scope["scheme"] == "http" and is_loopback(URL(scope=scope).hostname or "")
        prefix = "" if plain else "__Host-"
        return cls(f"{prefix}celeriac", f"{prefix}celeriac-browser", not plain)

    def set(self, response: Response, name: str, value: str, max_age: float | None = None) -> None:
        """Let a response set one of them."""
        age = None if max_age is None else int(max_age)
        response.set_cookie(name, value, max_age=age, path="/", secure=self.secure, httponly=True, samesite="lax")

    def drop(self, response: Response, name: str) -> None:
        """Let a response drop one of them."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")


class SignOn:
    """Middleware: asks the door who it is, and refuses a request of which it does not know.

    `refuse` answers a refused request; how an error looks is the business of `web.errors`.
    """

    def __init__(self, app: ASGIApp, door: AnyDoor, refuse: ASGIApp) -> None:
        self._app, self._door, self._refuse = app, door, refuse
        # Threads of its own: while a provider hangs, those of everything else must not wait behind its people.
        self._threads = ThreadPoolExecutor(THREADS, "celeriac-door")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came = brought(scope)
        try:
            scope["actor"] = await self._actor(scope, came)
        except CeleriacError as error:
            if not _open(scope):
                await self._turn_away(error, scope, receive, send)
                return
            scope["actor"] = NOBODY
        if scope["actor"] is NOBODY:
            await self._app(scope, receive, send)
            return
        staying = _Staying(lambda: self._asked(came._replace(active=False)), scope["actor"], send)
        try:
            await self._app(scope, receive, staying.send)
        except (_SignedOffError, ClientDisconnect):
            if not staying.over:
                raise

    async def _actor(self, scope: Scope, came: Brought) -> Actor:
        return NOBODY if _spared(scope) else await self._asked(came)

    async def _asked(self, came: Brought) -> Actor:
        """Return who the door says it is; what brings nothing is answered without a thread, as nothing is looked up."""
        if came.nothing:
            return self._door.actor(came)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._door.actor, came)

    async def _turn_away(self, error: CeleriacError, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = self._refuse
        scope["actor"], scope["refused"] = NOBODY, error
        if isinstance(error, SignOnError) and _for_a_person(scope):
            answer = RedirectResponse(sign_on_address(scope, error), 303, {"Cache-Control": "no-store"})
        await answer(scope, receive, send)


class _SignedOffError(OSError):
    """Ends a stream as if its client had gone."""


class _Staying:
    """Sends an answer; one that lasts ends when its reader is not who they were, or may not what they might.

    That is asked each while. A page that lost its stream comes back, and gets what its reader may see now.
    """

    def __init__(self, ask: Callable[[], Awaitable[Actor]], actor: Actor, send: Send) -> None:
        self._ask, self._actor, self._send = ask, actor, send
        self._asked_at = time.monotonic()
        self.over = False

    async def send(self, message: Message) -> None:
        """Send a part of the answer; raises `_SignedOffError` where it was the last that they may read."""
        now = time.monotonic()
        if (
            message["type"] == "http.response.body"
            and message.get("more_body")
            and now - self._asked_at >= ASKED_EACH_S
        ):
            self._asked_at = now
            if not await self._stays():
                self.over = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise _SignedOffError
        await self._send(message)

    async def _stays(self) -> bool:
        try:
            actor = await self._ask()
        except AccessError:
            return False
        except CeleriacError:
            return True  # that cannot be asked now is no reason to end what is seen
        return (actor.subject, actor.grants) == (self._actor.subject, self._actor.grants)


def sign_on_address(scope: Scope, error: SignOnError) -> str:
    """Return the sign-on page, or for whom the provider knows already its own; both lead back to what was asked for."""
    query = scope["query_string"].decode("latin-1")
    page = "auth/begin" if isinstance(error, StaleSignOnError) else "login"
    return (
        f"{scope.get('root_path', '')}/{page}?{urlencode({'next': own_path(scope) + (f'?{query}' if query else '')})}"
    )


def brought(scope: Scope) -> Brought:
    """Return what a request brings along."""
    headers, path = Headers(scope=scope), own_path(scope)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    client = scope.get("client")
    return Brought(
        address=client[0] if client else "",
        cookie=HTTPConnection(scope).cookies.get(Cookies.of(scope).session),
        bearer=token.strip() if scheme.lower() == "bearer" else None,
        active=not path.startswith(BY_ITSELF),
    )


def _spared(scope: Scope) -> bool:
    path = own_path(scope)
    return path in ASKS_NOBODY or path.startswith(OPEN_FOLDER)


def _open(scope: Scope) -> bool:
    path = own_path(scope)
    return path in OPEN_TO_ALL or path.startswith(OPEN_FOLDER) or (scope["method"] == "POST" and path in OPEN_TO_POST)


def _for_a_person(scope: Scope) -> bool:
    """Tell whether a browser goes to a page; parts of pages and programs are told the error itself."""
    headers = Headers(scope=scope)
    return (
        scope["method"] in {"GET", "HEAD"}
        and "text/html" in headers.get("accept", "")
        and not headers.get("hx-request")
        and not own_path(scope).startswith("/api/")
    )
