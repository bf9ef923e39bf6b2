"""What befell apps and what people did to them, as audit events and deployments tell it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from celeriac.core.changes import Change
from celeriac.core.exhibits import Line

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


def _scaled(data: Mapping[str, Any]) -> str:
    wanted = (data.get("request") or {}).get("instances")
    return f"scaled process {data.get('process_type')}" + (f" to {wanted}" if wanted is not None else "")


TOLD: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "audit.app.apply_manifest": lambda _: "applied a manifest",
    "audit.app.deployment.cancel": lambda _: "cancelled a deployment",
    "audit.app.deployment.create": lambda _: "began a deployment",
    "audit.app.droplet.mapped": lambda _: "assigned a droplet",
    "audit.app.process.scale": _scaled,
    "audit.app.process.terminate_instance": lambda data: (
        f"restarted instance {data.get('process_index')} of process {data.get('process_type')}"
    ),
    "audit.app.process.update": lambda data: f"updated process {data.get('process_type')}",
    "audit.app.restage": lambda _: "restaged the app",
    "audit.app.restart": lambda _: "restarted the app",
    "audit.app.start": lambda _: "started the app",
    "audit.app.stop": lambda _: "stopped the app",
    "audit.app.update": lambda _: "updated the app",
}
"""The events that tell of a change, and what of it people are told."""


def of_event(event: Mapping[str, Any], platform: str, app: str, own_guid: str | None) -> Change:
    """Return what an audit event tells; where our own account is not known, anybody may have been us."""
    data, actor = event.get("data") or {}, event["actor"]
    return Change(
        id=event["guid"],
        platform=platform,
        app=app,
        at=datetime.fromisoformat(event["created_at"]).timestamp(),
        what=TOLD[event["type"]](data),
        actor=actor.get("name") or None,
        process=data.get("process_type"),
        index=data.get("process_index"),
        own=own_guid is None or actor["guid"] == own_guid,
    )


def of_deployment(deployment: Mapping[str, Any], platform: str, app: str) -> Change:
    """Return an active deployment; who began it is in the event of its creation."""
    return Change(
        id=deployment["guid"],
        platform=platform,
        app=app,
        at=datetime.fromisoformat(deployment["created_at"]).timestamp(),
        what="has a deployment under way, begun",
        active=True,
    )


def line_of(event: Mapping[str, Any]) -> Line:
    """Return any event of an app as one line, without what may hold its settings."""
    data = event.get("data") or {}
    told = {name: data[name] for name in EVENT_WORDS if data.get(name) not in (None, "")}
    text = " ".join(
        [event["type"], f"by {event['actor']['name']}", *(f"{name}={value}" for name, value in told.items())]
    )
    return Line(text, datetime.fromisoformat(event["created_at"]).timestamp())
