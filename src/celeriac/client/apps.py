"""What the client asks of apps; an app is named by its id, or by its name where only one cluster has it."""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec
from msgspec import Struct

from celeriac.client.app_answers import App, AppEvent, Environment, LogLine, Remark
from celeriac.client.capacity_answers import Capacity
from celeriac.client.connection import Connection, Items, Time


class _Dropped(Struct, frozen=True):
    count: int


class _Why(Struct, frozen=True):
    why: str | None


_line = msgspec.json.Decoder(LogLine).decode
_dropped = msgspec.json.Decoder(_Dropped).decode
_why = msgspec.json.Decoder(_Why).decode


class Apps(Connection):
    """The reads of apps."""

    def apps(self, cluster: str | None = None) -> list[App]:
        """Return the watched apps."""
        return self._get("/apps", Items[App], cluster=cluster).items

    def app(self, id: str, cluster: str | None = None) -> App:
        """Return one app."""
        return self._get(_path(id), App, cluster=cluster)

    def logs(
        self,
        id: str,
        cluster: str | None = None,
        *,
        limit: int = 200,
        instance: int | None = None,
        process: str | None = None,
    ) -> list[LogLine]:
        """Return the newest lines of an app's log that its platform still has, oldest first."""
        which = {"instance": instance, "process": process}
        return self._get(f"{_path(id)}/logs", Items[LogLine], cluster=cluster, limit=limit, **which).items

    def follow_logs(
        self,
        id: str,
        cluster: str | None = None,
        *,
        since: Time | None = None,
        instance: int | None = None,
        process: str | None = None,
    ) -> Iterator[LogLine | Remark]:
        """Yield the lines of an app's log from now or from a time on, as they come; ends where its platform tells no more."""
        which = {"instance": instance, "process": process}
        for event in self._events(f"{_path(id)}/logs/stream", cluster=cluster, since=since, **which):
            if event.name == "line":
                yield _line(event.data)
            elif event.name == "dropped":
                count = _dropped(event.data).count
                yield Remark(f"{count} lines are left out here: they came faster than they were read.")
            elif event.name in {"trouble", "end"}:
                why = _why(event.data).why
                yield Remark(why or "The platform tells no more.")

    def app_events(self, id: str, cluster: str | None = None, *, limit: int = 50) -> list[AppEvent]:
        """Return what was done to an app and befell it, newest first."""
        return self._get(f"{_path(id)}/events", Items[AppEvent], cluster=cluster, limit=limit).items

    def environment(self, id: str, cluster: str | None = None) -> Environment:
        """Return the variables that an app is started with, without secrets."""
        return self._get(f"{_path(id)}/env", Environment, cluster=cluster)

    def capacity(self, id: str, cluster: str | None = None, *, wait_s: float | None = None) -> Capacity:
        """Return how busy an app was and how many instances its peak needs; `wait_s` is the wait objective (30 s)."""
        return self._get(f"{_path(id)}/capacity", Capacity, cluster=cluster, wait_s=wait_s)


def _path(id: str) -> str:
    return f"/apps/{quote(id, safe='')}"
