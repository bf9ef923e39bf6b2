"""The one stream of a page: says that something changed, at most twice a second, and that it is alive.

It carries no data: whoever hears `changed` asks for what it shows. A stream ends when its client goes, and when the
server stops (`Feed.stop`), which otherwise would wait for every open page.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from celeriac.app.queries import Queries
from celeriac.core.errors import CeleriacError

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1")

LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 15.0


class Feed:
    """Tells all streams of one app when the store changed; however many there are, it looks only twice a second."""

    def __init__(
        self, queries: Queries, look_every_s: float = LOOK_EVERY_S, beat_every_s: float = BEAT_EVERY_S
    ) -> None:
        self._queries = queries
        self._look_every_s = look_every_s
        self._beat_every_s = beat_every_s
        self._version: tuple[int, ...] = ()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End every stream; called in the server's event loop when it begins to stop."""
        self._stopped.set()

    async def events(self) -> AsyncIterator[str]:
        """Yield `changed` at once and after each change, and `beat` when nothing changed for a while."""
        sent, said_at = None, time.monotonic()
        while not self._stopped.is_set():
            version, now = await self._look(), time.monotonic()
            if version != sent:
                sent, said_at = version, now
                yield self._event("changed")
            elif now - said_at >= self._beat_every_s:
                said_at = now
                yield self._event("beat")
            await self.rest(self._look_every_s)

    async def _look(self) -> tuple[int, ...]:
        async with self._looking:
            if time.monotonic() - self._looked_at >= self._look_every_s * 0.9:
                try:
                    self._version = await asyncio.to_thread(self._queries.version)
                except CeleriacError as error:
                    # Nobody is told of a change then, so pages show by themselves that their data is old.
                    log.warning("The store cannot be asked for changes: %s", error)
                self._looked_at = time.monotonic()
            return self._version

    async def rest(self, seconds: float) -> bool:
        """Wait so long, and tell whether streams may go on: they end when the server begins to stop."""
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return True
        return False

    def _event(self, name: str) -> str:
        return f"event: {name}\ndata: {json.dumps({'now': round(self._queries.now(), 3)})}\n\n"


@router.get(
    "/stream",
    tags=["stream"],
    summary="Hear of changes (server-sent events)",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "`changed` and `beat` events, until closed"}},
)
async def stream(request: Request) -> StreamingResponse:
    """Send `changed` whenever anything stored changed, and `beat` every 15 s; `data` holds the server's time `now`."""
    feed = cast("Feed", request.app.state.feed)
    # Proxies that collect answers before they pass them on would hold events back.
    return StreamingResponse(feed.events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
