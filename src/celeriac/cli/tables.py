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
    "crashed": "red",
    "hung": "red",
    "escalated": "red",
    "open": "red",
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


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, give: str, right: Iterable[str] = ()) -> str:
    """Return an aligned table; where it does not fit the terminal the column `give` is cut."""
    cells = [[plain(value) for value in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(headings, *cells, strict=True)]
    room = shutil.get_terminal_size((120, 24)).columns
    giving = headings.index(give)
    over = sum(widths) + 2 * (len(widths) - 1) - room
    if over > 0:
        widths[giving] = max(8, widths[giving] - over)
    to_right = [heading in set(right) for heading in headings]
    lines = [_line(headings, widths, to_right), *(_line(row, widths, to_right, painted=True) for row in cells)]
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int], to_right: Sequence[bool], *, painted: bool = False) -> str:
    parts = []
    for text, columns, right in zip(row, widths, to_right, strict=True):
        shown = cut(text, columns)
        space = " " * (columns - width(shown))
        word = paint(shown) if painted else shown
        parts.append(space + word if right else word + space)
    return "  ".join(parts).rstrip()


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


def clock(at: datetime) -> str:
    """Return the time of day, as UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def to_json(value: Any) -> str:
    """Return an answer as indented JSON, escaped to ASCII so that it is safe on a terminal."""
    return json.dumps(msgspec.to_builtins(value), indent=2)
