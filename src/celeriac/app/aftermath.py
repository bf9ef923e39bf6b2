"""Evidence of crashes: kept by threads of its own, soon after the crash, so that no cycle and no restart waits for it."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from celeriac.app.preserve import Preserver
from celeriac.core.aftermath import LATE_S, Dead, dead
from celeriac.core.incident import Incident
from celeriac.core.snapshot import Seen

AT_ONCE = 2
UNDER_WAY_AT_MOST = 20
"""Where more have crashed the rest wait for the next cycles."""

log = structlog.get_logger()


class Aftermath:
    """Keeps what is left of workers that crashed; only a keeper that holds the lease may call `consider`."""

    def __init__(self, cluster: str, preserver: Preserver, clock: Callable[[], float]) -> None:
        self._cluster, self._preserver, self._clock = cluster, preserver, clock
        self._pool = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix=f"aftermath-{cluster}")
        self._looking: dict[Future[str], Dead] = {}
        self._begun: dict[tuple[str, str], float] = {}

    def consider(self, seen: Seen, incidents: Iterable[Incident]) -> None:
        """Begin to keep what is to be kept now; returns at once."""
        now = self._clock()
        self._begun = {key: at for key, at in self._begun.items() if now - at <= LATE_S}
        for incident in incidents:
            if len(self._looking) >= UNDER_WAY_AT_MOST:
                return
            crash = dead(incident, seen)
            if crash is not None and (crash.incident, crash.occasion) not in self._begun:
                self._begun[crash.incident, crash.occasion] = now
                self._looking[self._pool.submit(self._preserver.look_into, crash)] = crash

    def news(self) -> list[tuple[str, str]]:
        """Return, once, what was kept: each incident's id with a sentence for its story."""
        done = [(future, self._looking.pop(future)) for future in list(self._looking) if future.done()]
        return [(crash.incident, self._said(future, crash)) for future, crash in done]

    def close(self) -> None:
        """Let the threads go; a look under way ends with the time limits of what it asks."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._preserver.close()

    def _said(self, future: Future[str], crash: Dead) -> str:
        try:
            return future.result()
        except Exception as error:  # a defect here is logged, and must not end the healing beside it
            log.exception("evidence is not kept: a defect", cluster=self._cluster, id=crash.incident)
            return f"not kept {crash.occasion}: a defect: {type(error).__name__}"
