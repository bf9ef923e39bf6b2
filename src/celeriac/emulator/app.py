"""The HTTP side of the emulator: all routes, every error in the form of its part, a request id and a date on each answer."""

import logging
import uuid
from email.utils import formatdate
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from celeriac.emulator.clock import Clock
from celeriac.emulator.errors import ApiError, LogCacheError, UaaError, unknown_error, unknown_request
from celeriac.emulator.faulty_way import FaultyWay
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.routes import (
    app_routes,
    apps,
    audit_events,
    autoscaler,
    deployments,
    discovery,
    environment,
    faults,
    login,
    logs,
    manifests,
    packages,
    processes,
    sidecars,
    spaces,
)

_LOG = logging.getLogger(__name__)
_REQUEST_ID = b"x-vcap-request-id"


PARTS = (
    discovery,
    login,
    spaces,
    apps,
    environment,
    processes,
    sidecars,
    packages,
    app_routes,
    manifests,
    deployments,
    audit_events,
    logs,
    autoscaler,
    faults,
)
"""The modules whose routes are answered, each with a `router`."""


def create_app(foundation: Foundation) -> ASGIApp:
    """Make the application that answers for a foundation."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.foundation = foundation
    for part in PARTS:
        app.include_router(part.router)
    handlers: dict[Any, Any] = {
        ApiError: _json_error,
        UaaError: _json_error,
        LogCacheError: _log_cache_error,
        HTTPException: _unknown,
        Exception: _defect,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
    way = FaultyWay(app, foundation.faults, foundation.uaa, foundation.clock)
    return _Stamped(way, foundation.clock)


def _json_error(_: Request, error: ApiError | UaaError) -> Response:
    return JSONResponse(error.body(), error.status)


def _log_cache_error(_: Request, error: LogCacheError) -> Response:
    return PlainTextResponse(error.text, error.status)


def _unknown(request: Request, _: HTTPException) -> Response:
    """Answer for a wrong path and for a wrong method, which the platform does not tell apart."""
    return _json_error(request, unknown_request())


def _defect(request: Request, _: Exception) -> Response:
    """Answer for a defect of the emulator, which is logged further out."""
    return _json_error(request, unknown_error())


class _Stamped:
    """Outermost of all: numbers and dates each answer, and logs a defect of the emulator instead of letting uvicorn do so."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{uuid.uuid4()}::{uuid.uuid4()}".encode()

        async def send_stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._clock(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (_REQUEST_ID, request_id), (b"date", date)]
            await send(message)

        try:
            await self._app(scope, receive, send_stamped)
        except Exception:  # noqa: BLE001 (it was answered with 500 further in)
            _LOG.exception("The emulator failed to answer %s %s", scope["method"], scope["path"])
