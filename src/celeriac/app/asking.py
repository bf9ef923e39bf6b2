"""Asking several sources at once, each within its time limit."""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

import structlog

from celeriac.core.errors import PortError, SparedError
from celeriac.core.readings import Known, Reading, Unknown

T = TypeVar("T")

SOURCE_LIMIT_S = 8.0
log = structlog.get_logger()


class Asked(Generic[T]):
    """A question under way in a thread of its own, which has so many seconds, by default those of a source."""

    def __init__(self, future: "Future[T]", clock: Callable[[], float], within: float | None = None) -> None:
        self._future, self._clock = future, clock
        self._within = SOURCE_LIMIT_S if within is None else within
        self._until = time.monotonic() + self._within

    def done(self, within: float) -> bool:
        """Wait at most so many seconds, and tell whether the answer is there."""
        return not wait([self._future], timeout=within).not_done

    def spared_s(self) -> float | None:
        """Return in how many seconds it is to be asked, if it was not asked to spare it; only once it is done."""
        error = self._future.exception() if self._future.done() and not self._future.cancelled() else None
        return error.after_s if isinstance(error, SparedError) else None

    def answer(self) -> Reading[T]:
        """Wait for the answer, at most for the time limit of a source."""
        try:
            return Known(self._future.result(max(0.0, self._until - time.monotonic())), self._clock())
        except FutureTimeoutError:
            self._future.cancel()
            return Unknown(f"no answer within {self._within:.0f} s", self._clock())
        except Exception as error:  # noqa: BLE001 (it must neither end the keeper nor look like a dead worker)
            return Unknown(why_not(error), self._clock())


def why_not(error: Exception) -> str:
    """Return why a source gave nothing, whatever nonsense it gave; what is no port's error is a defect, and is logged."""
    if isinstance(error, PortError):
        return str(error)
    log.error("a source gave what we cannot read", exc_info=error)
    return f"a defect in reading it: {type(error).__name__}: {error}"


def by_node(answered: Reading[dict[str, T]], nodes: Collection[str]) -> dict[str, Reading[T]]:
    """Return each node's answer; none is as good as that of one that cannot answer."""
    if isinstance(answered, Unknown):
        return dict.fromkeys(nodes, answered)
    none = Unknown("it does not answer", answered.at)
    return {node: Known(answered.value[node], answered.at) if node in answered.value else none for node in nodes}
