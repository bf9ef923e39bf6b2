"""The watched apps over HTTP: what the platform and the keeper say of them, and what only the platform tells when asked."""

import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from celeriac.app.app_record_queries import MOST_LINES
from celeriac.app.app_record_views import AppEventView, EnvironmentView, LogLineView
from celeriac.app.app_views import AppView
from celeriac.app.following import Following
from celeriac.core.log_lines import Lines
from celeriac.web.api.answers import AMBIGUOUS, LISTED, UNSTORED, Cluster, Items, Limit, Since, seconds_of
from celeriac.web.api.stream import BEAT_EVERY_S, Feed
from celeriac.web.deps import Reads
from celeriac.web.errors import responses

LOOK_EVERY_S = 0.25
JUST_AFTER_S = 0.000_001
"""A line's id in the stream is the time from which the next ones are asked for."""

ASKED = AMBIGUOUS | responses(HTTPStatus.FORBIDDEN, UNSTORED)

AppId = Annotated[str, Path(description="id or name")]
Instance = Annotated[int | None, Query(ge=0, description="only this index")]
Process = Annotated[str | None, Query(description="only this process type")]
LogLimit = Annotated[int, Query(ge=1, le=MOST_LINES, description="how many at most")]

router = APIRouter(prefix="/api/v1", tags=["apps"])


@router.get("/apps", summary="List the watched apps", responses=LISTED)
def apps(queries: Reads, cluster: Cluster = None) -> Items[AppView]:
    """Return the apps with the platform's state and our verdict side by side."""
    return Items(items=queries.apps(cluster))


@router.get("/apps/{id}", summary="Show one app", responses=AMBIGUOUS)
def app(id: AppId, queries: Reads, cluster: Cluster = None) -> AppView:
    """Return one app; a name that several clusters have is a conflict whose detail lists them."""
    return queries.app(id, cluster)


@router.get("/apps/{id}/logs", summary="Show the newest lines of an app's log", responses=ASKED)
def logs(
    id: AppId,
    queries: Reads,
    cluster: Cluster = None,
    limit: LogLimit = 200,
    instance: Instance = None,
    process: Process = None,
) -> Items[LogLineView]:
    """Ask the platform, which keeps few, and return the newest lines, oldest first; what may be secret is left out."""
    return Items(items=queries.app_records.logs(id, cluster, limit=limit, which=Lines(instance, process)))


@router.get(
    "/apps/{id}/logs/stream",
    summary="Follow an app's log (server-sent events)",
    response_class=StreamingResponse,
    responses={
        **ASKED,
        200: {"content": {"text/event-stream": {}}, "description": "`line`, `dropped`, `trouble` and `end` events"},
    },
)
def follow(
    request: Request,
    id: AppId,
    queries: Reads,
    cluster: Cluster = None,
    since: Since = None,
    instance: Instance = None,
    process: Process = None,
    last_event_id: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> StreamingResponse:
    """Send the lines from `since` (now, if not given) on as they come, each a `line` event whose data is a LogLine.

    Who reads too slowly loses the oldest: `dropped` tells how many. While the platform fails, `trouble` tells why; `end`
    comes where it will not tell more. Each event's id is the `since` from which to go on.
    """
    begin = _seconds(last_event_id) or since
    following = queries.app_records.follow(id, cluster, since=begin, which=Lines(instance, process))
    said = _said(following, cast("Feed", request.app.state.feed))
    return StreamingResponse(said, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/apps/{id}/events", summary="List what befell an app, newest first", responses=ASKED)
def events(id: AppId, queries: Reads, cluster: Cluster = None, limit: Limit = 50) -> Items[AppEventView]:
    """Ask the platform what was done to the app, and what befell it."""
    return Items(items=queries.app_records.events(id, cluster, limit=limit))


@router.get("/apps/{id}/env", summary="Show the variables of an app, without secrets", responses=ASKED)
def env(id: AppId, queries: Reads, cluster: Cluster = None) -> EnvironmentView:
    """Ask the platform for the variables that the app is started with; what may be a secret has no value."""
    return queries.app_records.environment(id, cluster)


async def _said(following: Following, feed: Feed) -> AsyncIterator[bytes]:
    """Yield what comes, and a comment where nothing came for a while, until either side has enough."""
    said_at, trouble = time.monotonic(), None
    try:
        yield b": the lines follow\n\n"
        while True:
            taken = following.take()
            parts = [_event("dropped", {"count": taken.dropped})] if taken.dropped else []
            parts += [_line(one) for one in taken.lines]
            if taken.trouble and taken.trouble != trouble and not taken.over:
                parts.append(_event("trouble", {"why": taken.trouble}))
            trouble = taken.trouble
            if taken.over:
                parts.append(_event("end", {"why": trouble}))
            if parts:
                said_at = time.monotonic()
                yield b"".join(parts)
            elif time.monotonic() - said_at >= BEAT_EVERY_S:
                said_at = time.monotonic()
                yield b": nothing new\n\n"
            if taken.over or not await feed.rest(LOOK_EVERY_S):
                return
    finally:
        following.close()


def _line(line: LogLineView) -> bytes:
    after = line.at.timestamp() + JUST_AFTER_S
    return f"id: {after:.6f}\n".encode() + _event("line", line)


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


def _seconds(last_event_id: str | None) -> float | None:
    """Return where a browser's own reconnect goes on; what is no time of ours is no reason to refuse it."""
    try:
        return float(seconds_of(last_event_id)) if last_event_id else None
    except ValueError:
        return None
