"""`AppRecords` over the emulator's own log-cache and audit events, for tests of what reads it."""

import threading
from collections.abc import Iterator
from datetime import datetime

from celeriac.adapters.cloudfoundry import Session, logcache
from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.model import App


class EmulatorRecords:
    """What the emulator tells of an app."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        return tuple(_line(one) for one in logcache.recent(self._session, app.guid, limit=limit))

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        seen: set[LogLine] = set()
        rest = threading.Event()
        while True:
            new = [one for one in self.lines(app, 1000) if one.at >= since and one not in seen]
            seen.update(new)
            yield tuple(new)
            rest.wait(0.3)

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        found = self._session.pages("/v3/audit_events", target_guids=app.guid, order_by="-created_at")
        return tuple(
            AppEvent(
                one["guid"],
                datetime.fromisoformat(one["created_at"]).timestamp(),
                one["type"],
                one["actor"]["name"],
                one["type"],
            )
            for one, _ in zip(found, range(limit), strict=False)
        )

    def environment(self, app: App) -> tuple[Variable, ...]:
        return (Variable("STARTED_BY", app.platform), Variable("BROKER_URL", None))

    def room(self, app: App) -> tuple[Room, ...]:
        return ()


def _line(one: logcache.LogLine) -> LogLine:
    process = one.source.rpartition("/")[2].lower() if one.source.startswith("APP/PROC/") else None
    return LogLine(one.at, one.source, one.stream, one.text, process, int(one.index) if one.index.isdigit() else None)
