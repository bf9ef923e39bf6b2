"""Log lines as people ask for them: of which instance and process, and how grave each is by its own words."""

import re
from enum import StrEnum

from msgspec import Struct

from celeriac.core.apps import LogLine


class Level(StrEnum):
    """How grave a line is, in the words of Python's logging."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


_CELERY = re.compile(r"\[[\d-]{10} [\d:,.]{8,15}: ([A-Z]+)/")
"""How Celery's own formats begin: `[2026-11-28 19:00:00,123: ERROR/MainProcess] ...`."""

_WORD = re.compile(r"\b(CRITICAL|ERROR|WARNING)\b")


def level(text: str) -> Level | None:
    """Return how grave a line is: by Celery's own beginning, else by the first such word in it; None if it has none."""
    begins = _CELERY.match(text)
    if begins and begins[1] in Level.__members__:
        return Level(begins[1])
    word = _WORD.search(text)
    return Level(word[1]) if word else None


class Lines(Struct, frozen=True):
    """Which lines are asked for: of one index, of one process type, or all.

    What the platform says of an index without naming a process counts as of every process.
    """

    instance: int | None = None
    process: str | None = None

    @property
    def all(self) -> bool:
        return self.instance is None and self.process is None

    def hold(self, line: LogLine) -> bool:
        """Tell whether a line is among these."""
        if self.instance is not None and line.index != self.instance:
            return False
        if self.process is None or line.process == self.process:
            return True
        return line.process is None and self.instance is not None
