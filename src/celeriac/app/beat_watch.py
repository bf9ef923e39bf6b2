"""Looking for tasks of Celery beat that no longer come, once a minute, beside the cycle; the store is asked, nobody else.

Roll-ups tell by name and minute which tasks may come evenly. Only of those that have stopped are the tasks themselves read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from celeriac.app.asking import Asked
from celeriac.core import beat
from celeriac.core.beat import Rhythm
from celeriac.core.finding import Finding
from celeriac.core.limits import Limits
from celeriac.core.model import Place
from celeriac.core.readings import Known
from celeriac.core.rollup import CODES, HOUR, MINUTE, Count
from celeriac.core.search import TaskFilter
from celeriac.core.snapshot import Seen
from celeriac.core.tasks import PENDING, RECEIVED
from celeriac.evidence_ports import Arrivals
from celeriac.ports import Tasks

EVERY_S, AGAIN_S = 60.0, 15.0
"""How often the store is asked, and how often while something is missed, so that its note goes soon once it comes again."""

FIRST_S = 15.0
"""A new keeper has other things to ask first."""

BACK_S = 2 * 86400.0
"""What has not come for so long is no longer missed."""

HOURS_BACK_S, MINUTES_BACK_S = 8 * 86400.0, 6 * 3600.0
"""How far back pauses are looked for: a week, for what rests over weekends, and closer for what often rests briefly."""

UNEVEN_S = 600.0
AT_ONCE = 64
NAMES = 20
READ_S = 0.5


class BeatWatch:
    """Watches one cluster; `notes` is called each cycle and waits for nobody."""

    def __init__(
        self, cluster: str, tasks: Tasks, arrivals: Arrivals, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._tasks, self._arrivals, self._limits, self._clock = tasks, arrivals, limits, clock
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"beat-{cluster}")
        self._due_at = clock() + FIRST_S
        self._asked: Asked[tuple[Rhythm, ...]] | None = None
        self._found: tuple[Rhythm, ...] = ()
        self._doubted: dict[str, float] = {}
        self._troubled: dict[Place, float] = {}
        self._read: dict[str, tuple[dict[int, int], Rhythm | None]] = {}

    def close(self) -> None:
        """Let the thread go; a question under way ends with its time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def notes(self, seen: Seen, findings: tuple[Finding, ...]) -> tuple[str, ...]:
        """Return what is missed now, in words."""
        if not isinstance(seen.stream, Known):
            return ()
        now = seen.stream.value.observed_at
        self._go_on(now)
        self._troubled = {place: at for place, at in self._troubled.items() if now - at < BACK_S}
        self._troubled |= {one.place: now for one in findings if not one.well}
        names = {one.name for one in self._found}
        self._doubted = {name: at for name, at in self._doubted.items() if name in names}
        found = (self._note(one, seen, findings, now) for one in self._found)
        return tuple(text for text in found if text)

    def _note(self, one: Rhythm, seen: Seen, findings: Iterable[Finding], now: float) -> str | None:
        by = beat.takers(one, seen, findings)
        if by is None:
            self._doubted[one.name] = now
            return None
        troubled = [self._troubled.get(each.place, 0.0) for each in by]
        return beat.note(one, seen, by, max(self._doubted.get(one.name, 0.0), *troubled), self._limits)

    def _go_on(self, now: float) -> None:
        """Ask when it is due, or take up what was found; `now` is the observer's, as times in the store are."""
        if self._asked is None and self._clock() >= self._due_at:
            self._asked = Asked(self._pool.submit(self._look, now), self._clock)
        elif self._asked is not None and self._asked.done(within=0.0):
            answer, self._asked = self._asked.answer(), None
            self._found = answer.value if isinstance(answer, Known) else ()
            self._due_at = self._clock() + (AGAIN_S if self._found else EVERY_S)

    def _look(self, now: float) -> tuple[Rhythm, ...]:
        came = self._arrivals.lately(now - BACK_S, beat.MINUTES)
        even = {name: minutes for name, minutes in came.items() if beat.may_be_even(minutes)}
        newest_first = sorted(even, key=lambda name: -max(even[name]))
        quiet = {name for name in newest_first if beat.may_be_late(even[name], now)}
        self._read = {name: read for name, read in self._read.items() if name in even}
        resting = list(self._rhythms([name for name in newest_first if name in quiet], even))
        late = [self._paused(one) for one in resting if one.late(now) and not self._is_sent(one)]
        late = [one for one in late if one.late(now)]
        if not late:
            return ()
        coming = self._rhythms([name for name in newest_first if name not in quiet and self._may_come(name, now)], even)
        return beat.stopped(late, [*resting, *coming])

    def _may_come(self, name: str, now: float) -> bool:
        """Tell whether it is worth reading anew: what had no rhythm a moment ago has none now."""
        minutes, one = self._read.get(name, ({}, None))
        return one is not None or not minutes or now - max(minutes) > UNEVEN_S

    def _rhythms(self, names: Sequence[str], even: Mapping[str, dict[int, int]]) -> Iterator[Rhythm]:
        """Read the tasks of these names, unless that is done: what has stopped changes no more."""
        for name in names[:NAMES]:
            minutes, one = self._read.get(name, ({}, None))
            if minutes != even[name]:
                one = self._rhythm(name, even[name])
                self._read[name] = (even[name], one)
            if one is not None:
                yield one

    def _rhythm(self, name: str, minutes: Mapping[int, int]) -> Rhythm | None:
        which = TaskFilter(
            limit=AT_ONCE,
            names=(name,),
            since=min(minutes) - MINUTE,  # it may have been sent a while before it was received
            until=max(minutes) + MINUTE,
            within_s=READ_S,
        )
        found = self._tasks.find(which)
        return beat.rhythm(name, [row.task for row in found.rows]) if found.searched_to is None else None

    def _is_sent(self, one: Rhythm) -> bool:
        """Tell whether it is sent still, and only no worker has received it."""
        which = TaskFilter(
            limit=1, states=(PENDING,), names=(one.name,), since=one.last_at + beat.EVEN_S, within_s=READ_S
        )
        return bool(self._tasks.find(which).rows)

    def _paused(self, one: Rhythm) -> Rhythm:
        """Return it with its longest pause: what rests each night is not missed then."""
        until = one.last_at + MINUTE
        by_hour = self._arrivals.counts(until - HOURS_BACK_S, until, HOUR, one.name)
        by_minute = self._arrivals.counts(until - MINUTES_BACK_S, until, MINUTE, one.name)
        pauses = (beat.longest_pause(_received(by_hour), HOUR), beat.longest_pause(_received(by_minute), MINUTE))
        return replace(one, pause_s=max(pauses))


def _received(counts: Mapping[int, Count]) -> list[int]:
    return [at for at, count in counts.items() if count.get(CODES[RECEIVED], 0) > 0]
