"""A platform in memory that tells of its apps: open to the tests, which may let it fail or hang."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.errors import PortError
from celeriac.core.model import App

SECRET = "hunter2-is-no-secret"


def line(at: float, text: str, index: int | None = 0, process: str | None = "worker", stream: str = "ERR") -> LogLine:
    source = f"APP/PROC/{process.upper()}" if process else "CELL"
    return LogLine(at, source, stream, text, process, index)


def celery(at: float, level: str, text: str, index: int = 0) -> LogLine:
    return line(at, f"[2026-09-21 14:13:20,000: {level}/MainProcess] {text}", index)


def night_lines(now: float) -> list[LogLine]:
    """Return what an app wrote before a night's incident."""
    return [
        line(now - 300, "Cell 4a1c creating container for instance 5f0c0002", 2, None, "OUT"),
        celery(now - 290, "INFO", "celery@2 ready.", 2),
        celery(now - 60, "WARNING", "consumer: connection to broker lost; api_key=" + SECRET, 2),
        celery(now - 50, "ERROR", "Task shop.orders.charge_card[0b7e] raised unexpected: ConnectionError()", 0),
        celery(now - 40, "CRITICAL", "Unrecoverable error: OperationalError()", 2),
        line(now - 30, 'GET /health 200 "ERROR is no error here"', 0, "web", "OUT"),
        celery(now - 20, "INFO", "an ERROR that is none", 1),
    ]


@dataclass
class MemoryRecords:
    """`AppRecords`: what it tells, what was asked of it, and how it fails."""

    told: list[LogLine] = field(default_factory=list)
    history: list[AppEvent] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    fails: PortError | Exception | None = None
    hangs: threading.Event | None = None
    asked: list[tuple[str, object]] = field(default_factory=list)
    followers: int = 0
    read: int = 0
    """Lines that the newest follower has been told of."""
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def write(self, *lines: LogLine) -> None:
        """Write lines, as an instance does."""
        with self.arrived:
            self.told += lines
            self.arrived.notify_all()

    def fail(self, error: PortError | Exception | None) -> None:
        """Fail from now on, until it is told otherwise."""
        with self.arrived:
            self.fails = error
            self.arrived.notify_all()

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        self._ask("lines", limit)
        return tuple(self.told[-limit:])

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        self._ask("follow", since)
        with self.arrived:
            seen = next((at for at, one in enumerate(self.told) if one.at >= since), len(self.told))
            self.followers += 1
        try:
            while True:
                with self.arrived:
                    if len(self.told) == seen and not self.fails:
                        self.arrived.wait(0.05)
                    if self.fails:
                        raise self.fails
                    new = tuple(self.told[seen:])
                    seen = len(self.told)
                yield new
                self.read = seen
        finally:
            with self.arrived:
                self.followers -= 1

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        self._ask("events", limit)
        return tuple(self.history[:limit])

    def environment(self, app: App) -> tuple[Variable, ...]:
        self._ask("environment", app.name)
        return tuple(self.variables)

    def room(self, app: App) -> tuple[Room, ...]:
        self._ask("room", app.name)
        return ()

    def _ask(self, what: str, how: object) -> None:
        self.asked.append((what, how))
        if self.hangs:
            self.hangs.wait(30)
        if self.fails:
            raise self.fails


def night_records(now: float) -> MemoryRecords:
    """Return what the platform tells of the app of a night's incident."""
    return MemoryRecords(
        told=night_lines(now),
        history=[
            AppEvent("event-2", now - 40, "audit.app.process.crash", "worker", "index 2, exit status 137"),
            AppEvent("event-1", now - 7_000, "audit.app.update", "ada@example.org", f"set password={SECRET}"),
        ],
        variables=[
            Variable("BROKER_URL", None),
            Variable("CELERY_QUEUES", "orders,mail"),
            Variable("PAYMENT_API_KEY", SECRET),
            Variable("RESULT_URL", "redis://celery:" + SECRET + "@redis.internal:6379/1"),
        ],
    )
