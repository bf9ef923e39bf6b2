"""The ports of a platform on one `celeriac local`: its processes and indexes, what befell them, and orders."""

import os
import time
from collections.abc import Iterable
from typing import Any

from celeriac.adapters.local_processes.connection import Connection, told, understood
from celeriac.core.apps import Rights
from celeriac.core.changes import Change
from celeriac.core.errors import MissingError
from celeriac.core.exhibits import Line
from celeriac.core.model import App, Crash, Instance, InstanceState, Place, Process
from celeriac.core.places import MISSING
from celeriac.evidence_ports import PlatformRecords
from celeriac.platform_ports import AppOrders, PlatformRights
from celeriac.ports import Platform

HEALTH_S = 10.0
"""There is no health check: a process counts as running as soon as it is started."""

CHANGES = frozenset({"restart", "scale"})


class LocalProcesses:
    """`Platform` on one `celeriac local`; `selectors` name its watched app (`name`, or `name:process`)."""

    def __init__(self, name: str, connection: Connection, *, selectors: Iterable[str]) -> None:
        self.name = name
        self._connection = connection
        self._wanted: dict[str, set[str]] = {}
        for selector in selectors:
            app, _, process = selector.partition(":")
            self._wanted.setdefault(app, set()).update({process} if process else ())

    def apps(self) -> tuple[App, ...]:
        """Return the watched apps with every index of every process, those that it does not run as missing."""
        with understood():
            app = self._app(self._connection.ask("app"))
        found = (app,) if app.name in self._wanted else ()
        absent = sorted(self._wanted.keys() - {app.name})
        return (*found, *(App(platform=self.name, guid="", name=name, state=MISSING) for name in absent))

    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the exits since then that nobody asked for, each once."""
        app = self._watched()
        with understood():
            return tuple(
                Crash(
                    one["id"],
                    self.name,
                    app,
                    one["process"],
                    one["index"],
                    one["instance"],
                    one["at"],
                    one["text"],
                    one["count"],
                )
                for one in self._events(since)
                if one["kind"] == "crash" and app and self._selected(app, one["process"])
            )

    def changes(self, since: float) -> tuple[Change, ...]:
        """Return what was done to the watched app since then, each once; nothing is ever under way here."""
        app = self._watched()
        with understood():
            return tuple(
                Change(
                    id=one["id"],
                    platform=self.name,
                    app=app,
                    at=one["at"],
                    what=one["text"],
                    actor=one["actor"],
                    process=one.get("process"),
                    index=one.get("index"),
                    own=one["uid"] == os.geteuid(),
                )
                for one in self._events(since)
                if one["kind"] in CHANGES and app
            )

    def instance(self, like: Instance) -> Instance:
        """Read one index again, now; raises MissingError if it is gone."""
        with understood():
            app = self._app(self._connection.ask("app"))
        for one in app.instances:
            if (one.app, one.process, one.index) == (like.app, like.process, like.index):
                return one
        raise MissingError(f"{like.app} has no index {like.index} of process {like.process} any more")

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index, which starts again as soon as it has ended; ConflictError if another instance is there by now."""
        self._connection.check(instance.app)
        self._connection.ask("restart_instance", process=instance.process, index=instance.index, guid=instance.guid)

    def logs(self, instance: Instance, limit: int) -> tuple[Line, ...]:
        """Return the newest lines of one index, oldest first, at most 1,000."""
        with understood():
            found = self._connection.ask("lines", limit=limit, process=instance.process, index=instance.index)
            return tuple(Line(f"{one['source']} {one['stream']} {one['text']}", one["at"]) for one in found)

    def events(self, instance: Instance, since: float) -> tuple[Line, ...]:
        """Return what befell its app since then, oldest first."""
        self._connection.check(instance.app)
        with understood():
            return tuple(Line(told(one), one["at"]) for one in self._events(since))

    def read(self, place: Place) -> App:
        """Return the app of a place as it is now; MissingError if another runs here by now."""
        with understood():
            app = self._app(self._connection.ask("app"))
        if app.name != place.app:
            raise MissingError(f"the app {place.app} does not run here any more; {app.name} does")
        return app

    def restart_app(self, app: App) -> None:
        """Stop all its instances and start new ones at once."""
        self._connection.check(app.name)
        self._connection.ask("restart")

    def scale(self, app: App, process: str, instances: int) -> None:
        """Want so many instances of one process; fewer end the highest indexes first."""
        self._connection.check(app.name)
        self._connection.ask("scale", process=process, instances=instances)

    def scaled_by(self, app: App) -> str | None:
        """Return None: nothing scales an app here by itself."""
        self._connection.check(app.name)
        return None

    def rights(self) -> Rights:
        """Return our rights: who may connect to the socket may do everything."""
        with understood():
            return Rights(self._connection.ask("clock")["user"], "owner of the socket", acts=True, reads_env=True)

    def clock_ahead(self) -> float:
        """Return by how many seconds its clock is ahead of ours: nothing but the time that the answer takes."""
        before = time.time()
        with understood():
            theirs = float(self._connection.ask("clock")["now"])
        return theirs - (before + time.time()) / 2

    def _events(self, since: float) -> list[dict[str, Any]]:
        return list(self._connection.ask("events", since=since))

    def _watched(self) -> str | None:
        """Return the name of the app that runs, if it is watched."""
        with understood():
            name = str(self._connection.ask("app")["name"])
        return name if name in self._wanted else None

    def _app(self, app: dict[str, Any]) -> App:
        mine = [one for one in app["processes"] if self._selected(app["name"], one["type"])]
        processes = tuple(Process(one["type"], len(one["instances"]), HEALTH_S, app["version"]) for one in mine)
        instances = tuple(
            Instance(
                platform=self.name,
                app=app["name"],
                app_guid=app["guid"],
                process=one["type"],
                index=each["index"],
                state=InstanceState(each["state"]),
                guid=each["guid"],
                uptime_s=each["uptime"],
                details=each["details"],
            )
            for one in mine
            for each in one["instances"]
        )
        return App(self.name, app["guid"], app["name"], "STARTED", processes, instances, restarts_ended=True)

    def _selected(self, app: str, process: str) -> bool:
        wanted = self._wanted.get(app, set())
        return not wanted or process in wanted


def _fits(platform: LocalProcesses) -> tuple[Platform, PlatformRecords, AppOrders, PlatformRights]:
    """Let the type checker prove that the class fits its ports."""
    return platform, platform, platform, platform
