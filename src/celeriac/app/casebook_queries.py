"""What is kept beside incidents: the tasks that were in flight, the evidence, and the moment of decision."""

from celeriac.app.access.acting import Acting
from celeriac.app.casebook_views import CasualtiesView, CasualtyView, ExhibitView, KeptView, LineView
from celeriac.app.sources import Sources
from celeriac.app.views import moment, sure_moment
from celeriac.core import casualties, offline
from celeriac.core.access import Right
from celeriac.core.casualties import Casualties, Fate
from celeriac.core.errors import MissingError
from celeriac.core.exhibits import Exhibit
from celeriac.core.incident import Incident
from celeriac.evidence_ports import Casebook, Exhibits
from celeriac.ports import Journal

GRAVEST_FIRST = tuple(Fate)


class CasebookQueries:
    """Reads of what is kept of one incident; each raises MissingError for one that is not known."""

    def __init__(
        self, sources: Sources, journal: Journal, casebook: Casebook, exhibits: Exhibits, acting: Acting
    ) -> None:
        self._sources, self._journal, self._casebook, self._exhibits = sources, journal, casebook, exhibits
        self._acting = acting

    def casualties(self, id: str) -> CasualtiesView:
        """Return the tasks that were in flight, and what became of them; none where no life has ended."""
        incident = self._incident(id)
        records = self._casebook.casualties(incident.id)
        found = [_casualty(record, one) for record in records for one in record.tasks]
        looks = [one.looked_at for one in records if one.looked_at is not None]
        return CasualtiesView(
            incident=incident.id,
            watched=any(not one.closed for one in records),
            looked_at=moment(max(looks, default=None)),
            counts=casualties.counts(records),
            doubts=list(dict.fromkeys(doubt for one in records for doubt in one.doubts)),
            items=sorted(found, key=lambda one: (GRAVEST_FIRST.index(Fate(one.fate)), one.at, one.id)),
        )

    def kept(self, id: str) -> KeptView:
        """Return what was kept of the worker before it was killed or after it crashed; raises MissingError where nothing was.

        It holds lines of its app's log, and is for whoever may see that log.
        """
        incident = self._incident(id)
        self._acting.need(Right.SEE, "see the records of an app", incident.cluster, incident.place.app)
        found = self._exhibits.kept(incident.id)
        if found is None:
            raise MissingError(
                f"Nothing was kept for incident {id!r}: evidence is kept right before a kill, and after a crash."
            )
        return KeptView(incident.id, sure_moment(found.at), [_exhibit(one) for one in found.exhibits])

    def snapshot(self, id: str) -> bytes:
        """Return the moment in which the incident was opened or acted on, for `celeriac plan --snapshot`."""
        incident = self._incident(id)
        found = self._exhibits.moment(incident.id)
        if found is None:
            raise MissingError(f"No snapshot of incident {id!r} is kept any more.")
        return offline.dump(found)

    def _incident(self, id: str) -> Incident:
        found = self._journal.incident(id)
        if found is None or found.cluster not in self._sources:
            raise MissingError(f"No incident {id!r} is known.")
        return found


def _casualty(record: Casualties, one: casualties.Casualty) -> CasualtyView:
    return CasualtyView(
        one.uuid, one.name, record.node, one.queue, one.state, sure_moment(one.at), one.fate.value, one.why
    )


def _exhibit(one: Exhibit) -> ExhibitView:
    lines = [LineView(line.text, moment(line.at)) for line in one.lines]
    return ExhibitView(one.source, sure_moment(one.read_at), one.why, lines)
