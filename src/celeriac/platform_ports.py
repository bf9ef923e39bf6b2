"""The ports of a platform beside `celeriac.ports.Platform`: what people read of an app, and what is ordered for it.

Every method may raise a `PortError` (`core.errors`) and nothing else, and returns within its adapter's own time limit.
A RefusedError carries the platform's own reason.
"""

from collections.abc import Iterator
from typing import Protocol

from celeriac.core.apps import AppEvent, LogLine, Rights, Room, Variable
from celeriac.core.model import App, Place


class AppRecords(Protocol):
    """What a platform tells of one app to people who look after it.

    MissingError where it knows the app no more, or not for our account; RefusedError where our account may not read this.
    """

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        """Return the newest lines that it still has, oldest first, at most `limit`."""

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        """Yield the lines from then on as they come, oldest first, each once; an empty tuple about each second without any.

        Lines may come two seconds late, where those of several hosts are put in order. The first time that it is asked it
        answers or raises; an outage after that ends it at once, or is waited out for up to half a minute first.
        """

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        """Return the newest events, newest first, at most `limit`."""

    def environment(self, app: App) -> tuple[Variable, ...]:
        """Return the variables that it is started with, by name; what may be a secret has no value."""

    def room(self, app: App) -> tuple[Room, ...]:
        """Return what each quota that applies to it leaves; nothing where there are no quotas.

        Where quotas are those of a whole space, the app itself is not looked for.
        """


class AppOrders(Protocol):
    """What is ordered for a whole app; whether it took effect is seen by later looks.

    MissingError where the platform has no such app or process, RefusedError where it says no: then nothing has changed.
    """

    def read(self, place: Place) -> App:
        """Return the app of a place as it is now, read whatever the budget of polls says; MissingError if it is gone."""

    def restart_app(self, app: App) -> None:
        """Stop all its instances and start new ones at once."""

    def scale(self, app: App, process: str, instances: int) -> None:
        """Want so many instances of one process; fewer end the highest indexes first."""

    def scaled_by(self, app: App) -> str | None:
        """Return what else scales this app by itself, in words for people; None if nothing does.

        Where nothing could, the app itself need not be looked for.
        """


class PlatformRights(Protocol):
    """What the platform lets us do, and whether our clocks agree."""

    def rights(self) -> Rights:
        """Return what our account may do where the watched apps run; RefusedError where it may not even ask."""

    def clock_ahead(self) -> float:
        """Return by how many seconds the platform's clock is ahead of ours, to a second or so."""
