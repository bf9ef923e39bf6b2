"""Log lines from log-cache: a lossy ring in memory per app, read by time window; followed by walking such windows."""

import base64
import binascii
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.failures import TooManyError
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.core.apps import LogLine
from celeriac.core.errors import UnreachableError

OLDEST = -6795364578871345152
"""The start time that `cf logs --recent` sends: before anything."""

NEWEST: dict[str, Any] = {"descending": "true", "start_time": OLDEST}
MOST, FEWEST = 1000, 10
"""How many lines are asked for at once; an answer of more than 4 MB is refused (429), and half as many are asked for then."""

LAG_S = 2.0
"""Lines of several cells come in order only after a while, so that the newest seconds are read later."""

EVERY_S = 1.0
OUTAGE_S = 30.0
"""How long a silent log-cache is asked again before a follower is told."""

OF_INSTANCES = re.compile(r"^(?:APP|CELL|HEALTH)(?:/|$)")
"""Sources whose lines are of one instance; those of API, STG and RTR are of the app."""


@understood("an app's logs")
def recent(session: Session, app_guid: str, *, limit: int = 200) -> list[LogLine]:
    """Return an app's newest log lines, oldest first."""
    found, _ = _read(session, app_guid, min(limit, MOST), envelope_types="LOG", **NEWEST)
    return [_line(envelope) for envelope in reversed(found)]


def recent_of(session: Session, app_guid: str, index: int, *, limit: int) -> list[LogLine]:
    """Return the newest lines of one index, oldest first, as far as they are among the app's newest 1,000."""
    return [one for one in recent(session, app_guid, limit=MOST) if one.index == index][-limit:]


def follow(
    session: Session,
    app_guid: str,
    since: float,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[LogLine, ...]]:
    """Yield an app's lines from then on, each once, two seconds late; an empty tuple about each second without any.

    An outage of log-cache is waited out for half a minute, then it is an UnreachableError; at once if it never answered.
    """
    start, answered_at = int(since * 1e9), -math.inf
    given: list[tuple[int, LogLine]] = []
    while True:
        end = int((now() - LAG_S) * 1e9)
        found, whole = given, True
        try:
            if end > start:
                found, whole = _window(session, app_guid, start, end)
                answered_at = now()
        except UnreachableError:
            if now() - answered_at > OUTAGE_S:
                raise
        new = _without(found, given)
        start = found[-1][0] if found else start
        given = [one for one in found if one[0] == start]
        if not (new or whole):  # more lines of one time than fit into an answer
            start, given = start + 1, []
        yield tuple(line for _, line in new)
        if whole:
            sleep(EVERY_S)


@understood("an app's logs")
def _window(session: Session, app_guid: str, start: int, end: int) -> tuple[list[tuple[int, LogLine]], bool]:
    found, whole = _read(session, app_guid, MOST, envelope_types="LOG", start_time=start, end_time=end)
    return [(int(envelope["timestamp"]), _line(envelope)) for envelope in found], whole


def _without(found: list[tuple[int, LogLine]], given: list[tuple[int, LogLine]]) -> list[tuple[int, LogLine]]:
    """Leave out what was given before: a window begins with the time of the last line, as others may have the same."""
    left, new = list(given), []
    for one in found:
        if one in left:
            left.remove(one)
        else:
            new.append(one)
    return new


@understood("an app's logs")
def guids(session: Session, app_guid: str) -> list[tuple[str, int, str, float]]:
    """Return (process type, index, instance guid, time) of the newest lines and gauges: older APIs tell guids nowhere else."""
    found = []
    for envelope in _read(session, app_guid, MOST, **NEWEST)[0]:
        tags, index = envelope.get("tags") or {}, str(envelope.get("instance_id", ""))
        if tags.get("process_instance_id") and index.isdecimal():
            at = int(envelope["timestamp"]) / 1e9
            found.append((tags.get("process_type", ""), int(index), tags["process_instance_id"], at))
    return found


def _read(session: Session, app_guid: str, limit: int, **params: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return envelopes, and whether these are all; where they are too much for one answer fewer, as `cf logs` does it."""
    base, path = session.link("log_cache"), f"/api/v1/read/{quote(app_guid, safe='')}"
    while True:
        try:
            found = list(session.get_from(base, path, limit=limit, **params)["envelopes"]["batch"])
        except TooManyError:
            if limit <= FEWEST:
                raise
            limit = max(FEWEST, limit // 2)
        else:
            return found, len(found) < limit


def _line(envelope: dict[str, Any]) -> LogLine:
    tags, body = envelope.get("tags") or {}, envelope.get("log") or {}
    source, index = str(tags.get("source_type", "")), str(envelope.get("instance_id", ""))
    of_instance = bool(OF_INSTANCES.match(source)) and index.isdecimal()
    return LogLine(
        at=int(envelope["timestamp"]) / 1e9,
        source=source,
        stream=body.get("type", "OUT"),
        text=_payload(body).decode(errors="replace").rstrip("\n"),
        process=(tags.get("process_type") or _process(source)) if of_instance else None,
        index=int(index) if of_instance else None,
    )


def _payload(body: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(body.get("payload", ""))
    except binascii.Error as error:
        msg = "a line is not in base64"
        raise ValueError(msg) from error


def _process(source: str) -> str | None:
    """Return the process type that `APP/PROC/WORKER` or `APP/REV/3/PROC/WORKER` names."""
    _, found, process = source.partition("/PROC/")
    return process.partition("/")[0].lower() if found else None
