"""How large a request may be, and how many are worked on at once."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celeriac.web.prefix import own_path
from celeriac.web.refusals import RefusedRequest, refused

TARGET_BYTES = 8 * 1024
HEADERS = 100
HEADER_BYTES = 32 * 1024
BODY_BYTES = 64 * 1024
AT_ONCE = 100
"""Each of them may need a thread, and there are 40; more would wait so long that their askers are gone."""

SPARED = frozenset({"/healthz"})
"""Asked by platforms, which end what does not answer."""


class Limits:
    """Middleware: refuses what is too large or too much; the app is called when the whole request is here.

    So a slow sender holds a connection and no place among those that are worked on; how long it may take is the
    business of `web.protocol`. A place is given back when the answer begins: a slow reader, or a stream, holds none.
    """

    def __init__(self, app: ASGIApp, refuse: ASGIApp, *, body_bytes: int = BODY_BYTES, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._refuse = refuse
        self._body_bytes = body_bytes
        self._free = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_head(scope)
            body = await self._body(scope, receive)
        except RefusedRequest as why:
            await refused(scope, receive, send, self._refuse, why)
            return
        if body is None:
            return
        if own_path(scope) in SPARED:
            await self._app(scope, _again(body, receive), send)
        elif self._free > 0:
            await self._in_a_place(scope, _again(body, receive), send)
        else:
            await refused(scope, receive, send, self._refuse, _busy())

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, or None where the client has gone; raises RefusedRequest."""
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._body_bytes:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> RefusedRequest:
        return RefusedRequest(
            f"The body of a request may have {self._body_bytes} bytes; this one has more.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )

    async def _in_a_place(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = True
        self._free -= 1

        def leave() -> None:
            nonlocal held
            self._free += held
            held = False

        async def sending(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            leave()


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    target = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    if target > TARGET_BYTES:
        text = f"An address may have {TARGET_BYTES} characters; this one has {target}."
        raise RefusedRequest(text, HTTPStatus.REQUEST_URI_TOO_LONG)
    if len(headers) > HEADERS or sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        text = f"A request may have {HEADERS} headers of {HEADER_BYTES} bytes together; this one has more."
        raise RefusedRequest(text, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
        # Servers that disagree on which of the two counts take different bytes for the next request.
        text = "A request has Content-Length or Transfer-Encoding, and not both."
        raise RefusedRequest(text, HTTPStatus.BAD_REQUEST)


def _busy() -> RefusedRequest:
    text = "The console is asked too much at once. Ask again in a moment."
    return RefusedRequest(text, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"})


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body, and then what the server says, which is that the client has gone."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
