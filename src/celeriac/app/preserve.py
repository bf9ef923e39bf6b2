"""Evidence that is kept before a kill and after a crash: every source is asked at once, each failure is noted.

None of them can stop or delay a restart: before a kill the time is bounded, and a crash is looked into beside the cycle.
"""

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from msgspec import Struct
from msgspec.structs import replace

from celeriac.app.asking import why_not
from celeriac.core.act import Act, Victim
from celeriac.core.aftermath import Dead
from celeriac.core.casualties import NAMED_AT_MOST, left
from celeriac.core.errors import MissingError, PortError
from celeriac.core.exhibits import EACH_AT_MOST, LOG_LINES, Exhibit, Kept, Line, cut
from celeriac.core.model import Instance
from celeriac.core.redact import Redaction
from celeriac.evidence_ports import Exhibits, Messages, PlatformRecords, SelfReport, TasksOfLives

LIMIT_S = 10.0
RENEW_S = 1.0
EVENTS_BACK_S = 3600.0
EVENTS = "platform events"
VICTIMS_AT_MOST = 20
"""Of the restart of a whole app so many instances are asked about, the ill ones first: each costs the platform a request."""

Life = tuple[str, int]
Questions = dict[str, Callable[[], Iterable[Line]]]

log = structlog.get_logger()


class Witnesses(Struct, frozen=True):
    """Who is asked about a worker; what is not configured is None."""

    tasks: TasksOfLives
    inspection: SelfReport
    broker: Messages | None
    records: PlatformRecords | None


class Preserver:
    """Keeps what is known of a worker right before it is killed, or once it has died; all text is redacted."""

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
        if act.victims:
            asked = self._of_each(act.victims)
        else:
            asked = self._of(Victim("", act.instance, act.remedy.node, act.remedy.pid))
        found = self._gather(asked, seconds, meanwhile)
        return self._keep(Kept(act.incident.id, act.incident.cluster, self._clock(), found), "before the kill")

    def look_into(self, crash: Dead) -> str:
        """Keep what can still be had of a worker that has crashed; return what was kept in one sentence."""
        asked = {**self._platforms(crash.instance), **self._left_by(crash.lives)}
        found = self._gather(asked, LIMIT_S, lambda: None)
        named = tuple(replace(one, source=f"{one.source} {crash.occasion}") for one in found)
        kept = Kept(crash.incident, crash.cluster, self._clock(), named)
        return self._keep(kept, crash.occasion)

    def _keep(self, kept: Kept, when: str) -> str:
        try:
            self._exhibits.keep(kept)
        except PortError as error:
            log.warning("evidence is not kept", cluster=kept.cluster, id=kept.incident, why=str(error))
            return f"not kept {when}: {error}"
        return _sentence(kept.exhibits, when)

    # What is asked, by the name of the source

    def _of(self, one: Victim) -> Questions:
        lives = [(one.node, one.pid)] if one.node is not None and one.pid is not None else []
        return {**self._platforms(one.instance), **self._its_own(one.node), **self._left_by(lives)}

    def _of_each(self, victims: tuple[Victim, ...]) -> Questions:
        """What is asked of one is asked of each, by its name; the events of the app are the same for all."""
        asked = {
            f"{source} of {one.name}": ask
            for one in victims[:VICTIMS_AT_MOST]
            for source, ask in self._of(one).items()
            if source != EVENTS
        }
        first = self._platforms(victims[0].instance)
        return asked | ({EVENTS: first[EVENTS]} if EVENTS in first else {})

    def _platforms(self, instance: Instance | None) -> Questions:
        records = self._ask.records
        if records is None or instance is None:
            return {}
        return {
            "logs": lambda: records.logs(instance, LOG_LINES),
            EVENTS: lambda: records.events(instance, self._clock() - EVENTS_BACK_S),
        }

    def _its_own(self, node: str | None) -> Questions:
        if node is None:
            return {}
        return {
            "tasks it has": lambda: self._ask.inspection.tasks(node),
            "stats": lambda: self._ask.inspection.stats(node),
        }

    def _left_by(self, lives: Collection[Life]) -> Questions:
        if not lives:
            return {}
        told: Questions = {"tasks by its events": lambda: [one for life in lives for one in self._by_events(life)]}
        if self._ask.broker is not None:
            told["unacked"] = lambda: [one for life in lives for one in self._unacked(life)]
        return told

    def _by_events(self, life: Life) -> list[Line]:
        found, _ = self._ask.tasks.left_by(*life, NAMED_AT_MOST)
        known = [one for task in found if (one := left(task, life))]
        return [Line(f"{one.uuid} {one.name or 'unnamed'} {one.state}", one.at) for one in known]

    def _unacked(self, life: Life) -> list[Line]:
        if self._ask.broker is None:
            return []
        found, _ = self._ask.tasks.left_by(*life, NAMED_AT_MOST)
        where = self._ask.broker.holding({task.uuid for task in found}, ())
        if where.unknown and not where.unacked:
            raise MissingError(where.unknown)
        return [Line(uuid) for uuid in sorted(where.unacked)]

    def _gather(self, asked: Questions, seconds: float, meanwhile: Callable[[], object]) -> tuple[Exhibit, ...]:
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
        return self._redaction.text(cut(text)) or ""


def _sentence(found: Iterable[Exhibit], when: str) -> str:
    parts = []
    for one in found:
        source = one.source.removesuffix(f" {when}")
        parts.append(f"{source}: {len(one.lines)}" if one.lines or not one.why else f"{source}: {one.why}")
    return f"kept {when}: {'; '.join(parts) or 'there is nobody to ask'}"
