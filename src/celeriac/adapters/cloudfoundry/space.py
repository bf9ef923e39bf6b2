"""The apps of one space as places where workers run: their indexes, their crashes, and the orders to restart."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from celeriac.adapters.cloudfoundry import logcache
from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.changes import TOLD, of_deployment, of_event
from celeriac.adapters.cloudfoundry.session import Session
from celeriac.core.changes import Change
from celeriac.core.errors import MissingError, UnreachableError
from celeriac.core.exhibits import Line
from celeriac.core.model import App, Crash, Instance, InstanceState, Process
from celeriac.core.places import MISSING
from celeriac.evidence_ports import PlatformRecords
from celeriac.ports import Platform

CRASH = "audit.app.process.crash"
"""Diego writes two events for each crash; the other, `app.crash`, lacks the count."""

DEFAULT_HEALTH_S = 60.0
MOST_EVENTS = 200
EVENT_WORDS = (
    "process_type",
    "process_index",
    "index",
    "instance",
    "reason",
    "exit_description",
    "exit_status",
    "crash_count",
)
"""What is told of an event's data; the rest may hold settings of the app."""


class CloudFoundry:
    """`Platform` on one space; `selectors` name its watched apps (`name`, or `name:process`)."""

    def __init__(self, name: str, session: Session, *, org: str, space: str, selectors: Iterable[str]) -> None:
        self.name = name
        self._session, self._org, self._space = session, org, space
        self._wanted: dict[str, set[str]] = {}
        self._spelt: dict[str, str] = {}  # Cloud Foundry finds apps by name in upper or lower case
        for selector in selectors:
            app, _, process = selector.partition(":")
            self._spelt.setdefault(app.lower(), app)
            self._wanted.setdefault(app.lower(), set()).update({process} if process else ())
        self._space_guid: str | None = None
        self._app_guids: dict[str, str] = {}

    @understood("its apps")
    def apps(self) -> tuple[App, ...]:
        """Return the watched apps with every index of every process, the wanted but missing ones too."""
        found = list(self._session.pages("/v3/apps", names=_names(self._spelt.values()), space_guids=self._space_id()))
        self._app_guids = {one["guid"]: one["name"] for one in found}
        absent = sorted(self._spelt.keys() - {one["name"].lower() for one in found})
        return (
            *(self._app(one) for one in found),
            *(App(platform=self.name, guid="", name=self._spelt[name], state=MISSING) for name in absent),
        )

    @understood("its crashes")
    def crashes(self, since: float) -> tuple[Crash, ...]:
        """Return the exits since then that nobody asked for, each once."""
        if not self._app_guids:
            return ()
        found = {crash.id: crash for event in self._events((CRASH,), since) if (crash := self._crash(event))}
        return tuple(found.values())  # a crash between two pages shifts the list, and the second repeats its events

    @understood("its changes")
    def changes(self, since: float) -> tuple[Change, ...]:
        """Return what was done to the watched apps since then, each once, and the deployments that are under way."""
        if not self._app_guids:
            raise UnreachableError("no watched app has been seen yet")
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
        for one in self._instances(like.app_guid, like.app, like.process):
            if one.index == like.index:
                return one
        raise MissingError(f"{like.app} has no index {like.index} of process {like.process} any more")

    def restart_instance(self, instance: Instance) -> None:
        """Stop one index; Diego starts it again within its next convergence (30 s)."""
        path = f"/v3/apps/{_part(instance.app_guid)}/processes/{_part(instance.process)}/instances/{instance.index}"
        self._session.order("DELETE", path)

    def logs(self, instance: Instance, limit: int) -> tuple[Line, ...]:
        """Return the newest lines of one index, oldest first; log-cache keeps few.

        It tells indexes apart and no process types, so lines of another type's index of the same number are left out.
        """
        found = logcache.recent_of(self._session, instance.app_guid, instance.index, limit=limit)
        own = f"APP/PROC/{instance.process.upper()}"
        mine = (one for one in found if not one.source.startswith("APP/PROC/") or one.source.startswith(own))
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
        return tuple(_event(one) for one in reversed(list(found)))

    def restart_app(self, guid: str) -> None:
        """Restart every process of an app at once."""
        self._session.order("POST", f"/v3/apps/{_part(guid)}/actions/restart")

    def start_app(self, guid: str) -> None:
        """Start an app."""
        self._session.order("POST", f"/v3/apps/{_part(guid)}/actions/start")

    def stop_app(self, guid: str) -> None:
        """Stop an app."""
        self._session.order("POST", f"/v3/apps/{_part(guid)}/actions/stop")

    def _space_id(self) -> str:
        if self._space_guid is None:
            org = next(self._session.pages("/v3/organizations", names=_names([self._org])), None)
            if org is None:
                raise MissingError(
                    f"no organization {self._org!r} is to be seen; check platform.{self.name}.org and the role"
                )
            spaces = self._session.pages("/v3/spaces", names=_names([self._space]), organization_guids=org["guid"])
            space = next(spaces, None)
            if space is None:
                raise MissingError(
                    f"no space {self._space!r} is to be seen; check platform.{self.name}.space and the role"
                )
            self._space_guid = str(space["guid"])
        return self._space_guid

    def _app(self, app: dict[str, Any]) -> App:
        guid, name = app["guid"], app["name"]
        listed = [one for one in self._session.pages(f"/v3/apps/{guid}/processes") if self._selected(name, one["type"])]
        processes = tuple(_process(one) for one in listed)
        instances = [
            one for process in processes if process.wanted for one in self._whole(guid, name, process, app["state"])
        ]
        return App(self.name, guid, name, app["state"], processes, tuple(instances), restarts_ended=True)

    def _selected(self, app: str, process: str) -> bool:
        wanted = self._wanted.get(app.lower(), set())
        return not wanted or process in wanted

    def _whole(self, guid: str, name: str, process: Process, state: str) -> list[Instance]:
        """Return every wanted index; stats leave out what a stopped app does not run."""
        found = {one.index: one for one in self._instances(guid, name, process.type)} if state == "STARTED" else {}
        for index in range(process.wanted):
            found.setdefault(index, Instance(self.name, name, guid, process.type, index, InstanceState.DOWN))
        return [found[index] for index in sorted(found)]

    def _instances(self, guid: str, name: str, process: str) -> list[Instance]:
        stats = self._session.get(f"/v3/apps/{_part(guid)}/processes/{_part(process)}/stats")
        return [
            Instance(
                platform=self.name,
                app=name,
                app_guid=guid,
                process=process,
                index=one["index"],
                state=_state(one["state"]),
                guid=one.get("instance_guid") or None,
                uptime_s=one.get("uptime"),
                details=one.get("details"),
            )
            for one in stats["resources"]
        ]

    def _crash(self, event: dict[str, Any]) -> Crash | None:
        data, app = event["data"], self._app_guids.get(event["target"]["guid"])
        process = event["actor"]["name"]
        if app is None or not self._selected(app, process):
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


def _part(text: str) -> str:
    """Return one part of a path, with a slash in it quoted too."""
    return quote(text, safe="")


def _names(names: Iterable[str]) -> str:
    """Join a filter's values; a comma inside one is escaped twice."""
    return ",".join(name.replace(",", "%2C") for name in names)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(event: dict[str, Any]) -> Line:
    data = event.get("data") or {}
    told = {name: data[name] for name in EVENT_WORDS if data.get(name) not in (None, "")}
    text = " ".join(
        [event["type"], f"by {event['actor']['name']}", *(f"{name}={value}" for name, value in told.items())]
    )
    return Line(text, datetime.fromisoformat(event["created_at"]).timestamp())


def _process(process: dict[str, Any]) -> Process:
    timeout = (process.get("health_check") or {}).get("data", {}).get("timeout")
    return Process(
        process["type"], process["instances"], float(timeout or DEFAULT_HEALTH_S), process.get("version") or None
    )


def _state(text: str) -> InstanceState:
    try:
        return InstanceState(text)
    except ValueError:
        return InstanceState.UNKNOWN


def _fits(platform: CloudFoundry) -> tuple[Platform, PlatformRecords]:
    """Let the type checker prove that the class fits its ports."""
    return platform, platform
