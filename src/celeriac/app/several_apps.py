"""What people read of apps and what is ordered for them, where a cluster's apps are on several platforms: each on its own."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.errors import MissingError
from celeriac.core.model import App, Place
from celeriac.platform_ports import AppOrders, AppRecords

T = TypeVar("T")


class SeveralRecords:
    """`AppRecords` of several platforms, by their names."""

    def __init__(self, records: Mapping[str, AppRecords]) -> None:
        self._records = records

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        """Return the newest lines, oldest first."""
        return _of(self._records, app.platform).lines(app, limit)

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        """Yield the lines from then on as they come."""
        return _of(self._records, app.platform).follow(app, since)

    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        """Return the newest events, newest first."""
        return _of(self._records, app.platform).events(app, limit)

    def environment(self, app: App) -> tuple[Variable, ...]:
        """Return the variables that it is started with."""
        return _of(self._records, app.platform).environment(app)

    def room(self, app: App) -> tuple[Room, ...]:
        """Return what each quota that applies to it leaves."""
        return _of(self._records, app.platform).room(app)


class SeveralOrders:
    """`AppOrders` on several platforms, by their names."""

    def __init__(self, orders: Mapping[str, AppOrders]) -> None:
        self._orders = orders

    def read(self, place: Place) -> App:
        """Return the app of a place as it is now."""
        return _of(self._orders, place.platform).read(place)

    def restart_app(self, app: App) -> None:
        """Stop all its instances and start new ones at once."""
        _of(self._orders, app.platform).restart_app(app)

    def scale(self, app: App, process: str, instances: int) -> None:
        """Want so many instances of one process."""
        _of(self._orders, app.platform).scale(app, process, instances)

    def scaled_by(self, app: App) -> str | None:
        """Return what else scales this app by itself."""
        return _of(self._orders, app.platform).scaled_by(app)


def _of(each: Mapping[str, T], platform: str | None) -> T:
    if platform is None or platform not in each:
        raise MissingError(f"no platform {platform!r} is one of this cluster's")
    return each[platform]


def _fits(records: SeveralRecords, orders: SeveralOrders) -> tuple[AppRecords, AppOrders]:
    """Let the type checker prove that the classes fit their ports."""
    return records, orders
