"""Evidence that is kept before a kill: every source is asked at once, and none of them can stop or delay the restart."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from msgspec import Struct

from celeriac.app.asking import why_not
from celeriac.core.casualties import NAMED_AT_MOST, left
from celeriac.core.errors import MissingError, PortError
from celeriac.core.exhibits import EACH_AT_MOST, LOG_LINES, LONGEST_LINE, Exhibit, Kept, Line
from celeriac.core.redact import Redaction
from celeriac.core.story import Act
from celeriac.evidence_ports import Exhibits, Messages, PlatformRecords, SelfReport, TasksOfLives

LIMIT_S = 10.0
RENEW_S = 1.0
EVENTS_BACK_S = 3600.0

log = structlog.get_logger()


class Witnesses(Struct, frozen=True):
    """Who is asked about a worker; what is not configured is None."""

    tasks: TasksOfLives
    inspection: SelfReport
    broker: Messages | None
    records: PlatformRecords | None


class Preserver:
    """Keeps what is known of a worker right before it is killed; all text is redacted."""

    def __init__(
        self, witnesses: Witnesses, exhibits: Exhibits, redaction: Redaction, clock: Callable[[], float]
    ) -> None:
        self._ask, self._exhibits, self._redaction, self._clock = witnesses, exhibits, redaction, clock
        self._pool = ThreadPoolExecutor(max_workers=12, thread_name_prefix="evidence")

    def close(self) -> None:
        """Let the threads go; a source under way ends with its own time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def preserve(self, act: Act, within: float, meanwhile: Callable[[], object]) -> str | None:
        """Keep the evidence within so many seconds; return what was kept in one sentence, None where time is over already.

        `meanwhile` is called every second, as the keeper's lease runs on.
        """
        seconds = min(within, LIMIT_S)
        if seconds <= 0:
            return None
        found = self._gather(self._questions(act), seconds, meanwhile)
        kept = Kept(act.incident.id, act.incident.cluster, self._clock(), found)
        try:
            self._exhibits.keep(kept)
        except PortError as error:
            log.warning("evidence is not kept", cluster=kept.cluster, id=kept.incident, why=str(error))
            return f"not kept: {error}"
        return _sentence(found)

    def _questions(self, act: Act) -> dict[str, Callable[[], Iterable[Line]]]:
        """Return what is asked, by the name of the source."""
        ask, node = self._ask, act.remedy.node
        asked: dict[str, Callable[[], Iterable[Line]]] = {}
        records, instance = ask.records, act.instance
        if records and instance:
            asked["logs"] = lambda: records.logs(instance, LOG_LINES)
            asked["platform events"] = lambda: records.events(instance, self._clock() - EVENTS_BACK_S)
        if node is not None:
            asked["tasks it has"] = lambda: ask.inspection.tasks(node)
            asked["stats"] = lambda: ask.inspection.stats(node)
        if node is not None and act.remedy.pid is not None:
            life = (node, act.remedy.pid)
            asked["tasks by its events"] = lambda: self._by_events(life)
            if ask.broker is not None:
                asked["unacked"] = lambda: self._unacked(life)
        return asked

    def _by_events(self, life: tuple[str, int]) -> list[Line]:
        found, _ = self._ask.tasks.left_by(*life, NAMED_AT_MOST)
        known = [one for task in found if (one := left(task, life))]
        return [Line(f"{one.uuid} {one.name or 'unnamed'} {one.state}", one.at) for one in known]

    def _unacked(self, life: tuple[str, int]) -> list[Line]:
        if self._ask.broker is None:
            return []
        found, _ = self._ask.tasks.left_by(*life, NAMED_AT_MOST)
        where = self._ask.broker.holding({task.uuid for task in found}, ())
        if where.unknown and not where.unacked:
            raise MissingError(where.unknown)
        return [Line(uuid) for uuid in sorted(where.unacked)]

    def _gather(
        self, asked: dict[str, Callable[[], Iterable[Line]]], seconds: float, meanwhile: Callable[[], object]
    ) -> tuple[Exhibit, ...]:
        until = time.monotonic() + seconds
        under_way = {source: self._pool.submit(ask) for source, ask in asked.items()}
        while (left_s := until - time.monotonic()) > 0:
            if not wait(under_way.values(), timeout=min(left_s, RENEW_S)).not_done:
                break
            meanwhile()
        return tuple(self._exhibit(source, future, seconds) for source, future in under_way.items())

    def _exhibit(self, source: str, future: "Future[Iterable[Line]]", seconds: float) -> Exhibit:
        if not future.done():
            future.cancel()
            return Exhibit(source, self._clock(), why=f"no answer within {seconds:.0f} s")
        try:
            lines = list(future.result())
        except Exception as error:  # noqa: BLE001 (whatever a source does, it stops no restart)
            return Exhibit(source, self._clock(), why=why_not(error))
        kept = tuple(Line(self._clean(one.text), one.at) for one in lines[-EACH_AT_MOST:])
        more = len(lines) - len(kept)
        return Exhibit(source, self._clock(), kept, f"{more} more are left out" if more else None)

    def _clean(self, text: str) -> str:
        return self._redaction.text(text[:LONGEST_LINE]) or ""


def _sentence(found: Iterable[Exhibit]) -> str:
    parts = [
        f"{one.source}: {len(one.lines)}" if one.lines or not one.why else f"{one.source}: {one.why}" for one in found
    ]
    return f"kept before the kill: {'; '.join(parts)}"
