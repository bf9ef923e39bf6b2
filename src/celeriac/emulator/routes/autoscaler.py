"""The autoscaler of the open-source platform: the policy that it holds for an app; it scales nothing here."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from celeriac.emulator.access import read_view
from celeriac.emulator.errors import ApiError
from celeriac.emulator.roles import Right

router = APIRouter(prefix="/v1/apps")


@router.get("/{guid}/policy")
async def show_policy(guid: str, request: Request) -> Response:
    """Show the policy of an app; like the real one it answers 401 to all who are not developers in its space."""
    try:
        view = await read_view(request)
        app = view.require(Right.READ_POLICY, view.app(guid))
    except ApiError:
        return _refusal(401, "Unauthorized", "You are not authorized to perform the requested action")
    if app.autoscaler is None:
        return _refusal(404, "Not Found", "No policy bound with application")
    return JSONResponse(dict[str, Any](app.autoscaler))


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)
