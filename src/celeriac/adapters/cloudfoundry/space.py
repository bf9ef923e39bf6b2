"""The apps of one space as places where workers run: their indexes, their crashes, and the orders to restart."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from msgspec import Struct

from celeriac.adapters.cloudfoundry import logcache
from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.changes import TOLD, line_of, of_deployment, of_event
from celeriac.adapters.cloudfoundry.indexes import EMBEDS, Indexes, Listed, united
from celeriac.adapters.cloudfoundry.orders import Orders
from celeriac.adapters.cloudfoundry.records import Records
from celeriac.adapters.cloudfoundry.rights import SpaceRights
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.adapters.cloudfoundry.where import Where, names, part
from celeriac.core.changes import Change
from celeriac.core.errors import MissingError, UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.model import App, Crash, Instance, InstanceState
from celeriac.core.places import MISSING
from celeriac.evidence_ports import PlatformRecords
from celeriac.platform_ports import AppOrders, AppRecords, PlatformRights
from celeriac.ports import Platform

CRASH = "audit.app.process.crash"
"""Diego writes two events for each crash; the other, `app.crash`, lacks the count."""

LIST_EVERY_S = 30.0
CHECK_EVERY_S = 60.0
CRASHES_AFTER_S = 60.0
CRASHES_EVERY_S = 60.0
"""Crash events come a little after the change of state that they explain."""

MOST_EVENTS = 200


class Options(Struct, frozen=True):
    """What else a platform may be told: a label selector, who watches (for the budget), App Autoscaler's address."""

    labels: str | None = None
    watcher: str = ""
    autoscaler: str | None = None
    secret_words: tuple[str, ...] = ()


DEFAULT = Options()


class Selectors:
    """Which apps of a space are watched: by `name` or `name:process`, and by Cloud Foundry's own label selector."""

    def __init__(self, named: Iterable[str], labels: str | None = None) -> None:
        self.labels = labels
        self._wanted: dict[str, set[str]] = {}
        self.spelt: dict[str, str] = {}  # Cloud Foundry finds apps by name in upper or lower case
        for selector in named:
            app, _, process = selector.partition(":")
            self.spelt.setdefault(app.lower(), app)
            self._wanted.setdefault(app.lower(), set()).update({process} if process else ())

    def has(self, app: str, process: str) -> bool:
        """Tell whether a process of a watched app is watched."""
        wanted = self._wanted.get(app.lower(), set())
        return not wanted or process in wanted


class CloudFoundry:
    """`Platform` on one space; beside it stand what people read (`records`), order (`orders`) and may do (`rights`)."""

    def __init__(
        self,
        name: str,
        session: Session,
        *,
        org: str,
        space: str,
        selectors: Iterable[str],
        options: Options = DEFAULT,
    ) -> None:
        self.name = name
        self._session, self._monotonic = session, session.monotonic
        self._where = Where(name, session, org=org, space=space)
        self._selected = Selectors(selectors, options.labels)
        self._indexes = Indexes(name, session, monotonic=session.monotonic)
        self._listed: tuple[list[dict[str, Any]], float] | None = None
        self._app_guids: dict[str, str] = {}
        self._checked_at: float | None = None
        self._key = f"{options.watcher}/{name}"
        self._crashed: tuple[tuple[Crash, ...], float, float] | None = None
        self._moved_at = 0.0
        self.records: AppRecords = Records(self._where, secret_words=options.secret_words)
        self.orders: AppOrders = Orders(self._where, self._look, autoscaler=options.autoscaler)
        self.rights: PlatformRights = SpaceRights(self._where)

    def apps(self) -> tuple[App, ...]:
        """Return the watched apps with every index of every process, the wanted but missing ones too.

        Raises SparedError while the request budget has no turn for it. The list of apps itself is read again when anything moves.
        """
        with self._session.budget.poll(f"{self._key} apps"):
            return self._look()

    @understood("its apps")
    def _look(self) -> tuple[App, ...]:
        processes = self._indexes.listed(self._where.space_id())
        apps = self._apps(processes)
        absent = sorted(self._selected.spelt.keys() - {one["name"].lower() for one in apps})
        found = [self._app(one, processes) for one in apps]
        return (
            *found,
            *(App(platform=self.name, guid="", name=self._selected.spelt[name], state=MISSING) for name in absent),
        )

    def _apps(self, processes: list[Listed]) -> list[dict[str, Any]]:
        """Return the watched apps, as of now if anything has moved, else as of the last half minute."""
        mine = [one for one in processes if self._is_mine(one)]
        now, old = self._monotonic(), self._listed
        there = {one.app_guid for one in processes}
        if self._indexes.moved(mine):
            self._moved_at = now
        elif old and now - old[1] < LIST_EVERY_S and self._app_guids.keys() <= there and self._all_there(old[0]):
            return old[0]
        apps = self._list()
        gone = self._app_guids.keys() - {one["guid"] for one in apps}
        due = self._checked_at is None or now - self._checked_at >= CHECK_EVERY_S
        if gone or (due and not self._all_there(apps)):
            self._where.check_seen()
            self._checked_at = now
        self._listed = apps, now
        self._app_guids = {one["guid"]: one["name"] for one in apps}
        return apps

    def _list(self) -> list[dict[str, Any]]:
        space, found = self._where.space_id(), {}
        if self._selected.spelt:
            by_name = self._session.pages("/v3/apps", names=names(self._selected.spelt.values()), space_guids=space)
            found.update({one["guid"]: one for one in by_name})
        if self._selected.labels:
            labelled = self._session.pages("/v3/apps", label_selector=self._selected.labels, space_guids=space)
            found.update({one["guid"]: one for one in labelled})
        return list(found.values())

    def _all_there(self, apps: list[dict[str, Any]]) -> bool:
        return self._selected.spelt.keys() <= {one["name"].lower() for one in apps}

    def _is_mine(self, one: Listed) -> bool:
        name = self._app_guids.get(one.app_guid)
        return bool(name and one.process.wanted and self._selected.has(name, one.process.type))

    def _app(self, app: dict[str, Any], processes: list[Listed]) -> App:
        guid, name = app["guid"], app["name"]
        mine = [one for one in processes if one.app_guid == guid and self._selected.has(name, one.process.type)]
        every = [each for one in mine if one.process.wanted for each in self._every(name, one, app["state"])]
        instances = {(each.process, each.index): each for each in every}  # of two of one type the newest process's word
        return App(
            self.name,
            guid,
            name,
            app["state"],
            united(mine),
            tuple(instances.values()),
            restarts_ended=True,
        )

    def _every(self, name: str, one: Listed, state: str) -> list[Instance]:
        """Return every wanted index; of a stopped app nothing runs."""
        if state == "STARTED":
            return self._indexes.every(name, one)
        return [
            Instance(self.name, name, one.app_guid, one.process.type, index, InstanceState.DOWN)
            for index in range(one.process.wanted)
        ]

    @understood("its crashes")
    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the exits since then that nobody asked for, each once.

        Where the list of processes tells that no instance has moved, the last answer still holds, for a minute.
        """
        if not self._app_guids:
            return ()
        now, old = self._monotonic(), self._crashed
        calm = self._session.version() >= EMBEDS and now - self._moved_at > CRASHES_AFTER_S
        if old and calm and old[1] <= since and now - old[2] < CRASHES_EVERY_S:
            return tuple(one for one in old[0] if one.at >= since)
        with self._session.budget.poll(f"{self._key} crashes"):
            found = {crash.id: crash for event in self._events((CRASH,), since) if (crash := self._crash(event))}
        self._crashed = tuple(found.values()), since, now
        return self._crashed[0]  # a crash between two pages shifts the list, and the second repeats its events

    @understood("its changes")
    def changes(self, since: float) -> tuple[Change, ...]:
        """Return what was done to the watched apps since then, each once, and the deployments that are under way."""
        if not self._app_guids:
            raise UnreachableError("no watched app has been seen yet")
        with self._session.budget.poll(f"{self._key} changes"):
            return self._changes(since)

    def _changes(self, since: float) -> tuple[Change, ...]:
        active = {"app_guids": ",".join(self._app_guids), "status_values": "ACTIVE", "per_page": 200}
        running = [
            of_deployment(one, self.name, name)
            for one in self._session.pages("/v3/deployments", **active)
            if (name := self._app_guids.get(one["relationships"]["app"]["data"]["guid"]))
        ]
        own = self._session.own_guid
        events = [
            of_event(one, self.name, name, own)
            for one in self._events(tuple(TOLD), since)
            if (name := self._app_guids.get(one["target"]["guid"]))
        ]
        return tuple({one.id: one for one in (*running, *events)}.values())

    def _events(self, types: tuple[str, ...], since: float) -> Iterator[dict[str, Any]]:
        params = {
            "types": ",".join(types),
            "target_guids": ",".join(self._app_guids),
            "created_ats[gte]": _stamp(since),
            "order_by": "-created_at",
            "per_page": 200,
        }
        return self._session.pages("/v3/audit_events", **params)

    @understood("an instance")
    def instance(self, like: Instance) -> Instance:
        """Read one index again, now; raises MissingError if it is gone."""
        with self._where.explained():
            found = self._indexes.stats(like.app_guid, like.app, like.process)
        for one in found:
            if one.index == like.index:
                return one
        raise MissingError(f"{like.app} has no index {like.index} of process {like.process} any more")

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index; Diego starts it again within its next convergence (30 s)."""
        path = f"/v3/apps/{part(instance.app_guid)}/processes/{part(instance.process)}/instances/{instance.index}"
        with self._where.explained():
            self._session.order("DELETE", path)

    def logs(self, instance: Instance, limit: int) -> tuple[Line, ...]:
        """Return the newest lines of one index, oldest first; log-cache keeps few.

        Lines of another process type's index of the same number are left out.
        """
        found = logcache.recent_of(self._session, instance.app_guid, instance.index, limit=limit)
        mine = (one for one in found if one.process in (None, instance.process))
        return tuple(Line(f"{one.source} {one.stream} {one.text}", one.at) for one in mine)

    @understood("an app's events")
    def events(self, instance: Instance, since: float) -> tuple[Line, ...]:
        """Return the newest audit events of its app since then, at most 200, oldest first."""
        params = {
            "target_guids": instance.app_guid,
            "created_ats[gte]": _stamp(since),
            "order_by": "-created_at",
            "per_page": MOST_EVENTS,
        }
        found = islice(self._session.pages("/v3/audit_events", **params), MOST_EVENTS)
        return tuple(line_of(one) for one in reversed(list(found)))

    def _crash(self, event: dict[str, Any]) -> Crash | None:
        data, app = event["data"], self._app_guids.get(event["target"]["guid"])
        process = event["actor"]["name"]
        if app is None or not self._selected.has(app, process):
            return None
        exact = data.get("crash_timestamp")
        at = exact / 1e9 if exact else datetime.fromisoformat(event["created_at"]).timestamp()
        return Crash(
            id=event["guid"],
            platform=self.name,
            app=app,
            process=process,
            index=data["index"],
            instance_guid=data["instance"],
            at=at,
            text=data.get("exit_description") or data.get("reason") or "crashed",
            count=data.get("crash_count", 1),
        )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fits(platform: CloudFoundry) -> tuple[Platform, PlatformRecords]:
    """Let the type checker prove that the class fits its ports."""
    return platform, platform
