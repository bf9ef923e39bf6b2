"""The foundation's wall clock: what stamps its events, logs and answers. It may be wrong, as a fault has it."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since the epoch."""


class WallClock:
    """Another clock, and by how many seconds this one is ahead of it."""

    def __init__(self, ahead: Callable[[], float], true: Clock = time.time) -> None:
        self._ahead, self._true = ahead, true

    def __call__(self) -> float:
        return self._true() + self._ahead()
