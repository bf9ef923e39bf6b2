"""The way to the foundation and its front door, made wrong by the faults that are in force.

It stands before the application: some faults answer in its place, others change what it answers. The control of the faults
themselves (`/emulator/...`) passes untouched.
"""

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celeriac.emulator.clock import Clock
from celeriac.emulator.errors import ApiError, diego_unavailable, instances_unavailable, not_found, unprocessable
from celeriac.emulator.errors import org_suspended as suspended
from celeriac.emulator.faults import FaultKind, Faults
from celeriac.emulator.uaa import Uaa

CONTROL = "/emulator/"
_LOG_CACHE = "/api/v1/"
_UNCOUNTED = frozenset({"/", "/v3", "/v3/"})
_OPEN_TO_ALL = frozenset({"v3", "v3/info"})
_JSON, _TEXT, _HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_PORTAL_PAGE = "<html><head><title>Sign in</title></head><body>Please sign in to use this network.</body></html>"
_NO_LOG_CACHE = "502 Bad Gateway: Registered endpoint failed to handle the request.\n"
_NO_USAGE_WARNING = ("x-cf-warnings", "Stats+server+temporarily+unavailable.")
_OF_ONE = {
    "apps": "App",
    "audit_events": "Event",
    "deployments": "Deployment",
    "droplets": "Droplet",
    "packages": "Package",
    "processes": "Process",
    "routes": "Route",
    "sidecars": "Sidecar",
}
"""What the API calls the things of its lists when one is not to be seen."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the faults look at of a request."""

    method: str
    path: str
    authorization: str

    @property
    def parts(self) -> list[str]:
        return self.path.strip("/").split("/")

    @property
    def of_stats(self) -> bool:
        """Tell whether it asks for the usage of instances."""
        return self.method == "GET" and self.parts[-1] == "stats"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `whole` is False for one that ends in the middle."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    whole: bool = True


Edit = Callable[[Answer], Answer]


class FaultyWay:
    """Middleware; without a fault in force it lets everything through as it is."""

    def __init__(self, app: ASGIApp, faults: Faults, uaa: Uaa, clock: Clock) -> None:
        self._app, self._faults, self._uaa, self._clock = app, faults, uaa, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(scope["method"], scope["path"], headers.get("authorization", ""))
        if slow := self._faults.find(FaultKind.SLOW, request.path):
            await asyncio.sleep(slow.fault.seconds)
        edits: list[Edit] = [self._cut] if self._faults.has(FaultKind.CUT_OFF, request.path) else []
        answer = self._instead(request, edits)
        if answer is None and not edits:
            await self._app(scope, receive, send)
            return
        if answer is None:
            answer = await _answered(self._app, scope, receive)
        for edit in reversed(edits):
            answer = edit(answer)
        await _send(answer, send)

    def _instead(self, request: Request, edits: list[Edit]) -> Answer | None:
        """Return what is answered in the application's place, and add how its own answer is to be changed, the last first."""
        has, path = self._faults.has, request.path
        if has(FaultKind.NOT_JSON, path):
            return _page(200, _PORTAL_PAGE)
        if has(FaultKind.BAD_GATEWAY, path):
            return _page(502, _GATEWAY_PAGE)
        if path.startswith(_LOG_CACHE):
            return self._of_log_cache(path)
        return self._of_api(request, edits) if request.parts[0] == "v3" else None

    def _of_api(self, request: Request, edits: list[Edit]) -> Answer | None:
        if request.path not in _UNCOUNTED and (refused := self._counted(request, edits)):
            return refused
        error = self._refusal(request)
        if error is not None:
            return _error(error)
        edits += self._changes(request)
        return None

    def _changes(self, request: Request) -> Iterator[Edit]:
        """Yield how a good answer of the API is changed."""
        has, path, where = self._faults.has, request.path, "/".join(request.parts)
        if request.method != "GET":
            return
        if request.of_stats and (has(FaultKind.NO_USAGE, path) or has(FaultKind.LOG_CACHE_DOWN)):
            yield _without_usage
        if where not in _OPEN_TO_ALL and has(FaultKind.LOST_ROLE, path):
            yield _without_resources
        if where == "v3/organizations" and has(FaultKind.ORG_SUSPENDED):
            yield _with_suspended_orgs

    def _of_log_cache(self, path: str) -> Answer | None:
        if self._faults.has(FaultKind.LOG_CACHE_DOWN, path):
            return Answer(502, (("content-type", _TEXT),), _NO_LOG_CACHE.encode())
        if self._faults.has(FaultKind.LOST_ROLE) and path.startswith(f"{_LOG_CACHE}read/"):
            return Answer(404, (("content-type", _TEXT),))
        return None

    def _refusal(self, request: Request) -> ApiError | None:
        """Return the error of the API that a fault makes of this request."""
        has, path, parts, orders = self._faults.has, request.path, request.parts, request.method != "GET"
        if has(FaultKind.LOST_ROLE, path) and len(parts) > 2 and parts[1] in _OF_ONE:
            return not_found(_OF_ONE[parts[1]])
        if has(FaultKind.ORG_SUSPENDED, path) and orders:
            return suspended()
        quota = self._faults.find(FaultKind.QUOTA, path)
        if quota and orders and parts[-2:] == ["actions", "scale"]:
            return unprocessable(quota.fault.detail)
        if has(FaultKind.DIEGO_DOWN, path):
            return _without_diego(request)
        return None

    def _counted(self, request: Request, edits: list[Edit]) -> Answer | None:
        """Count a request against the rate limit; every answer tells what is left, to a tenth as the platform does."""
        limit = self._faults.find(FaultKind.RATE_LIMIT, request.path)
        if limit is None:
            return None
        left, reset_s = self._faults.count(limit, self._caller(request))
        most = limit.fault.limit
        step = max(1, most // 10)
        told = (
            ("x-ratelimit-limit", str(most)),
            ("x-ratelimit-remaining", str(max(0, left) // step * step)),
            ("x-ratelimit-reset", str(math.ceil(self._clock() + reset_s))),
        )
        if left >= 0:
            edits.append(lambda answer: replace(answer, headers=(*answer.headers, *told)))
            return None
        error = ApiError(429, 10013, "CF-RateLimitExceeded", "Rate Limit Exceeded")
        headers = (("content-type", _TEXT), ("retry-after", str(math.ceil(reset_s))), *told)
        return Answer(429, headers, json.dumps(error.body()).encode())

    def _caller(self, request: Request) -> str:
        try:
            return self._uaa.caller(request.authorization.partition(" ")[2]).guid
        except ApiError:
            return ""

    @staticmethod
    def _cut(answer: Answer) -> Answer:
        return replace(answer, whole=False)


def _without_diego(request: Request) -> ApiError | None:
    """Cloud Controller knows what is wanted and asks Diego what is; a stop and a start it only notes for later."""
    parts = request.parts
    if request.method == "GET":
        return instances_unavailable() if parts[-1] in {"stats", "process_instances"} else None
    stops_one = request.method == "DELETE" and parts[-2:-1] == ["instances"]
    return diego_unavailable() if stops_one or parts[-2:] == ["actions", "restart"] else None


def _page(status: int, text: str) -> Answer:
    return Answer(status, (("content-type", _HTML),), text.encode())


def _error(error: ApiError) -> Answer:
    return Answer(error.status, (("content-type", _JSON),), json.dumps(error.body()).encode())


def _edited(answer: Answer, change: Callable[[dict[str, Any]], None]) -> Answer:
    """Change the JSON of a good answer."""
    if answer.status != 200:
        return answer
    body = json.loads(answer.body)
    change(body)
    return replace(answer, body=json.dumps(body).encode())


def _without_usage(answer: Answer) -> Answer:
    def change(body: dict[str, Any]) -> None:
        for one in body["resources"]:
            if "usage" in one:
                one |= {"usage": {}, "mem_quota": None, "disk_quota": None, "log_rate_limit": None}

    found = _edited(answer, change)
    return replace(found, headers=(*found.headers, _NO_USAGE_WARNING))


def _without_resources(answer: Answer) -> Answer:
    def change(body: dict[str, Any]) -> None:
        if "pagination" in body:
            only = body["pagination"]["first"]
            body["pagination"] |= {"total_results": 0, "total_pages": 1, "last": only, "next": None, "previous": None}
            body["resources"] = []

    return _edited(answer, change)


def _with_suspended_orgs(answer: Answer) -> Answer:
    def change(body: dict[str, Any]) -> None:
        for one in body["resources"]:
            one["suspended"] = True

    return _edited(answer, change)


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """Let the application answer, and keep what it says."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start = messages[0]
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], headers, b"".join(one.get("body", b"") for one in messages[1:]))


async def _send(answer: Answer, send: Send) -> None:
    """Send an answer; one that is cut off promises all and gives half, and the server then closes the connection."""
    kept = [(name, value) for name, value in answer.headers if name != "content-length"]
    headers = [*kept, ("content-length", str(len(answer.body)))]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if answer.whole:
        await send({"type": "http.response.body", "body": answer.body})
    else:
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
