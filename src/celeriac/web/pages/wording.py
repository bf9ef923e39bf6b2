"""How states, times and reasons read and look on a page: colour, icon and word together, never colour alone."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celeriac.app.views import IncidentView, WorkerView
from celeriac.core.incident import HeldReason

# (tone, icon): tones are colours of `tokens.css`, icons are symbols of `icons.html`. Green means: alive now.
LOOKS: dict[str, tuple[str, str]] = {
    # verdicts
    "healthy": ("alive", "check"),
    "busy": ("alive", "gear"),
    "starting": ("begin", "rise"),
    "draining": ("wane", "drain"),
    "stopped": ("still", "stop"),
    "crashed": ("bad", "cross"),
    "hung": ("bad", "pause"),
    "blind": ("blind", "blind"),
    # incidents
    "open": ("bad", "alert"),
    "held": ("warn", "hold"),
    "remedying": ("begin", "turn"),
    "verifying": ("begin", "search"),
    "resolved": ("done", "check"),
    "escalated": ("bad", "alert"),
    "closed": ("still", "stop"),
    # tasks
    "PENDING": ("still", "clock"),
    "RECEIVED": ("begin", "inbox"),
    "STARTED": ("alive", "play"),
    "SUCCESS": ("done", "check"),
    "FAILURE": ("bad", "cross"),
    "RETRY": ("warn", "turn"),
    "REVOKED": ("wane", "stop"),
    "REJECTED": ("wane", "cross"),
    "CANCELLED": ("wane", "stop"),
    # the verdict line
    "good": ("alive", "check"),
    "attention": ("warn", "alert"),
    "bad": ("bad", "alert"),
}
PLAIN_LOOK = ("still", "dot")

HELD = {
    HeldReason.MODE: "Waits for your approval",
    HeldReason.BUDGET: "Held: the restart budget is used up",
    HeldReason.COOLDOWN: "Held: restarted a short while ago",
    HeldReason.QUORUM: "Held: many workers fell silent at once",
    HeldReason.BROKER_OUTAGE: "Held: the broker does not answer",
    HeldReason.STALE: "Held: what is known is too old",
    HeldReason.PAUSED: "Held: Celeriac is paused",
    HeldReason.UNMAPPED: "Held: no platform instance is known for this worker",
}

INSTANCE_OF = "index {0.index} of {0.app} ({0.process}, now {0.state}, guid {0.guid})"


def look(state: str) -> tuple[str, str]:
    """Return the tone and the icon of a state; an unknown state looks plain, and its word still shows."""
    return LOOKS.get(state, PLAIN_LOOK)


def held(incident: IncidentView) -> str:
    """Return why an incident waits, as a person would say it."""
    return HELD.get(incident.held_reason, str(incident.held_reason)) if incident.held_reason else ""


def restart_question(worker: WorkerView) -> str:
    """Return what a restart will do, to be read before it is ordered."""
    instance = worker.instance
    if instance is None:
        return ""
    busy = f" {worker.active} running tasks will be cut off." if worker.active else ""
    return (
        f"Restart {worker.name}? The keeper stops {INSTANCE_OF.format(instance)}, the platform starts it again, "
        f"and Celeriac checks that it came back.{busy}"
    )


def approve_question(incident: IncidentView) -> str:
    """Return what an approval will do, to be read before it is given."""
    return (
        f"Approve the restart of {incident.worker_name}? It was found {incident.verdict}. The keeper looks again first "
        "and restarts it only if the same instance still runs and the evidence still stands."
    )


def iso(at: datetime) -> str:
    """Return a time for machines."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def absolute(at: datetime) -> str:
    """Return a time in full, for titles."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: datetime) -> str:
    """Return the time of day; scripts replace it by the age where that says more."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def epoch(at: datetime) -> str:
    """Return a time as seconds since the epoch, for scripts."""
    return f"{at.timestamp():.3f}"


def seconds(value: float | None) -> str:
    """Return a span of time in the unit that fits it."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def grouped(value: int | None) -> str:
    """Return a count with thin spaces between thousands."""
    return "" if value is None else f"{value:,}".replace(",", "\N{THIN SPACE}")


def short(text: str | None, length: int = 80) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join((text or "").split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def last_part(name: str | None) -> str:
    """Return the part of a dotted name that tells tasks apart."""
    return (name or "").rpartition(".")[2]


def first_part(name: str | None) -> str:
    """Return what stands before `last_part`, with its dot."""
    head, dot, _ = (name or "").rpartition(".")
    return head + dot


FILTERS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        absolute,
        approve_question,
        clock,
        epoch,
        first_part,
        grouped,
        held,
        iso,
        last_part,
        restart_question,
        seconds,
        short,
    )
}
