"""The only place that turns errors into answers: RFC 9457 problems for programs, a plain page for people."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from celeriac.core.errors import (
    CeleriacError,
    ConflictError,
    DeniedError,
    MissingError,
    NotTakenError,
    RefusedError,
    SignOnError,
    SparedError,
    ThrottledError,
    UnreachableError,
)
from celeriac.web.browser_safety import SECURITY_HEADERS
from celeriac.web.pages.templating import render
from celeriac.web.prefix import own_path
from celeriac.web.refusals import RefusedRequest

STATUS: dict[type[Exception], HTTPStatus] = {
    MissingError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    RefusedError: HTTPStatus.FORBIDDEN,
    UnreachableError: HTTPStatus.SERVICE_UNAVAILABLE,
    SignOnError: HTTPStatus.UNAUTHORIZED,
    DeniedError: HTTPStatus.FORBIDDEN,
    NotTakenError: HTTPStatus.BAD_REQUEST,
    ThrottledError: HTTPStatus.TOO_MANY_REQUESTS,
}
PROBLEM = "application/problem+json"
MACHINE_PATHS = ("/api/", "/healthz", "/readyz")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str = Field(description="the kind of problem")
    status: int = Field(description="the HTTP status code")
    detail: str = Field(description="what went wrong this time, in one sentence")
    instance: str = Field(description="the path that was asked for")


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the problems that a route may answer with, as OpenAPI documents them."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status.value: {"description": status.phrase, "content": {PROBLEM: {"schema": schema}}} for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make every error of this app an answer without a traceback."""
    app.add_exception_handler(CeleriacError, _domain)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that never reached a route: the edge has refused it, or nobody knows who asks."""
    error: RefusedRequest | CeleriacError = scope["refused"]
    request = Request(scope)
    if isinstance(error, CeleriacError):
        answer = _domain(request, error)
    else:
        answer = _answer(request, error.status, str(error), error.headers)
    await answer(scope, receive, send)


def _domain(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    headers: dict[str, str] = {}
    if isinstance(error, SparedError | ThrottledError):
        headers["Retry-After"] = str(max(1, ceil(error.after_s)))
    if isinstance(error, SignOnError):
        headers["WWW-Authenticate"] = "Bearer"
        if request.headers.get("hx-request"):
            headers["HX-Redirect"] = page_sign_on(request)
    return _answer(request, status, str(error), headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this type alone)
    said = [f"{'.'.join(map(str, each['loc'][1:])) or 'the request'}: {_words(each)}" for each in error.errors()]
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{'; '.join(said)}.")


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    words = str(error["msg"]).removeprefix("Value error, ")
    return words[:1].lower() + words[1:]


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for this type alone)
    status = HTTPStatus(error.status_code)
    sentences = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.url.path} does not take {request.method}.",
    }
    return _answer(request, status, sentences.get(status, error.detail), error.headers)


def _unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001 (the server logs it)
    detail = "Celeriac met an error that it did not expect; its log has the details."
    # This handler runs outside of all middleware.
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, {**SECURITY_HEADERS, "Cache-Control": "no-store"})


def page_sign_on(request: Request) -> str:
    """Return where a page goes whose session has ended: to the sign-on, which leads back to it."""
    root = request.scope.get("root_path", "")
    page = urlsplit(request.headers.get("hx-current-url", ""))
    onward = page.path.removeprefix(root) or "/"
    return f"{root}/login?{urlencode({'next': onward + (f'?{page.query}' if page.query else '')})}"


def _answer(request: Request, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    if own_path(request.scope).startswith(MACHINE_PATHS):
        problem = Problem(title=status.phrase, status=status, detail=detail, instance=request.url.path)
        return JSONResponse(problem.model_dump(), status, headers, PROBLEM)
    template = "partials/notice.html" if request.headers.get("hx-request") else "error.html"
    shown = {"tone": "bad", "title": status.phrase, "status": status.value, "text": detail}
    return render(request, template, shown, status=status, headers=headers)
