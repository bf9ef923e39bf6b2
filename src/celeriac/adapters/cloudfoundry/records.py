"""What Cloud Foundry tells of an app to people: its lines, what befell it, its variables, and what its quotas leave."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from celeriac.adapters.cloudfoundry import logcache
from celeriac.adapters.cloudfoundry.answers import understood
from celeriac.adapters.cloudfoundry.changes import TOLD
from celeriac.adapters.cloudfoundry.room import room
from celeriac.adapters.cloudfoundry.where import Where, part
from celeriac.core.apps import AppEvent, LogLine, Room, Variable
from celeriac.core.model import App
from celeriac.core.secret_words import SecretVariables
from celeriac.platform_ports import AppRecords

TWIN = "app.crash"
"""Each crash has two events; this one of them does not tell how often it came."""

PAGE = 200


def _of_index(what: str) -> Any:
    return lambda data: f"instance {data.get('index')} {what}"


def _crashed(data: Mapping[str, Any]) -> str:
    count = data.get("crash_count") or 1
    again = f" ({count} times in a row)" if count > 1 else ""
    return f"instance {data.get('index')} crashed: {data.get('exit_description') or data.get('reason')}{again}"


WORDED = {
    **TOLD,
    "audit.app.process.crash": _crashed,
    "audit.app.process.rescheduling": _of_index("is moved to another cell"),
    "audit.app.process.ready": _of_index("became ready"),
    "audit.app.process.not-ready": _of_index("is ready no more"),
    "audit.app.create": lambda _: "created the app",
    "audit.app.environment.show": lambda _: "read the app's whole environment",
    "audit.app.environment_variables.show": lambda _: "read the app's variables",
    "audit.app.ssh-authorized": lambda data: f"opened a shell in instance {data.get('index', '?')}",
}


class Records:
    """`AppRecords` in one space."""

    def __init__(self, where: Where, *, secret_words: tuple[str, ...] = ()) -> None:
        self._where = where
        self._secrets = SecretVariables(secret_words)

    def lines(self, app: App, limit: int) -> tuple[LogLine, ...]:
        """Return the newest lines, oldest first; log-cache gives 1,000 at most."""
        with self._where.explained():
            return tuple(logcache.recent(self._where.session, app.guid, limit=limit))

    def follow(self, app: App, since: float) -> Iterator[tuple[LogLine, ...]]:
        """Yield the lines from then on, two seconds late."""
        with self._where.explained():
            yield from logcache.follow(self._where.session, app.guid, since)

    @understood("an app's events")
    def events(self, app: App, limit: int) -> tuple[AppEvent, ...]:
        """Return the newest audit events, newest first, without the second one that each crash has."""
        params = {"target_guids": app.guid, "order_by": "-created_at", "per_page": min(limit * 2, PAGE)}
        pages = self._where.session.pages("/v3/audit_events", **params)
        found = tuple(_event(one) for one in islice((one for one in pages if one["type"] != TWIN), limit))
        if not found:
            self._check_seen(app)
        return found

    @understood("an app's environment")
    def environment(self, app: App) -> tuple[Variable, ...]:
        """Return user and running variables, and of VCAP_SERVICES the names of its services."""
        with self._where.explained():
            shown = self._where.session.get(f"/v3/apps/{part(app.guid)}/env")
        plain = {**(shown.get("running_env_json") or {}), **(shown.get("environment_variables") or {})}
        found = {name: Variable(name, self._open(name, str(value))) for name, value in plain.items()}
        services = (shown.get("system_env_json") or {}).get("VCAP_SERVICES")
        if isinstance(services, dict) and all(isinstance(bound, list) for bound in services.values()):
            found["VCAP_SERVICES"] = Variable("VCAP_SERVICES", _services(services))
        elif services:  # who supports a space and does not develop there is told nothing of its services
            found["VCAP_SERVICES"] = Variable("VCAP_SERVICES", None)
        return tuple(found[name] for name in sorted(found))

    @understood("its quotas")
    def room(self, app: App) -> tuple[Room, ...]:  # noqa: ARG002 (the same for every app of a space)
        """Return what the quotas of organization and space leave beside what runs."""
        return room(self._where)

    def _check_seen(self, app: App) -> None:
        """Raise MissingError if the app is not to be seen: of such a one the API lists no events, and does not say why."""
        with self._where.explained():
            self._where.session.get(f"/v3/apps/{part(app.guid)}")

    def _open(self, name: str, value: str) -> str | None:
        return None if self._secrets.has(name, value) else value


def _event(event: dict[str, Any]) -> AppEvent:
    kind, data = event["type"], event.get("data") or {}
    return AppEvent(
        id=event["guid"],
        at=datetime.fromisoformat(event["created_at"]).timestamp(),
        kind=kind,
        actor=event["actor"].get("name") or None,
        text=WORDED[kind](data) if kind in WORDED else kind.removeprefix("audit.").replace(".", " "),
    )


def _services(services: dict[str, Any]) -> str:
    """Return `redis: shop-redis, other; postgres: db` of the services that are bound, without their credentials."""
    of = {label: ", ".join(str(one["name"]) for one in bound) for label, bound in sorted(services.items())}
    return "; ".join(f"{label}: {names}" for label, names in of.items())


def _fits(records: Records) -> AppRecords:
    """Let the type checker prove that the class fits its port."""
    return records
