"""How states, times and reasons read and look on a page: colour, icon and word together, never colour alone."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from celeriac.app.app_record_views import LogLineView
from celeriac.app.app_views import AppView
from celeriac.app.views import IncidentView, ObservationView, QueueView
from celeriac.core.incident import HeldReason
from celeriac.core.log_lines import Level
from celeriac.core.model import Verdict
from celeriac.core.queues import BY_EVENT, BY_MESSAGE, BY_WATCHING

# (tone, icon): tones are colours of `tokens.css`, icons are symbols of `icons.html`. Green means: alive now.
LOOKS: dict[str, tuple[str, str]] = {
    # verdicts
    "healthy": ("alive", "check"),
    "busy": ("alive", "gear"),
    "starting": ("begin", "rise"),
    "draining": ("wane", "drain"),
    "stopped": ("still", "stop"),
    "crashed": ("bad", "cross"),
    "crash-looping": ("bad", "turn"),
    "hung": ("bad", "pause"),
    "deaf": ("bad", "deaf"),
    "damaged": ("warn", "alert"),
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
    # what becomes of tasks in flight
    "lost": ("bad", "cross"),
    "unsure": ("warn", "alert"),
    "awaited": ("begin", "search"),
    "in unacked": ("begin", "clock"),
    "in a queue": ("begin", "inbox"),
    "redelivered": ("alive", "turn"),
    "finished after all": ("done", "check"),
    # what a platform says of an instance
    "RUNNING": ("alive", "check"),
    "STARTING": ("begin", "rise"),
    "CRASHED": ("bad", "cross"),
    "DOWN": ("bad", "stop"),
    "STOPPING": ("wane", "drain"),
    "UNKNOWN": ("blind", "blind"),
    # how well a cluster is heard
    "heard well": ("alive", "check"),
    "not all is heard": ("bad", "alert"),
    "not heard now": ("blind", "blind"),
    "nothing heard yet": ("blind", "blind"),
    # checks of the doctor
    "ok": ("alive", "check"),
    "warn": ("warn", "alert"),
    "fail": ("bad", "cross"),
    # the audit trail
    "ordered": ("begin", "flag"),
    "done": ("done", "check"),
    "denied": ("bad", "stop"),
    "failed": ("warn", "cross"),
    "break-glass": ("bad", "alert"),
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
    HeldReason.UNMAPPED: "Held: no restart of its own would mend it",
    HeldReason.HELD_BY_USER: "Held by a person",
    HeldReason.DEPLOY: "Held: somebody changes the app, or it cannot be told",
    HeldReason.MAINTENANCE: "Held: a maintenance window is open",
    HeldReason.MIN_HEALTHY: "Held: too few others would stay well",
    HeldReason.BREAKER: "Held: restarts have not helped this app",
}

LINE_TONES = {Level.WARNING: "tone-warn", Level.ERROR: "tone-bad", Level.CRITICAL: "tone-bad"}

UNKNOWN = {
    "arriving_per_s": "Messages in",
    "completing_per_s": "Messages out",
    "oldest_s": "Age of the oldest message",
    "consumers": "Consumers",
    "unacked": "Unacknowledged messages",
}
"""What people call the fields of a queue that may not be known."""

HOW = {
    BY_MESSAGE: "by its own timestamp",
    BY_EVENT: "by its task-sent event",
    BY_WATCHING: "since it is seen at the head",
}
"""How the age of a queue's oldest message is known."""


def look(state: str) -> tuple[str, str]:
    """Return the tone and the icon of a state; an unknown state looks plain, and its word still shows."""
    return LOOKS.get(state, PLAIN_LOOK)


def held(incident: IncidentView) -> str:
    """Return why an incident waits, as a person would say it."""
    return HELD.get(incident.held_reason, str(incident.held_reason)) if incident.held_reason else ""


def hearing(one: ObservationView) -> str:
    """Return in a few words how well a cluster is heard."""
    if one.observed_at is None and not one.troubles:
        return "nothing heard yet"
    if one.flowing_since is None:
        return "not heard now"
    return "not all is heard" if one.troubles else "heard well"


def reasons(queues: Iterable[QueueView]) -> dict[str, list[str]]:
    """Return why something is not known of queues, and of which: a reason that many have is told once."""
    found: dict[str, list[str]] = {}
    for one in queues:
        for field, why in one.unknown.items():
            said = f"{UNKNOWN.get(field, field)}: {why}"
            found.setdefault(said, []).append(one.name)
    return found


def oldest(one: QueueView) -> str:
    """Return how old a queue's oldest message is."""
    least = "at least " if one.oldest_how == BY_WATCHING else ""
    return f"{least}{seconds(one.oldest_s)}" if one.oldest_s is not None else ""


def how(one: QueueView) -> str:
    """Return how that age is known."""
    return HOW.get(one.oldest_how, one.oldest_how) if one.oldest_how else ""


def rate(per_s: float | None) -> str:
    """Return a number per second with as many digits as matter."""
    if per_s is None:
        return ""
    return f"{per_s:.0f}" if per_s >= 10 or per_s == 0 else f"{per_s:.2g}"


def verdicts(app: AppView) -> list[tuple[Verdict, int]]:
    """Return how many of an app's workers have each verdict, the most frequent first."""
    return Counter(one.verdict for one in app.instances if one.verdict).most_common()


def line_tone(line: LogLineView) -> str:
    """Return the tone of a log line."""
    return LINE_TONES.get(line.level, "") if line.level else ""


def line_source(line: LogLineView) -> str:
    """Return who wrote a log line."""
    return line.source if line.index is None else f"{line.source}/{line.index}"


def up(value: float | None) -> str:
    """Return for how long something has been up."""
    if value is None or value < 86_400:
        return seconds(value)
    days, rest = divmod(round(value), 86_400)
    return f"{days} d {rest // 3600:02d} h"


def iso(at: datetime) -> str:
    """Return a time for machines."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def absolute(at: datetime) -> str:
    """Return a time in full, for titles."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day_and_time(at: datetime) -> str:
    """Return a time of the trail, where each line says that it is UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def minute(at: datetime) -> str:
    """Return a day and its minute, in UTC as the page says."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


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


def sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


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
        minute,
        clock,
        day_and_time,
        epoch,
        first_part,
        grouped,
        hearing,
        held,
        how,
        iso,
        last_part,
        line_source,
        line_tone,
        oldest,
        rate,
        seconds,
        sentence,
        short,
        up,
        verdicts,
    )
}
