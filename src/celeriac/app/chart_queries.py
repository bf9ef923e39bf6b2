"""Numbers of tasks over time from roll-ups, merged over clusters: they outlive the tasks, and are read at once."""

from collections.abc import Callable, Iterable, Sequence

from celeriac.app.ranges import DAY_S, bounds, in_steps
from celeriac.app.sources import Sources
from celeriac.app.task_views import (
    BucketView,
    CountsView,
    DurationsView,
    DurationTableView,
    PercentilesView,
    StepCountsView,
    StepDurationsView,
)
from celeriac.app.views import sure_moment
from celeriac.core.rollup import MINUTE, RUNTIME, WAIT, Count, by_state, histogram, lower_bound, quantile, total

POINTS = 300


class ChartQueries:
    """Reads of roll-ups. Ranges end now and are a day long unless said otherwise; steps are whole minutes."""

    def __init__(self, sources: Sources, clock: Callable[[], float]) -> None:
        self._sources = sources
        self._clock = clock

    def counts(
        self,
        cluster: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        step_s: int | None = None,
        name: str | None = None,
    ) -> CountsView:
        """Return how many tasks were received, began and ended in each step, of one name or of all."""
        since, until = bounds(since, until, self._clock(), DAY_S)
        shown = in_steps(since, until, step_s, POINTS, MINUTE)
        found, left_out = self._sources.asked(cluster, lambda one: one.charts.counts(since, until, shown.step_s, name))
        steps = _summed([counts for _, counts in found])
        items = [StepCountsView(sure_moment(at), by_state(steps.get(at, {}))) for at in shown.steps()]
        return CountsView(sure_moment(since), sure_moment(until), shown.step_s, items, left_out)

    def durations(
        self,
        cluster: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        name: str | None = None,
        buckets: bool = False,
        series: bool = False,
    ) -> DurationTableView:
        """Return run times and waits by task name, the most frequent first."""
        since, until = bounds(since, until, self._clock(), DAY_S)
        answers, left_out = self._sources.asked(cluster, lambda one: one.charts.by_name(since, until))
        found = [counts for _, counts in answers]
        names = {each for counts in found for each in counts if name in {None, each}}
        sums = {each: total(counts.get(each, {}) for counts in found) for each in names}
        items = [_durations(each, count, buckets=buckets) for each, count in sums.items()]
        items.sort(key=lambda one: (-one.wait.number, -one.runtime.number, one.name))
        view = DurationTableView(sure_moment(since), sure_moment(until), items, left_out=left_out)
        if not series:
            return view
        shown = in_steps(since, until, None, POINTS, MINUTE)
        spans, left_out = self._sources.asked(
            cluster, lambda one: one.charts.durations(since, until, shown.step_s, name)
        )
        steps = _summed([counts for _, counts in spans])
        counts = [(at, steps.get(at, {})) for at in shown.steps()]
        line = [
            StepDurationsView(sure_moment(at), _percentiles(each, RUNTIME), _percentiles(each, WAIT))
            for at, each in counts
        ]
        return DurationTableView(view.since, view.until, items, shown.step_s, line, left_out)


def _summed(clusters: Sequence[dict[int, Count]]) -> dict[int, Count]:
    """Return the sums of several clusters' steps."""
    return {at: total(each.get(at, {}) for each in clusters) for at in {at for each in clusters for at in each}}


def _durations(name: str, count: Count, *, buckets: bool) -> DurationsView:
    runtime, wait = _percentiles(count, RUNTIME, buckets=buckets), _percentiles(count, WAIT, buckets=buckets)
    return DurationsView(name, by_state(count), runtime, wait)


def _percentiles(count: Count, kind: int, *, buckets: bool = False) -> PercentilesView:
    numbers = histogram(count, kind)
    return PercentilesView(
        number=sum(numbers.values()),
        p50_s=_rounded(quantile(numbers, 0.50)),
        p95_s=_rounded(quantile(numbers, 0.95)),
        p99_s=_rounded(quantile(numbers, 0.99)),
        buckets=_buckets(numbers.items()) if buckets else None,
    )


def _buckets(numbers: Iterable[tuple[int, int]]) -> list[BucketView]:
    return [BucketView(lower_bound(each), lower_bound(each + 1), number) for each, number in numbers]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds:.3g}")
