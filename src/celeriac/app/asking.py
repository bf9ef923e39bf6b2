"""Asking several sources at once, and what several answers in a row add up to."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

import structlog
from msgspec import Struct

from celeriac.core.errors import PortError
from celeriac.core.readings import Known, Reading, Unknown

T = TypeVar("T")

SOURCE_LIMIT_S = 8.0
MISSES = 3
MISSED_S = 4.0
"""So many pings in a row, over so many seconds, go unanswered before a worker counts as not answering."""

log = structlog.get_logger()


class Whom(Struct, frozen=True):
    """The nodes of a closer look: under suspicion, under proof, well ones that vouch for the way, and unknown ones."""

    suspects: frozenset[str]
    proving: frozenset[str]
    witnesses: frozenset[str]
    newcomers: frozenset[str]

    @property
    def pinged(self) -> frozenset[str]:
        return self.suspects | self.proving | self.witnesses

    @property
    def anybody(self) -> bool:
        return bool(self.pinged | self.newcomers)


class Asked(Generic[T]):
    """A question under way in a thread of its own."""

    def __init__(self, future: "Future[T]", clock: Callable[[], float]) -> None:
        self._future, self._clock = future, clock
        self._until = time.monotonic() + SOURCE_LIMIT_S

    def done(self, within: float) -> bool:
        """Wait at most so many seconds, and tell whether the answer is there."""
        return not wait([self._future], timeout=within).not_done

    def answer(self) -> Reading[T]:
        """Wait for the answer, at most for the time limit of a source."""
        try:
            return Known(self._future.result(max(0.0, self._until - time.monotonic())), self._clock())
        except PortError as error:
            return Unknown(str(error), self._clock())
        except FutureTimeoutError:
            self._future.cancel()
            return Unknown(f"no answer within {SOURCE_LIMIT_S:.0f} s", self._clock())
        except Exception as error:
            # Whatever nonsense a source gives: it must neither end the keeper nor look like a dead worker.
            log.exception("a source gave what we cannot read")
            return Unknown(f"a defect in reading it: {type(error).__name__}: {error}", self._clock())


class PingTally:
    """Counts unanswered pings over several looks: a single lost answer is no silence."""

    def __init__(self) -> None:
        self._missed: dict[str, tuple[int, float]] = {}

    def judge(self, answered: Reading[frozenset[str]], whom: Whom, now: float) -> dict[str, Reading[bool]]:
        """Return who answered; "no answer" takes several pings in a row, and well workers that do answer beside it."""
        if isinstance(answered, Known) and whom.witnesses and not answered.value:
            answered = Unknown("no worker answers our pings, not even those that are well", answered.at)
        if isinstance(answered, Unknown):
            self._missed.clear()
            return dict.fromkeys(whom.pinged, answered)
        before, self._missed = self._missed, {}
        return {node: self._pong(node, node in answered.value, before.get(node), now) for node in whom.pinged}

    def _pong(self, node: str, answered: bool, missed: tuple[int, float] | None, now: float) -> Reading[bool]:
        if answered:
            return Known(True, now)
        times, since = missed or (0, now)
        self._missed[node] = (times + 1, since)
        if times + 1 < MISSES or now - since < MISSED_S:
            return Unknown(f"no answer yet, asked {times + 1} times", now)
        return Known(False, now)
