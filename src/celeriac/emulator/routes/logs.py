"""The log cache's read API; every key is one that its strict clients know."""

import time
from typing import Any

from fastapi import APIRouter, Request

from celeriac.emulator.access import LogReader
from celeriac.emulator.errors import ApiError, LogCacheError
from celeriac.emulator.logcache import KINDS

router = APIRouter(prefix="/api/v1")

_DEFAULT_LIMIT = 100
_MOST = 1000


@router.get("/info")
def info() -> dict[str, str]:
    """Say which log cache this is; no token needed."""
    return {"version": "3.1.0", "vm_uptime": str(int(time.monotonic()))}


@router.get("/meta")
def meta(view: LogReader) -> dict[str, Any]:
    """Describe the sources."""
    apps = {app.guid for app in view.apps()}
    return {"meta": {source: told for source, told in view.here.logs.meta().items() if source in apps}}


@router.get("/read/{source_id}")
def read(source_id: str, request: Request, view: LogReader) -> dict[str, Any]:
    """Read the lines and gauges of one app in a window of time; of other types there are none."""
    try:
        view.app(source_id)
    except ApiError as error:
        raise LogCacheError(404) from error
    params = request.query_params
    start = _whole(params.get("start_time", "0"), "start_time")
    end = _whole(params.get("end_time", "0"), "end_time") or view.here.logs.now_ns() + 1
    limit = _whole(params.get("limit", "0"), "limit") or _DEFAULT_LIMIT
    descending = params.get("descending", "false").lower() in ("true", "1")
    if not 0 < limit <= _MOST:
        raise LogCacheError(400, f"Limit must be between 1 and {_MOST}")
    kinds = _kinds(params.getlist("envelope_types"))
    batch = view.here.logs.read(source_id, start=start, end=end, limit=limit, descending=descending, kinds=kinds)
    return {"envelopes": {"batch": batch}}


def _kinds(types: list[str]) -> list[str]:
    wanted = {each.upper() for each in types}
    return [kind for kind in KINDS if not wanted or wanted & {kind.upper(), "ANY"}]


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise LogCacheError(400, f"{name} is not a whole number") from None
