"""What a route asks of its request: the foundation, a caller with the right scope, or the body."""

import json
from typing import Annotated, Any

from fastapi import Depends, Request

from celeriac.emulator.audit import Party
from celeriac.emulator.config import READ, WRITE
from celeriac.emulator.errors import ApiError, LogCacheError, not_authenticated, not_authorized, parse_error
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.uaa import Caller


async def _foundation(request: Request) -> Foundation:
    foundation: Foundation = request.app.state.foundation
    return foundation


async def _caller(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise not_authenticated()
    here: Foundation = request.app.state.foundation
    return here.uaa.caller(token.strip())


async def _reader(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if READ not in caller.scopes:
        raise not_authorized()
    return caller


async def _writer(caller: Annotated[Caller, Depends(_caller)]) -> Party:
    if WRITE not in caller.scopes:
        raise not_authorized()
    return Party(caller.guid, "user", caller.name)


async def _log_reader(request: Request) -> Caller:
    """The log cache hides behind 404 what a caller may not read."""
    try:
        return await _reader(await _caller(request))
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
Writer = Annotated[Party, Depends(_writer)]
Body = Annotated[bytes, Depends(_body)]
JsonBody = Annotated[dict[str, Any], Depends(_json_body)]
reads = Depends(_reader)
reads_logs = Depends(_log_reader)
