"""What a route asks of its request: the foundation, what a caller with the right scope sees of it, or the body."""

import json
from typing import Annotated, Any

from fastapi import Depends, Request

from celeriac.emulator.config import READ, WRITE
from celeriac.emulator.errors import ApiError, LogCacheError, not_authenticated, not_authorized, parse_error
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.uaa import Caller
from celeriac.emulator.view import View


async def _foundation(request: Request) -> Foundation:
    foundation: Foundation = request.app.state.foundation
    return foundation


async def _caller(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise not_authenticated()
    here: Foundation = request.app.state.foundation
    return here.uaa.caller(token.strip())


async def read_view(request: Request) -> View:
    """Return what the caller sees; raises `ApiError` without a good token, or without the scope to read."""
    return await _view(request, READ)


async def _writer(request: Request) -> View:
    return await _view(request, WRITE)


async def _view(request: Request, scope: str) -> View:
    caller = await _caller(request)
    if scope not in caller.scopes:
        raise not_authorized()
    return View(request.app.state.foundation, caller)


async def _log_reader(request: Request) -> View:
    """The log cache hides behind 404 what a caller may not read."""
    try:
        return await read_view(request)
    except ApiError as error:
        raise LogCacheError(404) from error


async def _body(request: Request) -> bytes:
    return await request.body()


async def _json_body(body: Annotated[bytes, Depends(_body)]) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError as error:
        raise parse_error() from error
    if not isinstance(parsed, dict):
        raise parse_error()
    return parsed


Here = Annotated[Foundation, Depends(_foundation)]
Reader = Annotated[View, Depends(read_view)]
Writer = Annotated[View, Depends(_writer)]
LogReader = Annotated[View, Depends(_log_reader)]
Body = Annotated[bytes, Depends(_body)]
JsonBody = Annotated[dict[str, Any], Depends(_json_body)]
