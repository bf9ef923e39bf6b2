"""The report to decide by whether to trust `auto`, made of stored incidents."""

from collections.abc import Callable

from celeriac.app.report_views import DecisionView, ReportView
from celeriac.app.sources import Sources
from celeriac.app.views import sure_moment
from celeriac.core.model import Mode
from celeriac.core.report import FALSE, RIGHT, Decision, Outcome, report
from celeriac.ports import Journal

DEFAULT_S = 7 * 86400.0
MOST = 10_000


class ReportQueries:
    """Reads the journal; every incident that was opened within the time counts."""

    def __init__(self, sources: Sources, journal: Journal, clock: Callable[[], float]) -> None:
        self._sources, self._journal, self._clock = sources, journal, clock

    def report(self, cluster: str | None = None, *, since: float | None = None) -> ReportView:
        """Return the report of one or all clusters; the last seven days by default."""
        names = [one.name for one in self._sources.chosen(cluster)]
        now = self._clock()
        begin = now - DEFAULT_S if since is None else since
        found = self._journal.incidents(cluster, open_only=False, limit=MOST, since=begin)
        mine = [one for one in found if one.cluster in names]
        made = report(mine, now)
        right, false = made.count(RIGHT), made.count(FALSE)
        return ReportView(
            since=sure_moment(begin),
            until=sure_moment(now),
            modes={name: self._mode(name) for name in names},
            incidents=len(mine),
            complete=len(found) < MOST,
            would_have_restarted=len(made.decisions),
            right=right,
            false=false,
            open_ended=len(made.decisions) - right - false,
            saved_s=round(made.saved_s, 1),
            outcomes={one.value: number for one in Outcome if (number := made.count([one]))},
            held=made.held,
            decisions=[_decision(one) for one in made.decisions],
        )

    def _mode(self, cluster: str) -> Mode:
        board = self._journal.board(cluster)
        return Mode(board.mode) if board else Mode.OBSERVE


def _decision(one: Decision) -> DecisionView:
    incident = one.incident
    return DecisionView(
        incident=incident.id,
        cluster=incident.cluster,
        worker=incident.place.id,
        worker_name=incident.place.name,
        verdict=incident.verdict,
        at=sure_moment(one.at),
        outcome=one.outcome,
        false=one.outcome in FALSE,
        ill_s=round(one.ill_s, 1),
        last=incident.steps[-1].text if incident.steps else "",
    )
