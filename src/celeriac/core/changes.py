"""What other people do to an app on its platform: while they are at it, the keeper keeps its hands off."""

from msgspec import Struct

from celeriac.core.model import App, Place, Process

REMEMBERED_S = 3600.0


class Change(Struct, frozen=True):
    """One thing that was done to an app, or that is being done (`active`).

    `what` reads as "somebody ... the app". `process` and `index` are set where one instance was meant. `own` tells that
    it was done under the account that we use ourselves, which people may use too.
    """

    id: str
    platform: str
    app: str
    at: float
    what: str
    actor: str | None = None
    process: str | None = None
    index: int | None = None
    own: bool = False
    active: bool = False

    def concerns(self, place: Place) -> bool:
        """Tell whether it was done to this place's app, and not just to another process type of it."""
        app = (self.platform, self.app) == (place.platform, place.app)
        return app and self.process in {None, place.process}

    def touches(self, place: Place) -> bool:
        """Tell whether it was done to this place, or to all of its app."""
        if (self.platform, self.app) != (place.platform, place.app):
            return False
        return self.index is None or (self.process, self.index) == (place.process, place.index)


class Versions:
    """Remembers each process's version: a new one says that somebody started the app anew, whoever told us or not."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._changes: dict[str, Change] = {}

    def look(self, apps: tuple[App, ...], now: float) -> tuple[Change, ...]:
        """Return the changes of version that were noticed within the last hour; the first look notices none."""
        for app in apps:
            for process in app.processes:
                self._note(app, process, now)
        self._changes = {key: one for key, one in self._changes.items() if now - one.at <= REMEMBERED_S}
        return tuple(self._changes.values())

    def _note(self, app: App, process: Process, now: float) -> None:
        if process.version is None:
            return
        key = (app.guid, process.type)
        before, self._known[key] = self._known.get(key), process.version
        if before not in {None, process.version}:
            what = f"started process {process.type} in a new version"
            change = Change(f"version:{process.version}", app.platform, app.name, now, what, own=True)
            self._changes[change.id] = change
