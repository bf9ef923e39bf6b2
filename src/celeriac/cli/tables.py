"""How the command line writes: aligned tables that fit the terminal, ages, and data that cannot command a terminal."""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

# Characters that move the cursor, change the terminal, or reorder what is read.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}

GAP = "  "
NARROWEST = 8

COLOURS = {
    "healthy": "green",
    "busy": "green",
    "ONLINE": "green",
    "STARTED": "green",
    "RUNNING": "green",
    "starting": "blue",
    "verifying": "blue",
    "remedying": "blue",
    "RECEIVED": "blue",
    "SUCCESS": "cyan",
    "resolved": "cyan",
    "draining": "magenta",
    "REVOKED": "magenta",
    "held": "yellow",
    "RETRY": "yellow",
    "blind": "yellow",
    "unsure": "yellow",
    "lost": "red",
    "crashed": "red",
    "crash-looping": "red",
    "hung": "red",
    "deaf": "red",
    "damaged": "red",
    "escalated": "red",
    "open": "red",
    "nobody": "red",
    "lossy": "red",
    "well": "green",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
    "FAILURE": "red",
    "CRASHED": "red",
}


def plain(text: object) -> str:
    """Return a text on one line in which control characters are shown, not obeyed."""
    shown = "" if text is None else str(text)
    return "".join(_visible(sign) if unicodedata.category(sign) in _INVISIBLE else sign for sign in shown)


def _visible(sign: str) -> str:
    return sign.encode("unicode_escape").decode() if not sign.isspace() or sign in "\x1c\x1d\x1e\x1f\x85" else " "


def width(text: str) -> int:
    """Return how many columns a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def cut(text: str, columns: int) -> str:
    """Return a text shortened to so many columns."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def coloured() -> bool:
    """Tell whether colours are wanted: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, state: str | None = None) -> str:
    """Return a state's word in its colour, where colours are wanted."""
    colour = COLOURS.get(text if state is None else state)
    return click.style(text, fg=colour) if colour and coloured() else text


def room() -> int:
    """Return how many columns may be used: the terminal's, and any number where nobody looks at one."""
    if os.environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return shutil.get_terminal_size((120, 24)).columns
    return sys.maxsize


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, give: Sequence[str], right: Iterable[str] = ()
) -> str:
    """Return an aligned table without its empty columns.

    Where it does not fit, the columns `give` are cut in turn, and then left out in turn.
    """
    columns = [[plain(value) for value in column] for column in zip(*rows, strict=True)]
    kept = {heading: cells for heading, cells in zip(headings, columns, strict=True) if any(cells)}
    widths = _fitted({heading: max(map(width, (heading, *cells))) for heading, cells in kept.items()}, give)
    lines = [list(widths), *zip(*(kept[heading] for heading in widths), strict=True)]
    to_right = set(right)
    shapes = [(widths[heading], heading in to_right) for heading in widths]
    return "\n".join(_line(line, shapes, painted=number > 0) for number, line in enumerate(lines))


def _fitted(widths: dict[str, int], give: Sequence[str]) -> dict[str, int]:
    def over() -> int:
        return sum(widths.values()) + len(GAP) * (len(widths) - 1) - room()

    giving = [heading for heading in give if heading in widths]
    for heading in giving:
        widths[heading] -= max(0, min(over(), widths[heading] - NARROWEST))
    for heading in giving:
        if over() > 0:
            del widths[heading]
    return widths


def _line(row: Sequence[str], shapes: Sequence[tuple[int, bool]], *, painted: bool) -> str:
    parts = []
    for text, (columns, to_right) in zip(row, shapes, strict=True):
        shown = cut(text, columns)
        space = " " * (columns - width(shown))
        word = paint(shown) if painted else shown
        parts.append(space + word if to_right else word + space)
    return GAP.join(parts).rstrip()


def age(at: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago something was."""
    return "" if at is None else span(((now or datetime.now(UTC)) - at).total_seconds())


def span(seconds: float | None) -> str:
    """Return a span of time in the unit that fits it."""
    if seconds is None:
        return ""
    if abs(seconds) < 10:
        return f"{max(0.0, seconds):.1f}s"
    if seconds < 120:
        return f"{seconds:.0f}s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}m"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f}h"
    return f"{seconds / 86_400:.0f}d"


def duration(seconds: float | None) -> str:
    """Return how long something took, also when that is very short."""
    if seconds is not None and seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    return span(seconds)


def rate(per_s: float | None) -> str:
    """Return a number per second with as many digits as matter."""
    return "" if per_s is None else f"{per_s:.0f}" if per_s >= 10 or per_s == 0 else f"{per_s:.2g}"


def clock(at: datetime) -> str:
    """Return the time of day, as UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def date(at: datetime) -> str:
    """Return the day and the time of day, as UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def to_json(value: Any) -> str:
    """Return an answer as indented JSON, escaped to ASCII so that it is safe on a terminal."""
    return json.dumps(msgspec.to_builtins(value), indent=2)
