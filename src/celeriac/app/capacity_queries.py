"""An app's capacity: its busiest minute of the last days, the tasks around it, and what follows for the instances.

Nothing here scales anything.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from celeriac.app.app_queries import AppQueries
from celeriac.app.capacity_views import (
    BusyHourView,
    CapacityView,
    ExpectedView,
    MeasuredView,
    PeakView,
    ProcessCapacityView,
    QuotaView,
)
from celeriac.app.capacity_wording import NOTHING_SEEN, advice_text, quota_text, seen_text
from celeriac.app.inquiry_desk import InquiryDesk
from celeriac.app.views import sure_moment
from celeriac.core.capacity import (
    ENOUGH,
    SHARE,
    WAIT_S,
    WINDOWS_S,
    Advice,
    Measured,
    Scene,
    advise,
    measure,
    slots_per_instance,
)
from celeriac.core.errors import PortError
from celeriac.core.model import App
from celeriac.core.occupancy import Hour, Load, fullest, hours, peak, stretch
from celeriac.core.retention import DAY_S
from celeriac.core.rollup import MINUTE
from celeriac.evidence_ports import Loads

RANGE_S = 7 * DAY_S
MOST_TASKS = 20_000
"""Of one window: more would take seconds to read."""

SHORT_S = 2.0
"""Where so many tasks come, they are over within this time."""

RUN_LATER_S = 3600.0
"""A task that waits may run in a life of a worker that began so much later."""

QUOTA_KEPT_S = 60.0
"""A page comes every few seconds; what quotas leave, or why it is not known, is asked for once within this time."""


class Meter(NamedTuple):
    """What one cluster's capacity is measured by; `desk` is None where no platform tells its quotas."""

    loads: Loads
    desk: InquiryDesk | None = None


class CapacityQueries:
    """Reads of capacity; `meters` are by cluster."""

    def __init__(
        self, apps: AppQueries, meters: Mapping[str, Meter], quotas: "Quotas", clock: Callable[[], float]
    ) -> None:
        self._apps, self._meters, self._quotas, self._clock = apps, meters, quotas, clock

    def capacity(self, id: str, cluster: str | None = None, *, wait_s: float = WAIT_S) -> CapacityView:
        """Return the capacity of an app, by its id or name; raises MissingError, or ConflictError where several have it."""
        name, app = self._apps.watched(id, cluster)
        meter, now = self._meters[name], self._clock()
        since = now - RANGE_S
        quota = self._quotas.of(meter, app, now)
        by_process: dict[str, list[Load]] = {}
        for one in meter.loads.loads(app.name, since, now):
            by_process.setdefault(one.process, []).append(one)
        processes = [_Process(meter.loads, found, (since, now), wait_s).view(quota) for found in by_process.values()]
        return CapacityView(
            id=app.guid,
            cluster=name,
            name=app.name,
            wait_s=wait_s,
            share=SHARE,
            since=sure_moment(since),
            until=sure_moment(now),
            advice=_advice(processes),
            quota=quota,
            processes=processes,
        )


class Quotas:
    """What quotas leave, asked of the platforms by whoever comes first, and kept for all others for a while."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[float, QuotaView]] = {}

    def of(self, meter: Meter, app: App, now: float) -> QuotaView:
        """Return what an app's quotas leave, or why that is not known."""
        key = (app.platform, app.guid)
        at, kept = self._kept.get(key, (now, None))
        if kept is None or now - at >= QUOTA_KEPT_S:
            kept = _quota(meter.desk, app)
            fresh = {one: each for one, each in self._kept.items() if now - each[0] < QUOTA_KEPT_S}
            self._kept = {**fresh, key: (now, kept)}  # another, as requests of other threads may read the one before
        return kept


class _Process:
    """One process of an app; `loads` are its minutes, at least one, oldest first."""

    def __init__(self, reads: Loads, loads: Sequence[Load], within: tuple[float, float], wait_s: float) -> None:
        self._reads, self._loads, self._within, self._wait_s = reads, loads, within, wait_s

    def view(self, quota: QuotaView) -> ProcessCapacityView:
        top, now = peak(self._loads) or self._loads[-1], self._loads[-1]
        measured = self._around(top.at + MINUTE / 2)
        scene = Scene(top, now, self._busy(measured), measured, fullest(self._loads))
        advice = advise(scene, self._wait_s)
        since, until = self._within
        seen_s = float(len(self._loads) * MINUTE)
        return ProcessCapacityView(
            process=now.process,
            advice=advice_text(scene, advice, self._wait_s, quota.text),
            instances=now.instances,
            slots_per_instance=slots_per_instance(scene.full),
            seen_s=seen_s,
            seen=seen_text(seen_s, until - since),
            last_at=sure_moment(now.at),
            peak=PeakView(
                sure_moment(top.at), round(top.mean_busy, 2), round(top.mean_slots, 2), top.instances, top.waiting
            ),
            measured=_measured(scene),
            needed=advice.needed,
            spare=advice.spare,
            unknown=advice.unknown,
            doubts=list(advice.doubts),
            expected=_expected(advice, now),
            hours=[_hour(one) for one in hours(self._loads, since, until)],
        )

    def _around(self, middle: float) -> Measured:
        """Return what the tasks around the peak tell: in the first window that holds enough, else in the last."""
        *narrower, widest = WINDOWS_S
        for width in narrower:
            measured = self._window(middle, width, width)
            if not measured.complete:
                return self._minute(middle)
            if min(measured.began, measured.ended) >= ENOUGH:
                return measured
        return self._window(middle, widest, widest)

    def _minute(self, middle: float) -> Measured:
        """Return what one minute tells, or, where even its tasks are too many, the first of them."""
        measured = self._window(middle, MINUTE, MINUTE)
        return measured if measured.complete else self._window(middle, MINUTE, SHORT_S)

    def _window(self, middle: float, width: float, before: float) -> Measured:
        """Return what the tasks of one window tell; what came so many seconds before it may have run in it.

        It ends where the app was not seen: rates over a time of which nothing is known would be too low.
        """
        first, last = stretch(self._loads, middle)
        since, until = max(first, middle - width / 2), min(last, middle + width / 2, self._within[1])
        nodes = self._nodes(since - before, until + RUN_LATER_S)
        tasks, whole = self._reads.work(nodes, since - before, until, MOST_TASKS)
        if not whole and tasks:
            until = max(since + 1.0, min(until, tasks[-1].first_at))
        return measure(tasks, since, until, complete=whole)

    def _nodes(self, since: float, until: float) -> frozenset[str]:
        return frozenset(chain.from_iterable(one.nodes for one in self._loads if since - MINUTE < one.at < until))

    def _busy(self, measured: Measured) -> float:
        """Return the slots that were busy on average in the measured window, as far as its minutes were seen."""
        within = [one for one in self._loads if measured.since - MINUTE < one.at < measured.until]
        return sum(one.busy for one in within) / sum(one.looks for one in within) if within else 0.0


def _quota(desk: InquiryDesk | None, app: App) -> QuotaView:
    if desk is None:
        return QuotaView(None, "what the quota leaves is not known: no platform that tells it is set up")
    if not app.guid:
        return QuotaView(None, f"what the quota leaves is not known: the platform {app.platform} shows no such app")
    try:
        return QuotaView(*quota_text(desk.ask(app, lambda records: records.room(app))))
    except PortError as error:
        return QuotaView(None, f"what the quota leaves is not known: {str(error).rstrip('.')}")


def _advice(processes: Sequence[ProcessCapacityView]) -> str:
    if not processes:
        return NOTHING_SEEN
    if len(processes) == 1:
        return processes[0].advice
    return " ".join(f"{one.process}: {one.advice}" for one in processes)


def _measured(scene: Scene) -> MeasuredView:
    one = scene.measured
    return MeasuredView(
        since=sure_moment(one.since),
        until=sure_moment(one.until),
        tasks=one.began,
        arriving_per_s=_short(one.came / (one.until - one.since)) or 0.0,
        arrival_scv=_short(one.arrival_scv),
        slot_s=_short(one.slot_s),
        slot_scv=_short(one.slot_scv),
        wait_p50_s=_short(one.wait_p50_s),
        wait_p95_s=_short(one.wait_p95_s),
        sent_share=round(one.told, 3),
        busy=round(scene.busy, 2),
        explained=round(one.explained, 2),
        complete=one.complete,
    )


def _expected(advice: Advice, now: Load) -> list[ExpectedView]:
    return [
        ExpectedView(
            instances=one.instances,
            slots=one.slots,
            utilisation=round(one.utilisation, 3),
            mean_wait_s=_short(one.mean_wait_s),
            p95_wait_s=_short(one.p95_wait_s),
            now=one.instances == now.instances,
        )
        for one in advice.table
    ]


def _hour(one: Hour) -> BusyHourView:
    return BusyHourView(
        at=sure_moment(one.at),
        minutes=one.minutes,
        busy=_short(one.busy),
        most=_short(one.most),
        slots=_short(one.slots),
        waiting=one.waiting,
    )


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
