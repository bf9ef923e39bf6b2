"""Checkups as a server gives them, to whoever asks."""

import threading
from collections.abc import Callable, Sequence

from celeriac.app.checkup import Checkup
from celeriac.app.checkup_views import CheckupView

AGAIN_S = 5.0
"""A checkup serves for so long: whoever reloads a page must not load brokers and platforms."""


class Checkups:
    """Checkups for a server: one at a time, each good for some seconds; `make` is called with the first one."""

    def __init__(self, make: Callable[[], Checkup], clock: Callable[[], float]) -> None:
        self._make, self._clock = make, clock
        self._lock = threading.Lock()
        self._checkup: Checkup | None = None
        self._made: dict[tuple[str, ...] | None, tuple[float, CheckupView]] = {}

    def view(self, clusters: Sequence[str] | None) -> CheckupView:
        """Return the newest checkup of these clusters; None stands for all, and for every platform."""
        which = None if clusters is None else tuple(clusters)
        with self._lock:
            at, view = self._made.get(which, (0.0, None))
            if view is None or self._clock() - at >= AGAIN_S:
                self._checkup = self._checkup or self._make()
                view = self._checkup.view(which)
                self._made[which] = (self._clock(), view)
            return view
