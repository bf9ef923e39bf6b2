"""Recent log lines from log-cache: a lossy ring in memory per app, read by time window."""

import base64
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.session import Session

OLDEST = -6795364578871345152
"""The start time that `cf logs --recent` sends: before anything."""


class LogLine(Struct, frozen=True):
    """One line of an instance or of the platform about it; `at` in seconds since the epoch."""

    at: float
    source: str
    index: str
    stream: str
    text: str


@understood("an app's logs")
def recent(session: Session, app_guid: str, *, limit: int = 200) -> list[LogLine]:
    """Return an app's newest log lines, oldest first."""
    answer = session.get_from(
        session.link("log_cache"),
        f"/api/v1/read/{quote(app_guid, safe='')}",
        descending="true",
        envelope_types="LOG",
        limit=min(limit, 1000),
        start_time=OLDEST,
    )
    return [_line(envelope) for envelope in reversed(answer["envelopes"]["batch"])]


def recent_of(session: Session, app_guid: str, index: int, *, limit: int) -> list[LogLine]:
    """Return the newest lines of one index, oldest first, as far as they are among the app's newest 1,000."""
    return [one for one in recent(session, app_guid, limit=1000) if one.index == str(index)][-limit:]


def _line(envelope: dict[str, Any]) -> LogLine:
    tags, body = envelope.get("tags") or {}, envelope.get("log") or {}
    payload = base64.b64decode(body.get("payload", ""))
    return LogLine(
        at=int(envelope["timestamp"]) / 1e9,
        source=tags.get("source_type", ""),
        index=envelope.get("instance_id", ""),
        stream=body.get("type", "OUT"),
        text=payload.decode(errors="replace").rstrip("\n"),
    )
