"""The login server and the UAA's token endpoint."""

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from celeriac.emulator.access import Body, Here
from celeriac.emulator.errors import UaaError

router = APIRouter()


@router.get("/login")
def login(here: Here) -> dict[str, Any]:
    """Say how people log in."""
    code = f"Temporary Authentication Code ( Get one at {here.url}/passcode )"
    return {
        "app": {"version": "77.20.0"},
        "links": {"uaa": here.url, "login": here.url, "passwd": "/forgot_password"},
        "zone_name": "uaa",
        "entityID": here.url.partition("://")[2],
        "commit_id": "emulator",
        "prompts": {
            "username": ["text", "Email"],
            "password": ["password", "Password"],
            "passcode": ["password", code],
        },
        "timestamp": "2026-10-01T00:00:00+0000",
    }


@router.get("/passcode")
def passcode(request: Request, here: Here) -> Response:
    """Give a one-time code to who says name and password, in place of the page that a browser shows after its login."""
    try:
        return PlainTextResponse(here.uaa.passcode(request.headers.get("authorization", "")))
    except UaaError as error:
        challenge = {"WWW-Authenticate": 'Basic realm="the emulated UAA"'}
        return JSONResponse(error.body(), error.status, challenge)


@router.post("/oauth/token")
def token(request: Request, here: Here, body: Body) -> dict[str, Any]:
    """Trade credentials for tokens."""
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError as error:
        raise UaaError(400, "invalid_request", "The body is not a form") from error
    return here.uaa.token(dict(request.query_params) | form, request.headers.get("authorization", ""))
