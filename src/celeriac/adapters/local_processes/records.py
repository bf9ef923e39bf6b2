"""What one `celeriac local` tells of its app to people who look after it."""

import time
from collections.abc import Iterator

from celeriac.adapters.local_processes.connection import Connection, told, understood
from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.model import App
from celeriac.platform_ports import AppRecords

MOST_LINES = 1000
FOLLOW_S = 1.0


class LocalRecords:
    """`AppRecords` on one `celeriac local`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        """Return the newest lines, oldest first, at most 1,000."""
        self._connection.check(app.name)
        with understood():
            return tuple(LogLine(**one) for one in self._connection.ask("lines", limit=limit))

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        """Yield the lines from then on as they come, oldest first, each once; an empty tuple about each second without any."""
        self._connection.check(app.name)
        last = since
        while True:
            with understood():
                found = tuple(LogLine(**one) for one in self._connection.ask("lines", limit=MOST_LINES, after=last))
            last = found[-1].at if found else last
            yield found
            if len(found) < MOST_LINES:
                time.sleep(FOLLOW_S)

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        """Return the newest events, newest first."""
        self._connection.check(app.name)
        with understood():
            found = self._connection.ask("events", since=0.0)[::-1][:limit]
            return tuple(AppEvent(one["id"], one["at"], one["kind"], one.get("actor"), told(one)) for one in found)

    def environment(self, app: App) -> tuple[Variable, ...]:
        """Return the variables that it is started with, by name; what may be a secret has no value."""
        self._connection.check(app.name)
        with understood():
            return tuple(Variable(**one) for one in self._connection.ask("environment"))

    def room(self, app: App) -> tuple[Room, ...]:
        """Return nothing: no quota applies on this host."""
        self._connection.check(app.name)
        return ()


def _fits(records: LocalRecords) -> AppRecords:
    """Let the type checker prove that the class fits its port."""
    return records
