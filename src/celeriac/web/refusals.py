"""Requests that are refused before the app sees them; `web.errors` gives them their look."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RefusedRequest(Exception):  # noqa: N818 (it is no failure of ours)
    """A request that is not taken; the text says what would be, and the connection ends, as more of it may come."""

    def __init__(
        self, text: str, status: HTTPStatus = HTTPStatus.FORBIDDEN, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


async def refused(scope: Scope, receive: Receive, send: Send, refuse: ASGIApp, why: RefusedRequest) -> None:
    """Answer with the refusal, and end the connection: what is left of the request is not waited for."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    scope["refused"] = why
    await refuse(scope, receive, closing)
